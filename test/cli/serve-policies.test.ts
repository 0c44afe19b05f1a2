// What the log of `serve` says of the policies, whoever found that they changed: an operator reads there what is in force, where
// the mistakes are, and what to do.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, describe, expect, test, vi } from "vitest"
import { type ExampleFolder, writeExampleFolder } from "../../src/cli/example-folder.ts"
import { type Running, runCli, startCli } from "../support/command-line.ts"
import { serveSettings } from "../support/serve-settings.ts"

// Every step is a process of its own.
vi.setConfig({ testTimeout: 120_000 })

const folder = mkdtempSync(join(tmpdir(), "taskmint-policies-"))
const running: Running[] = []
afterEach(async () => {
  for (const one of running) one.child.kill("SIGKILL")
  await Promise.all(running.splice(0).map((one) => one.ended))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let serial = 0
function makeHouse(): ExampleFolder {
  serial += 1
  return writeExampleFolder(join(folder, `house-${serial}`))
}

function serve(house: ExampleFolder): Running {
  const one = startCli(["serve"], { env: serveSettings(house), cwd: folder })
  running.push(one)
  return one
}

describe("the log says what became of the policies", () => {
  const digestOf = (house: ExampleFolder) => {
    const one = serve(house)
    return one.said(/"policy":"([^"]+)".*"msg":"listening"/).then(([, digest = ""]) => ({ one, digest }))
  }
  const put = (house: ExampleFolder, text: string) =>
    writeFileSync(join(house.policies, "support.yaml"), text)
  /** What it says next of policies, in an object. */
  async function next(one: Running, act: () => void): Promise<Record<string, unknown>> {
    const before = one.stdout().length
    act()
    const [, line = ""] = await one.said(new RegExp(`^[\\s\\S]{${before}}(\\{.*"msg":"policies .*\\})\\n`))
    return JSON.parse(line)
  }
  const REFUSED = { level: "error", msg: "policies refused; those in force stay" }

  test("that SIGHUP found: mistakes by place", async () => {
    const house = makeHouse()
    const good = readFileSync(join(house.policies, "support.yaml"), "utf8")
    const { one, digest } = await digestOf(house)
    const change = (text: string) =>
      next(one, () => {
        put(house, text)
        one.child.kill("SIGHUP")
      })
    const read = await change(`${good}# a change\n`)
    expect([read.level, read.msg, read.policy === digest]).toEqual(["info", "policies read", false])
    const refused = await change("version: 2\n")
    expect(refused).toMatchObject({ ...REFUSED, policy: read.policy })
    expect(refused.faults).toEqual(expect.arrayContaining([expect.stringMatching(/^support\.yaml:1:10: /)]))
    const checked = await runCli(["policy", "check", house.policies])
    expect(refused.faults).toEqual(checked.stdout.trimEnd().split("\n"))
    expect(await change(`${good}# a change\n`)).toMatchObject({ msg: "policies read, and refused no more" })
    const superseded = { level: "warn", policy: read.policy, cure: `taskmint policy use ${digest}` }
    expect(await change(good)).toMatchObject(superseded)
    one.child.kill("SIGTERM")
    await one.ended
    const again = serve(house)
    const [line = ""] = await again.said(/\{.*"msg":"policies .*\}/)
    expect(JSON.parse(line)).toMatchObject(superseded)
  })

  test("that the look every five seconds found", async () => {
    const house = makeHouse()
    const { one, digest } = await digestOf(house)
    const refused = await next(one, () => put(house, "version: 2\n"))
    expect(refused).toMatchObject({
      ...REFUSED,
      policy: digest,
      faults: [expect.stringMatching(/^support\.yaml:/)],
    })
  })

  test("and whoever sends SIGHUP is answered, also where nothing has changed", async () => {
    const house = makeHouse()
    const { one, digest } = await digestOf(house)
    const hup = () => one.child.kill("SIGHUP")
    expect(await next(one, hup)).toMatchObject({ msg: "policies read", policy: digest })
    put(house, "version: 2\n")
    for (let time = 0; time < 2; time++) expect(await next(one, hup)).toMatchObject(REFUSED)
  })
})
