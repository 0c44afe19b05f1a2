// What happens between the plan of a change of keys and its commit, and keys that lie in other keys' rows.
import { randomBytes } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { sql } from "drizzle-orm"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { statement, Unexpected } from "../../src/database/database.ts"
import { Refusal } from "../../src/errors.ts"
import { PUBLISHED_AHEAD_SECONDS } from "../../src/keys/due.ts"
import { KeysLocked } from "../../src/keys/held.ts"
import { openKeyring } from "../../src/keys/keyring.ts"
import { openLedgerKeys } from "../../src/keys/ledger-key.ts"
import { createRotation } from "../../src/keys/rotation.ts"
import { createWrapping } from "../../src/keys/wrapping.ts"
import { createPolicyStore } from "../../src/policy/in-force.ts"
import { createRevocations } from "../../src/task/revocation.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { engineBefore } from "../support/crew-world.ts"
import { createFolders } from "../support/folder.ts"
import { textOf } from "../support/policies.ts"
import { createWorld, SUPPORT_START, type World, writePolicies } from "../support/world.ts"

let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(async () => {
  await world.leave()
})

const newFolder = createFolders()
const BILLING = `{ resource: "https://billing.internal.example", owner: a@example.com, authenticate: [{ private_key_jwt: { jwks: keys/tickets.jwks.json } }], operations: { billing:read: { risk: low } } }`

const fresh = randomBytes(32)
const rewrap = () => world.keyring.rewrap("operations", world.keyEncryptionKey, fresh)
const states = () =>
  world.keyring
    .standing()
    .map(({ state }) => state)
    .sort()
async function reopen(keyEncryptionKey: Uint8Array): Promise<void> {
  const { folder, clock } = world
  await world.close()
  world = await createWorld({ folder, clock, keyEncryptionKey })
  expect(await world.tasks.start("support-orchestrator", SUPPORT_START)).not.toBeInstanceOf(Refusal)
}

describe("another key-encryption key that comes", () => {
  test("before the next key is published: none is stored that it would not open", async () => {
    const rotation = createRotation({ ...world, engine: engineBefore(world, rewrap) })
    await rotation.rotate("operations")
    expect(states()).toEqual(["current"])
    expect(await rotation.rotate("operations")).toMatchObject({ result: "published" })
    await reopen(fresh)
    expect(states()).toEqual(["current", "next"])
  })

  test("before a key is revoked: the one that follows opens with it", async () => {
    const { kid } = world.keyring.current()
    const revocations = createRevocations({ ...world, engine: engineBefore(world, rewrap) })
    const order = { kind: "key", value: kid, reason: "leaked" } as const
    expect(await revocations.revoke("operations", order)).not.toBeInstanceOf(Refusal)
    await reopen(fresh)
    expect(world.keyring.current().kid).not.toBe(kid)
  })

  test("and goes leaves another process locked out no longer than it was there", async () => {
    const other = await openKeyring(world)
    await rewrap()
    await expect(other.refresh()).rejects.toThrow(KeysLocked)
    expect(other.isLocked()).toBe(true)
    await world.keyring.rewrap("operations", fresh, world.keyEncryptionKey)
    await other.refresh()
    expect(other.isLocked()).toBe(false)
  })

  test("while a key is published delays it by nothing", async () => {
    await world.rotation.rotate("operations")
    world.clock.advance((PUBLISHED_AHEAD_SECONDS - 60) * 1000)
    expect(await rewrap()).toBe(2)
    world.clock.advance(60_000)
    await world.rotation.tick()
    expect(states()).toEqual(["current", "previous"])
  })

  test.each<[string, () => Promise<unknown>]>([
    ["signing key", () => world.rotation.rotate("operations")],
    ["key of the ledger", () => world.ledgerKeys.rotate("operations")],
  ])(
    "is not taken where another process makes a %s at that moment: it would not open",
    async (_what, make) => {
      const keyring = await openKeyring({ ...world, engine: engineBefore(world, make) })
      const taken = keyring.rewrap("operations", world.keyEncryptionKey, fresh)
      await expect(taken).rejects.toThrow(Unexpected)
      const sealed = keyring.wrapping.seal(Buffer.from("secret"), "name", "purpose")
      expect(createWrapping(world.keyEncryptionKey).open(sealed, "name", "purpose")).toBeDefined()
      await reopen(world.keyEncryptionKey)
      expect(await rewrap()).toBe(states().length)
      await reopen(fresh)
    },
  )
})

test("an API of a policy that comes before a key is revoked is told of it, too", async () => {
  const folder = join(newFolder(), "policies")
  writePolicies(folder)
  const more = textOf("support.yaml").replace("apis:\n", `apis:\n  billing: ${BILLING}\n`)
  writeFileSync(join(folder, "support.yaml"), more)
  const elsewhere = () => createPolicyStore({ ...world, folder, dev: true })
  const revocations = createRevocations({ ...world, engine: engineBefore(world, elsewhere) })
  const { kid } = world.keyring.current()
  const order = { kind: "key", value: kid, reason: "leaked" } as const
  expect(await revocations.revoke("operations", order)).not.toBeInstanceOf(Refusal)
  const { items } = await world.revocations.feed("billing", 0, 10)
  expect(items).toMatchObject([{ kind: "key", value: kid }])
})

test("a key of the ledger that has not handed over yet is followed by no third one", async () => {
  const rotate = async () => (await world.ledgerKeys.rotate("operations")) !== undefined
  expect([await rotate(), await rotate()]).toEqual([true, false])
  await world.sequence.advance()
  expect(await rotate()).toBe(true)
})

describe("another key in a key's row, sealed by whoever has the key-encryption key, is not taken for it", () => {
  const other = generatePrivateJwk("ES256")
  const { publicJwk } = importSigningKey(other)
  const put = async (table: string, name: string, purpose: string, jwk: object) => {
    const wrapped = world.keyring.wrapping.seal(Buffer.from(JSON.stringify(jwk)), name, purpose)
    const change = sql`UPDATE ${sql.identifier(table)} SET wrapped = ${sql.placeholder("wrapped")}`
    await world.engine.atomically([{ statement: statement("put", change), values: { wrapped }, rows: 1 }])
  }

  test.each<[string, (kid: string) => object]>([
    ["a private one", () => other],
    ["a private one that says it were", (kid) => ({ ...other, kid })],
    ["a public one", () => publicJwk],
    ["a public one that says it were", (kid) => ({ ...publicJwk, kid })],
  ])("%s", async (_what, make) => {
    const { kid } = world.keyring.current()
    await put("signing_key", kid, "signing-key", make(kid))
    await expect(openKeyring(world)).rejects.toThrow(/is not the key that its id names/)
  })

  test("H19 of the ledger", async () => {
    await put("ledger_key", world.ledgerKeys.current(), "ledger-key", generatePrivateJwk("EdDSA"))
    const { wrapping } = world.keyring
    const opened = openLedgerKeys({ ...world, wrapping, name: world.sequence.origin })
    await expect(opened).rejects.toThrow(/is not the one that its row names/)
  })
})
