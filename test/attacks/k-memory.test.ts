// Catalogue K05: what a copy of a running issuer's memory holds, and who may open one. The copy is V8's own, of a real
// process; what OpenSSL keeps beside it, and a core dump of everything, is for the host to forbid (docs/operations.md).
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import inspector from "node:inspector"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import Sqlite from "better-sqlite3"
import { afterAll, describe, expect, test } from "vitest"
import { writeExampleFolder } from "../../src/cli/example-folder.ts"
import { Stop } from "../../src/cli/exit.ts"
import { readServeSettings } from "../../src/cli/serve-settings.ts"
import { createSettings } from "../../src/cli/settings.ts"
import { createWrapping } from "../../src/keys/wrapping.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { startCli } from "../support/command-line.ts"

const folder = mkdtempSync(join(tmpdir(), "taskmint-memory-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const house = writeExampleFolder(join(folder, "house"))
const secret = readFileSync(house.keyEncryptionKeyFile, "utf8").trim()
const environment = {
  TASKMINT_ISSUER: "https://taskmint.example",
  TASKMINT_POLICIES: house.policies,
  TASKMINT_DATABASE: `sqlite:${house.database}`,
  TASKMINT_KEY_ENCRYPTION_KEY: secret,
}

/** The private halves that the stopped issuer's database holds. */
function privateHalves(): string[] {
  const database = new Sqlite(house.database, { readonly: true })
  const rows = database
    .prepare<[], { kid: string; wrapped: Uint8Array }>("SELECT kid, wrapped FROM signing_key")
    .all()
  database.close()
  const wrapping = createWrapping(Buffer.from(secret, "base64url"))
  return rows.map(({ kid, wrapped }) => {
    const opened = wrapping.open(wrapped, kid, "signing-key")
    return String(JSON.parse(Buffer.from(opened ?? "{}").toString()).d)
  })
}

test("K05 its heap holds no private key and no key-encryption key, and no signal opens the debugger", {
  timeout: 60_000,
}, async () => {
  const serving = startCli(["serve", "--port", "0"], {
    cwd: folder,
    env: { ...environment, NODE_OPTIONS: "--heapsnapshot-signal=SIGUSR2" },
  })
  await serving.said(/"msg":"listening"/)
  // Taken one after the other, in this order.
  serving.child.kill("SIGUSR1")
  serving.child.kill("SIGUSR2")
  serving.child.kill("SIGTERM")
  const { code, stderr } = await serving.ended
  expect([code, stderr]).toEqual([0, expect.not.stringMatching(/debugger/i)])

  const [name = ""] = readdirSync(folder).filter((one) => one.endsWith(".heapsnapshot"))
  const heap = readFileSync(join(folder, name))
  expect(heap.includes("triage-ticket"), "it is a copy of what the issuer holds").toBe(true)
  const halves = privateHalves()
  expect(halves.map((half) => half.length)).toEqual([43])
  for (const half of [...halves, secret]) expect(heap.includes(half)).toBe(false)
})

describe("K05 a debugger that is open already", () => {
  const read = (flags: object) => {
    const settings = createSettings({ ...environment }, undefined)
    return readServeSettings({ settings } as Parameters<typeof readServeSettings>[0], {
      logLevel: "info",
      ...flags,
    })
  }
  test("K05 is wrong use, but for trying out", () => {
    expect(read({}).dev).toBe(false)
    inspector.open(0, "127.0.0.1")
    try {
      expect(() => read({})).toThrow(Stop)
      expect(() => read({})).toThrow(/debugger/)
      expect(read({ dev: true }).dev).toBe(true)
    } finally {
      inspector.close()
    }
  })
})

test("K05 a key that signs shows its private half to nobody who looks at it or writes it down", () => {
  const jwk = generatePrivateJwk("ES256")
  const key = importSigningKey(jwk)
  for (const text of [inspect(key, { depth: 9, showHidden: true }), JSON.stringify(key), String(key)])
    expect(text).not.toContain(String(jwk.d))
})
