// `keys` against a running issuer with real verifiers.
import { randomBytes } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { runCli } from "../support/command-line.ts"
import { buildTown, type Town } from "../support/town.ts"

// Every command is a process of its own.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let town: Town
const write = (name: string, text: string) => {
  const path = join(town.folder, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}
let keyFile: string
beforeAll(async () => {
  town = await buildTown()
  keyFile = write("operations.private.json", JSON.stringify(town.privateJwkOf("operations-team")))
})
afterAll(() => town.close())

const keys = (...args: string[]) =>
  runCli(["keys", ...args], {
    env: {
      TASKMINT_ISSUER: town.issuerUrl,
      TASKMINT_CLIENT_ID: "operations-team",
      TASKMINT_CLIENT_KEY_FILE: keyFile,
    },
  })

test("list says what the key waits for; rotate publishes the next, and tells when it signs", async () => {
  expect(await keys("list")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/current .*a use under it/),
  })
  const rotated = await keys("rotate")
  expect([rotated.code, rotated.stderr]).toEqual([0, ""])
  expect(rotated.stdout).toMatch(
    /The next key is published\..*\n[\s\S]* next .*everybody to know it, until 20\d\d-/,
  )
  expect((await keys("rotate", "--json")).stdout).toContain('"waiting"')
})

test("an emergency needs a reason, and says who has applied it", async () => {
  expect(await keys("rotate", "--emergency")).toMatchObject({ code: 2 })
  await town.orchestrator().start({
    type: "triage-ticket",
    agent: { id: "triage-bot", instance: "pod-1" },
    purpose: "Be ended",
    inputs: { ticket: "SUP-1" },
  })
  const { code, stdout } = await keys("rotate", "--emergency", "--reason", "it leaked")
  expect(code).toBe(0)
  expect(stdout).toContain("The key was revoked, and another one signs.")
  expect(stdout).toMatch(/2 of 2 verifier instance\(s\) have applied it/)
})

test("the ledger's key hands over at once, and who has the new one verifies the log", async () => {
  const audit = write("audit.private.json", JSON.stringify(town.privateJwkOf("audit-team")))
  const asAuditor = { TASKMINT_CLIENT_ID: "audit-team", TASKMINT_CLIENT_KEY_FILE: audit }
  const verify = (key: string) =>
    runCli(["ledger", "verify", "--served", "--key", key], {
      env: { TASKMINT_ISSUER: town.issuerUrl, ...asAuditor },
    })
  const metadata = `${town.issuerUrl}/.well-known/oauth-authorization-server`
  const { ledger_key: old } = (await (await fetch(metadata)).json()) as { ledger_key: string }
  expect((await keys("rotate", "--ledger", "--reason", "x")).code).toBe(2)
  const { code, stdout } = await keys("rotate", "--ledger")
  const fresh = /^127\.0\.0\.1:\d+\+.*$/m.exec(stdout)?.[0] ?? ""
  expect([code, fresh === old]).toEqual([0, false])
  expect((await verify(fresh)).code).toBe(0)
  expect((await verify("127.0.0.1:1+00000000+x")).code).toBe(2)
})

test("rewrap takes the key that opens them, and the issuer starts with the new one alone", async () => {
  const fresh = randomBytes(32)
  const current = write("current.key", town.keyEncryptionKey.toString("base64url"))
  const next = write("next.key", fresh.toString("base64url"))
  const wrong = await keys("rewrap", "--current-key-file", next, "--new-key-file", current)
  expect(wrong.code).toBe(1)
  expect(wrong.stderr).toContain("do not open with this key-encryption key; nothing was changed")
  const done = await keys("rewrap", "--current-key-file", current, "--new-key-file", next)
  expect([done.code, done.stdout]).toEqual([0, "1 key(s) encrypted with the new key\n"])
  for (const key of [fresh.toString("base64url"), town.keyEncryptionKey.toString("base64url")])
    expect(done.stdout + done.stderr + wrong.stderr).not.toContain(key)
  await town.restartIssuer(undefined, { keyEncryptionKey: fresh })
  expect(await keys("list")).toMatchObject({ code: 0, stdout: expect.stringMatching(/ current /) })
  await expect(town.restartIssuer(undefined, { keyEncryptionKey: town.keyEncryptionKey })).rejects.toThrow(
    /does not open with this key-encryption key/,
  )
  await town.restartIssuer(undefined, { keyEncryptionKey: fresh })
})
