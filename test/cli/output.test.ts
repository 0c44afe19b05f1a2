// What becomes of a command whose standard output breaks: it ends, it says why where somebody reads that, and it is not done.
import { join } from "node:path"
import { afterAll, describe, expect, test, vi } from "vitest"
import { writeExampleFolder } from "../../src/cli/example-folder.ts"
import { startCli, startShell } from "../support/command-line.ts"
import { createFolders } from "../support/folder.ts"
import { serveSettings } from "../support/serve-settings.ts"
import { ROOT } from "../support/source.ts"

vi.setConfig({ testTimeout: 60_000 })

const newFolder = createFolders()
const COMMAND = `"${process.execPath}" "${join(ROOT, "src/cli/main.ts")}"`
const CHECK = `${COMMAND} policy check --dev "${join(ROOT, "policies")}"`

/** What the line prints on standard error, and last the exit code of the command in it. */
const told = async (line: string) => (await startShell(line).ended).stderr

describe("a command", () => {
  test("whose reader has seen enough ends without a word, and not as one that is done", async () => {
    expect(await told(`(${CHECK}; echo $? >&2) | true`)).toBe("3\n")
  })

  test("whose reader takes all of it is done", async () => {
    expect(await told(`(${CHECK}; echo $? >&2) | cat`)).toBe("0\n")
  })

  test("that has no room for its result says so", async () => {
    const lost = "error: standard output can't be written (ENOSPC)\n3\n"
    expect(await told(`(${CHECK}; echo $? >&2) > /dev/full`)).toBe(lost)
    expect(await told(`(${COMMAND} credential new --help; echo $? >&2) | true`)).toBe("0\n") // help is no result
  })

  test("whose answer is no says no, whoever reads it", async () => {
    const check = `${COMMAND} policy check "${join(ROOT, "policies")}"`
    expect(await told(`(${check} 2>/dev/null; echo $? >&2) | true`)).toBe("1\n")
  })
})

test("a server goes on when nobody reads its log any more, and ends as it is told to", async () => {
  const house = writeExampleFolder(join(newFolder(), "house"))
  const server = startCli(["serve"], { env: serveSettings(house) })
  afterAll(() => void server.child.kill("SIGKILL"))
  const [, address] = await server.said(/"address":"([^"]+)".*"msg":"listening"/)
  server.child.stdout?.destroy()
  server.child.kill("SIGHUP") // which it writes a line about
  await vi.waitFor(async () => expect((await fetch(`${address}/livez`)).status).toBe(200))
  server.child.kill("SIGTERM")
  expect(await server.ended).toMatchObject({ code: 0, stderr: expect.not.stringContaining("EPIPE") })
})
