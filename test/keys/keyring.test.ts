import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { sql } from "drizzle-orm"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { type Engine, statement } from "../../src/database/database.ts"
import { createNames } from "../../src/database/names.ts"
import { openDatabase } from "../../src/database/open.ts"
import { KeysLocked } from "../../src/keys/held.ts"
import { openKeyring } from "../../src/keys/keyring.ts"
import { createLedger, type Ledger } from "../../src/ledger/ledger.ts"
import { verifySignature } from "../../src/token/signature.ts"
import { type TestPlace, testPlace } from "../support/engine.ts"
import { createFakeClock } from "../support/fake-clock.ts"

const keyEncryptionKey = randomBytes(32)
const clock = createFakeClock()
let folder: string
let at: TestPlace
let engine: Engine
let ledger: Ledger

const openRooms = async () => {
  engine = await openDatabase(at.place)
  ledger = await createLedger({ engine, names: createNames(engine), clock })
}
const restart = async () => {
  await engine.close()
  await openRooms()
}
const kinds = async () => (await ledger.read({})).entries.map((entry) => entry.kind)
const countKeys = statement<{ keys: number }>("count", sql`SELECT count(*) AS keys FROM signing_key`)
const change = (text: string) =>
  engine.atomically([{ statement: statement("change", sql.raw(text)), values: {} }])

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "taskmint-keys-"))
  at = await testPlace(folder)
  await openRooms()
})
afterEach(async () => {
  await engine.close()
  await at.remove()
  rmSync(folder, { recursive: true, force: true })
})

describe("the keyring", () => {
  test.each(["ES256", "EdDSA"] as const)(
    "makes a first %s key, recorded, and has it after a restart",
    async (algorithm) => {
      const made = await openKeyring({ engine, ledger, keyEncryptionKey, algorithm, clock })
      expect(await kinds()).toEqual(["key.created", "key.activated"])
      await restart()
      const opened = await openKeyring({ engine, ledger, keyEncryptionKey, clock })
      expect(opened.current().kid).toBe(made.current().kid)
      expect(opened.jwks()).toEqual(made.jwks())
      const known = opened.keyOf(made.current().kid)
      const text = Buffer.from("signed before the restart")
      expect(known && verifySignature(known, text, await made.current().sign(text))).toBe(true)
      expect(await kinds()).toEqual(["key.created", "key.activated"])
    },
  )

  test("publishes public halves only", async () => {
    const { jwks } = await openKeyring({ engine, ledger, keyEncryptionKey, clock })
    expect(jwks().keys.map((key) => Object.keys(key).sort())).toEqual([
      ["alg", "crv", "kid", "kty", "use", "x", "y"],
    ])
  })

  test("two that begin at once have one key", async () => {
    const options = { engine, ledger, keyEncryptionKey, clock }
    const [one, other] = await Promise.all([openKeyring(options), openKeyring(options)])
    expect(one.current().kid).toBe(other.current().kid)
    expect(await engine.query(countKeys)).toEqual([{ keys: 1 }])
  })

  test("refuses another key-encryption key, and makes no keys beside those that don't open", async () => {
    await openKeyring({ engine, ledger, keyEncryptionKey, clock })
    const wrong = { engine, ledger, keyEncryptionKey: randomBytes(32), clock }
    await expect(openKeyring(wrong)).rejects.toThrow(KeysLocked)
    expect(await engine.query(countKeys)).toEqual([{ keys: 1 }])
    expect(await kinds()).toEqual(["key.created", "key.activated"])
  })

  test.each([
    ["cut short", "UPDATE signing_key SET wrapped = substr(wrapped, 1, 20)"],
    ["renamed", "UPDATE signing_key SET kid = 'another'"],
    ["inactive", "UPDATE signing_key SET state = 'retired'"],
  ])("refuses stored keys that were %s", async (_how, text) => {
    await openKeyring({ engine, ledger, keyEncryptionKey, clock })
    await change(text)
    await expect(openKeyring({ engine, ledger, keyEncryptionKey, clock })).rejects.toThrow(KeysLocked)
  })

  test("a public half put into the row by hand is never published", async () => {
    const made = await openKeyring({ engine, ledger, keyEncryptionKey, clock })
    await change(`UPDATE signing_key SET public_jwk = '{"kty":"EC","kid":"mine"}'`)
    const opened = await openKeyring({ engine, ledger, keyEncryptionKey, clock })
    expect(opened.jwks()).toEqual(made.jwks())
  })

  test("neither the private key nor the key-encryption key is in what is said about them", async () => {
    const keyring = await openKeyring({ engine, ledger, keyEncryptionKey, clock })
    const wrong = randomBytes(32)
    const error: unknown = await openKeyring({ engine, ledger, keyEncryptionKey: wrong, clock }).catch(
      (e: unknown) => e,
    )
    expect(String(error)).toContain(keyring.current().kid)
    expect(String(error)).not.toContain(wrong.toString("base64url"))
    expect(JSON.stringify(keyring.current())).not.toMatch(/"d"/)
  })
})
