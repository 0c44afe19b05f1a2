// Another key-encryption key while everything goes on, and keys that rest elsewhere.
import { randomBytes } from "node:crypto"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { watchHealth } from "../../src/issuer/health.ts"
import { PUBLISHED_AHEAD_SECONDS, ROTATE_EVERY_SECONDS } from "../../src/keys/due.ts"
import { KeysLocked } from "../../src/keys/held.ts"
import { openKeyring } from "../../src/keys/keyring.ts"
import { type Signer, SignerFailed } from "../../src/keys/signer.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(async () => {
  await world.close()
  world.remove()
})
const start = () => world.tasks.start("support-orchestrator", SUPPORT_START)
const restart = async (changes: { keyEncryptionKey?: Uint8Array; signers?: readonly Signer[] }) => {
  await world.close()
  const { folder, keyEncryptionKey, clock } = world
  world = await createWorld({ folder, keyEncryptionKey, clock, ...changes })
}
const ahead = () => world.clock.advance(PUBLISHED_AHEAD_SECONDS * 1000)

describe("another key-encryption key", () => {
  test("takes over while tokens are minted, is needed at the next start, and the old one opens nothing", async () => {
    const fresh = randomBytes(32)
    await world.rotation.rotate("operations")
    const minting = Array.from({ length: 20 }, () => start())
    expect(await world.keyring.rewrap("operations", world.keyEncryptionKey, fresh)).toBe(2)
    for (const one of await Promise.all(minting)) expect(one).not.toBeInstanceOf(Refusal)
    // What is made from now on rests under the new one.
    ahead()
    await world.rotation.tick()
    await world.rotation.rotate("operations")
    const kids = world.keyring.jwks()
    const { engine, ledger, clock, keyEncryptionKey } = world
    await expect(openKeyring({ engine, ledger, clock, keyEncryptionKey })).rejects.toThrow(KeysLocked)
    await restart({ keyEncryptionKey: fresh })
    expect(world.keyring.jwks()).toEqual(kids)
    expect(await start()).not.toBeInstanceOf(Refusal)
    expect((await world.ledger.read({ kind: "key.rewrapped" })).entries).toHaveLength(1)
  })

  test("given with a wrong old one changes nothing", async () => {
    expect(await world.keyring.rewrap("operations", randomBytes(32), randomBytes(32))).toBeUndefined()
    await restart({})
    expect(await start()).not.toBeInstanceOf(Refusal)
  })

  test("leaves another process signing, which says that it needs the new one", async () => {
    const other = await openKeyring(world)
    const health = watchHealth({
      ...world,
      keyring: other,
      unready: () => undefined,
      verifierSilent: () => false,
      providerAway: () => false,
      webhookLate: () => false,
      archiveAway: () => false,
    })
    expect(await health.ready()).toEqual([])
    await world.keyring.rewrap("operations", world.keyEncryptionKey, randomBytes(32))
    await expect(other.refresh()).rejects.toThrow(
      /does not open with this key-encryption key.*`keys rewrap` gave it last/,
    )
    expect(await health.ready()).toEqual(["key_encryption_key_replaced"])
    expect(other.current().kid).toBe(world.keyring.current().kid)
  })

  test("in another process that knows only the old one, no key is made that the new one would not open", async () => {
    const other = await openKeyring(world)
    const { createRotation } = await import("../../src/keys/rotation.ts")
    await world.keyring.rewrap("operations", world.keyEncryptionKey, randomBytes(32))
    await expect(createRotation({ ...world, keyring: other }).rotate("operations")).rejects.toThrow(
      KeysLocked,
    )
    expect(await world.rotation.list()).toHaveLength(1)
  })
})

/** A key of another process, as a KMS is one. */
function elsewhere(alg: "ES256" | "EdDSA" = "ES256") {
  const key = importSigningKey(generatePrivateJwk(alg))
  const signer = { publicJwk: key.publicJwk, sign: vi.fn(async (input: Uint8Array) => key.sign(input)) }
  return { kid: key.thumbprint, signer }
}

