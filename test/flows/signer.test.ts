// examples/signer.ts, run as it is but for ports and folder: an issuer whose key another process holds.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { writeExampleFolder } from "../../src/cli/example-folder.ts"
import { runCli, startShell } from "../support/command-line.ts"
import { ROOT } from "../support/source.ts"

vi.setConfig({ testTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), "taskmint-signer-"))
/** Inside the package, so that `taskmint/issuer` means this package. */
const programs = join(ROOT, "dist", `signer-${process.pid}`)
const house = writeExampleFolder(join(folder, "acme"))

beforeAll(() => {
  if (!existsSync(join(ROOT, "dist/issuer/issuer.js"))) throw new Error("run `npm run build` first")
  mkdirSync(programs, { recursive: true })
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
  rmSync(programs, { recursive: true, force: true })
})

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0))
    })
  })

test("the example signs with a key that the issuer never sees, also after a restart", async () => {
  const port = await freePort()
  const text = readFileSync(join(ROOT, "examples/signer.ts"), "utf8")
    .replaceAll("127.0.0.1:8787", `127.0.0.1:${port}`)
    .replaceAll("port: 8787", `port: ${port}`)
    .replaceAll("acme/", `${folder}/acme/`)
  writeFileSync(join(programs, "signer.ts"), text)
  const kids: string[] = []
  for (let start = 0; start < 2; start++) {
    const issuer = startShell(`exec ${process.execPath} ${programs}/signer.ts`)
    await issuer.said(/listening/)
    const { stdout } = await runCli(["token", "get"], {
      env: {
        TASKMINT_ISSUER: `http://127.0.0.1:${port}`,
        TASKMINT_CLIENT_ID: "support-orchestrator",
        TASKMINT_CLIENT_KEY_FILE: house.keyFileOf("support-orchestrator"),
      },
    })
    const header = JSON.parse(Buffer.from(stdout.split(".")[0] ?? "", "base64url").toString())
    const set = await (await fetch(`http://127.0.0.1:${port}/.well-known/jwks.json`)).json()
    expect(set).toMatchObject({ keys: [{ kid: header.kid }] })
    kids.push(header.kid)
    issuer.child.kill("SIGTERM")
    expect(await issuer.ended).toMatchObject({ code: 0, stderr: "" })
  }
  expect(kids[0]).toBe(kids[1])
  const d = readFileSync(join(folder, "acme/signing-1.pem"), "utf8").split("\n")[1] ?? "none"
  expect(readFileSync(join(folder, "acme/signer.db")).includes(d)).toBe(false)
})
