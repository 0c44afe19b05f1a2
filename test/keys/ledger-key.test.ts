// The ledger's key: its own, encrypted at rest, handed over by a checkpoint that both keys sign.
import { randomBytes } from "node:crypto"
import { sql } from "drizzle-orm"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { statement } from "../../src/database/database.ts"
import { KeysLocked } from "../../src/keys/held.ts"
import { openKeyring } from "../../src/keys/keyring.ts"
import { openLedgerKeys } from "../../src/keys/ledger-key.ts"
import { NoCheckpoint, noteVerifier, openCheckpoint } from "../../src/ledger/checkpoint.ts"
import { verifyLedger } from "../../src/ledger/verify.ts"
import { databaseSource } from "../../src/ledger/verify-database.ts"
import { generatePrivateJwk, importSigningKey, publicHalf } from "../../src/token/signature.ts"
import { createWorld, type World } from "../support/world.ts"

let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(async () => {
  await world.leave()
})

const stored = statement<{ vkey: string; state: string; wrapped: Uint8Array }>(
  "stored",
  sql`SELECT vkey, state, wrapped FROM ledger_key ORDER BY created_at, state DESC`,
)
const noting = () => world.ledger.append([{ kind: "access.read", at: world.ledger.at(), body: {} }])
async function nextNote(): Promise<string> {
  await noting()
  await world.sequence.advance()
  return (await world.sequence.newest())?.note ?? ""
}
const opens = (note: string, keys: Parameters<typeof openCheckpoint>[2]) =>
  !(openCheckpoint(note, world.sequence.origin, keys) instanceof NoCheckpoint)
const reopen = async (keyEncryptionKey: Uint8Array) => {
  const { folder, clock } = world
  await world.close()
  world = await createWorld({ folder, clock, keyEncryptionKey })
}

describe("H19: the ledger's key", () => {
  test("is its own, Ed25519, and named by the entry that tells of it", async () => {
    const [key] = await world.ledgerKeys.verifiers()
    const { entries } = await world.ledger.read({ kind: "key.created" })
    expect(entries.map(({ body }) => body?.vkey).filter((one) => one !== undefined)).toEqual([key?.vkey])
    expect(world.keyring.keyOf(key?.key.kid ?? "")).toBeUndefined()
    expect(world.ledgerKeys.current()).toBe(key?.vkey)
  })

  test("hands over with one checkpoint of both, and then is gone", async () => {
    const before = await nextNote()
    const [old] = await world.ledgerKeys.verifiers()
    const fresh = await world.ledgerKeys.rotate("operations")
    if (!old || !fresh) throw new Error("no key")
    expect(await world.ledgerKeys.rotate("operations")).toBeUndefined()
    const both = await nextNote()
    const after = await nextNote()
    expect([before, both, after].map((note) => [opens(note, [old]), opens(note, [fresh])])).toEqual([
      [true, false],
      [true, true],
      [false, true],
    ])
    const [first] = await world.engine.query(stored)
    expect([first?.vkey, first?.state, first?.wrapped.length]).toEqual([old.vkey, "retired", 0])
    expect(opens(before, await world.ledgerKeys.verifiers())).toBe(true)
    expect(await world.ledgerKeys.rotate("operations")).toBeDefined()
  })

  test("that left is enough to verify what its successors signed, and no other is", async () => {
    await nextNote()
    const [old] = await world.ledgerKeys.verifiers()
    for (let times = 0; times < 2; times++) {
      await world.ledgerKeys.rotate("operations")
      await nextNote()
      await nextNote()
    }
    const verify = async (key: string) => verifyLedger({ source: await databaseSource(world.engine), key })
    expect(await verify(old?.vkey ?? "")).toMatchObject({ verdict: "verified", checkpoints: 5 })
    expect(await verify(world.ledgerKeys.current())).toMatchObject({ verdict: "verified", checkpoints: 2 })
    const stranger = noteVerifier(
      world.sequence.origin,
      publicHalf(importSigningKey(generatePrivateJwk("EdDSA"))),
    )
    expect(await verify(stranger.vkey)).toEqual({ verdict: "broken", how: "checkpoint_unsigned" })
  })

  test("of another issuer's rotation signs here too", async () => {
    await nextNote()
    const other = await openLedgerKeys({
      ...world,
      wrapping: world.keyring.wrapping,
      name: world.sequence.origin,
    })
    const fresh = await other.rotate("operations")
    await nextNote()
    expect(opens(await nextNote(), fresh ? [fresh] : [])).toBe(true)
    expect(world.ledgerKeys.current()).toBe(fresh?.vkey)
  })

  test("is the same after a restart, and needs the key-encryption key", async () => {
    const { keyEncryptionKey, engine, ledger, clock } = world
    const before = await world.ledgerKeys.verifiers()
    const keyring = { ...world.keyring.wrapping, open: () => undefined }
    const wrong = openLedgerKeys({ engine, ledger, clock, wrapping: keyring, name: world.sequence.origin })
    await expect(wrong).rejects.toThrow(KeysLocked)
    await reopen(keyEncryptionKey)
    expect(await world.ledgerKeys.verifiers()).toEqual(before)
  })

  test("takes the new key-encryption key with all others", async () => {
    const fresh = randomBytes(32)
    await world.ledgerKeys.rotate("operations") // one that leaves is still needed
    const { engine, ledger, clock, keyEncryptionKey } = world
    const stale = await openKeyring(world)
    const staleKeys = await openLedgerKeys({
      engine,
      ledger,
      clock,
      wrapping: stale.wrapping,
      name: "taskmint.internal",
    })
    await world.keyring.rewrap("operations", keyEncryptionKey, fresh)
    await expect(openKeyring(world)).rejects.toThrow(KeysLocked)
    await nextNote()
    // Who only knows the old one makes no key that the new one would not open.
    await expect(staleKeys.rotate("operations")).rejects.toThrow(KeysLocked)
    await reopen(fresh)
    expect(opens(await nextNote(), await world.ledgerKeys.verifiers())).toBe(true)
  })

  test("that a row of another key was put in place of does not open", async () => {
    const { wrapping } = world.keyring
    const [row] = await world.engine.query(stored)
    const swap = statement("swap", sql`UPDATE ledger_key SET wrapped = ${sql.placeholder("wrapped")}`)
    const wrapped = wrapping.seal(Buffer.from("{}"), `${row?.vkey}x`, "ledger-key")
    await world.engine.atomically([{ statement: swap, values: { wrapped }, rows: 1 }])
    const again = openLedgerKeys({ ...world, wrapping, name: world.sequence.origin })
    await expect(again).rejects.toThrow(KeysLocked)
  })
})