describe("keys that rest elsewhere", () => {
  test.each(["ES256", "EdDSA"] as const)(
    "sign in their order, %s, and nothing secret is stored",
    async (alg) => {
      const [one, two] = [elsewhere(alg), elsewhere()]
      await restart({ signers: [one.signer, two.signer] })
      for (const { kid } of [one, two]) {
        expect(await world.rotation.rotate("operations")).toMatchObject({ result: "published" })
        ahead()
        await world.rotation.tick()
        expect(world.keyring.current().kid).toBe(kid)
        expect(await start()).not.toBeInstanceOf(Refusal)
      }
      expect(await world.rotation.rotate("operations")).toMatchObject({ code: "key_signer_missing" })
    },
  )

  test("are needed at every start while they sign", async () => {
    const one = elsewhere()
    await restart({ signers: [one.signer] })
    await world.rotation.rotate("operations")
    ahead()
    await world.rotation.tick()
    const { engine, ledger, clock, keyEncryptionKey } = world
    await expect(openKeyring({ engine, ledger, clock, keyEncryptionKey })).rejects.toThrow(/rests elsewhere/)
  })

  test("sign no sooner than their signer is given: until then the one before goes on", async () => {
    const one = elsewhere()
    await restart({ signers: [one.signer] })
    await world.rotation.rotate("operations")
    await restart({ signers: [] })
    ahead()
    await world.rotation.tick()
    expect((await world.rotation.list()).map(({ state }) => state).sort()).toEqual(["current", "next"])
    expect(await start()).not.toBeInstanceOf(Refusal)
    await restart({ signers: [one.signer] })
    ahead()
    await world.rotation.tick()
    expect(world.keyring.current().kid).toBe(one.kid)
  })

  test("are asked for before a schedule needs the next one, until it is there", async () => {
    const [one, two] = [elsewhere(), elsewhere()]
    await restart({ signers: [one.signer] })
    const health = () =>
      watchHealth({
        ...world,
        unready: () => undefined,
        verifierSilent: () => false,
        providerAway: () => false,
        webhookLate: () => false,
        archiveAway: () => false,
      }).ready()
    await world.rotation.rotate("operations")
    ahead()
    await world.rotation.tick()
    expect(await health()).toEqual([])
    world.clock.advance(ROTATE_EVERY_SECONDS * 1000)
    await world.rotation.tick()
    expect(await health()).toEqual(["key_signer_missing"])
    expect(await start()).not.toBeInstanceOf(Refusal)
    await restart({ signers: [one.signer, two.signer] })
    await world.rotation.tick()
    expect([await health(), await world.rotation.list()]).toEqual([
      [],
      expect.objectContaining({ length: 3 }),
    ])
  })

  test("I26 a signature that fails, hangs or is another key's leaves token.unsigned, and no token", async () => {
    const one = elsewhere()
    await restart({ signers: [one.signer] })
    await world.rotation.rotate("operations")
    ahead()
    await world.rotation.tick()
    const other = elsewhere().signer
    const faults: (() => Promise<Uint8Array>)[] = [
      () => Promise.reject(new Error("secret words of the KMS")),
      () => new Promise(() => undefined),
      () => other.sign(Buffer.from("x")),
    ]
    for (const fault of faults) {
      one.signer.sign.mockImplementationOnce(fault)
      expect(await start()).toMatchObject({
        code: "temporarily_unavailable",
        reason: "[signature] SignerFailed",
      })
    }
    expect((await world.ledger.read({ kind: "token.unsigned" })).entries).toHaveLength(3)
    expect(await start()).not.toBeInstanceOf(Refusal)
  })

  test.each([
    [
      "does not sign with the key it names",
      { ...elsewhere().signer, publicJwk: elsewhere().signer.publicJwk },
      SignerFailed,
    ],
    ["names no key of ours", { ...elsewhere().signer, publicJwk: { kty: "RSA" } }, TypeError],
  ])("that %s stops the start", async (_what, signer, error) => {
    await expect(openKeyring({ ...world, signers: [signer] })).rejects.toThrow(error)
  })
})
