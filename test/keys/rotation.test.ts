// One signing key after another, walked through its life by a clock that the test moves, on a real database.
import { sql } from "drizzle-orm"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { statement } from "../../src/database/database.ts"
import { Refusal } from "../../src/errors.ts"
import { COOLDOWN_SECONDS, KEY_SET_SECONDS, PUBLISHED_AHEAD_SECONDS } from "../../src/keys/due.ts"
import { openKeyring } from "../../src/keys/keyring.ts"
import { createRotation } from "../../src/keys/rotation.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

const SECOND = 1000
const MINUTE = 60 * SECOND
const DAY = 86_400 * SECOND
const ORCHESTRATOR = "support-orchestrator"

let world: World
beforeEach(async () => {
  world = await createWorld()
  world.clock.advance(SECOND) // keys are shown by their age
})
afterEach(async () => {
  await world.close()
  world.remove()
})

const start = async (): Promise<string> => {
  const started = await world.tasks.start(ORCHESTRATOR, SUPPORT_START)
  if (started instanceof Refusal) throw new Error(started.reason)
  return started.tokens[0]?.accessToken ?? ""
}
const kidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).kid
const opens = (token: string): boolean => "token" in openTaskToken(token, world.keyring.keyOf)
const published = () => world.keyring.jwks().keys.map(({ kid }) => kid)
const states = async () => (await world.rotation.list()).map(({ state }) => state)
const pass = async (milliseconds: number) => {
  world.clock.advance(milliseconds)
  await world.rotation.tick()
}
const rotate = async () => {
  const rotated = await world.rotation.rotate("operations")
  if (rotated instanceof Refusal) throw new Error(rotated.reason)
  return rotated.result
}
const keyEntries = async () =>
  (await world.ledger.read({ limit: 1000 })).entries.filter(
    ({ kind, body }) => kind.startsWith("key.") && body?.use !== "ledger",
  )

/** Of which keys one is kept. */
const privateHalves = async () => {
  const kept = statement<{ kid: string }>("kept", sql`SELECT kid FROM signing_key WHERE length(wrapped) > 0`)
  return (await world.engine.query(kept)).map(({ kid }) => kid)
}

describe("on schedule", () => {
  test("the next key is published before it signs, the previous one stays while what it signed lives, then goes", async () => {
    const first = world.keyring.current().kid
    await pass(30 * DAY - PUBLISHED_AHEAD_SECONDS * SECOND - 2 * SECOND)
    expect(await states()).toEqual(["current"])
    await pass(SECOND)
    expect(await states()).toEqual(["next", "current"])
    const [, second = ""] = published()
    expect([first, second].map((kid) => world.keyring.signing(kid)?.kid)).toEqual([first, undefined])
    await pass(PUBLISHED_AHEAD_SECONDS * SECOND - SECOND)
    const last = await start()
    expect(kidOf(last)).toBe(first)
    await pass(SECOND)
    expect(await states()).toEqual(["current", "previous"])
    expect(kidOf(await start())).toBe(second)
    // The token lives ten minutes; a task type may let one that ran out be renewed for half an hour.
    await pass(40 * MINUTE)
    expect([opens(last), published()]).toEqual([true, [first, second]])
    await pass(2 * MINUTE)
    expect([opens(last), published()]).toEqual([false, [second]])
    expect(await states()).toEqual(["current", "retired"])
    expect(await privateHalves(), "the retired one's is gone").toEqual([second])
    expect((await keyEntries()).map(({ kind, body }) => [kind, body?.kid])).toEqual([
      ["key.created", first],
      ["key.activated", first],
      ["key.created", second],
      ["key.activated", second],
      ["key.retired", first],
    ])
  })

  test("readers that keep key sets as long as they may, and then rest, know a key before it signs", () => {
    expect(PUBLISHED_AHEAD_SECONDS).toBeGreaterThanOrEqual(KEY_SET_SECONDS + COOLDOWN_SECONDS)
    expect(PUBLISHED_AHEAD_SECONDS).toBeGreaterThanOrEqual(630)
  })

  test("a clock that is set forward, or a night without an issuer, does not count as published", async () => {
    expect(await rotate()).toBe("published")
    world.clock.step(DAY)
    await pass((KEY_SET_SECONDS + COOLDOWN_SECONDS - 1) * SECOND)
    expect([await states(), await rotate()]).toEqual([["next", "current"], "waiting"])
    await pass(SECOND)
    expect(await states()).toEqual(["current", "previous"])
    expect(await rotate()).toBe("published")
    await world.close()
    world.clock.advance(DAY)
    world = await createWorld({
      folder: world.folder,
      keyEncryptionKey: world.keyEncryptionKey,
      clock: world.clock,
    })
    await world.rotation.tick()
    expect((await states()).slice(0, 2)).toEqual(["next", "current"])
    await pass((KEY_SET_SECONDS + COOLDOWN_SECONDS) * SECOND)
    expect((await states()).slice(0, 2)).toEqual(["current", "previous"])
  })

  test("keys that would follow each other faster than that are misuse", () => {
    expect(() => createRotation({ ...world, everySeconds: 3599 })).toThrow(TypeError)
  })
})

describe("by an operator", () => {
  test("it is begun once, and signs when everybody knows it", async () => {
    expect([await rotate(), await rotate()]).toEqual(["published", "waiting"])
    world.clock.advance(PUBLISHED_AHEAD_SECONDS * SECOND)
    expect([await rotate(), await states()]).toEqual(["activated", ["current", "previous"]])
  })

  test("of many that ask at once, in two processes, one publishes and one activates", async () => {
    const other = await openKeyring(world)
    const rotations = [world.rotation, createRotation({ ...world, keyring: other })]
    const ask = async () => {
      const asked = Array.from({ length: 20 }, (_, index) => rotations[index % 2]?.rotate("operations"))
      return (await Promise.all(asked)).map((one) => (one instanceof Refusal ? one.code : one?.result))
    }
    expect((await ask()).filter((one) => one !== "waiting")).toEqual(["published"])
    expect(await states()).toEqual(["next", "current"])
    await Promise.all(rotations.map((one) => one.tick()))
    world.clock.advance(PUBLISHED_AHEAD_SECONDS * SECOND)
    const results = await ask()
    expect(results.filter((one) => one === "activated")).toHaveLength(1)
    expect((await keyEntries()).filter(({ kind }) => kind === "key.activated")).toHaveLength(2)
    expect((await states()).filter((one) => one === "current")).toHaveLength(1)
  })

  test("a mint that was planned before and written after is decided again: its row names the key that signs it", async () => {
    await rotate()
    world.clock.advance(PUBLISHED_AHEAD_SECONDS * SECOND)
    const racing = Array.from({ length: 40 }, () => start())
    const [tokens] = await Promise.all([Promise.all(racing), rotate()])
    const { entries } = await world.ledger.read({ kind: "token.issued", limit: 1000 })
    const recorded = new Map(entries.map(({ jti, body }) => [jti, body?.kid]))
    for (const token of tokens) {
      const opened = openTaskToken(token, world.keyring.keyOf)
      if (!("token" in opened)) throw new Error(opened.tag)
      expect(recorded.get(opened.token.jti)).toBe(opened.kid)
    }
    // Committed after the new key signs, none is by the old one.
    const { seq = 0 } = (await keyEntries()).findLast(({ kind }) => kind === "key.activated") ?? {}
    const late = entries.filter((entry) => entry.seq > seq)
    expect(late.every(({ body }) => body?.kid === world.keyring.current().kid)).toBe(true)
  })

  test("the same start again is signed by the key that it was recorded with", async () => {
    const request = { ...SUPPORT_START, reference: "run-1" }
    const again = async () => {
      const started = await world.tasks.start(ORCHESTRATOR, request)
      return started instanceof Refusal ? started.code : kidOf(started.tokens[0]?.accessToken ?? "")
    }
    await rotate()
    world.clock.advance(PUBLISHED_AHEAD_SECONDS * SECOND - SECOND)
    const before = await again()
    await pass(SECOND)
    expect(world.keyring.current().kid).not.toBe(before)
    expect(await again()).toBe(before)
  })

  test("another process that has not looked yet mints with the new key all the same", async () => {
    await rotate()
    const other = await openKeyring(world)
    world.clock.advance(PUBLISHED_AHEAD_SECONDS * SECOND)
    const stale = { ...world, keyring: other }
    const { createTasks } = await import("../../src/task/task.ts")
    const tasks = createTasks(stale)
    await rotate()
    const started = await tasks.start(ORCHESTRATOR, SUPPORT_START)
    if (started instanceof Refusal) throw new Error(started.reason)
    expect(kidOf(started.tokens[0]?.accessToken ?? "")).toBe(world.keyring.current().kid)
  })
})

describe("in an emergency", () => {
  const revoke = async () => {
    const { kid } = world.keyring.current()
    const set = await world.revocations.revoke("operations", { kind: "key", value: kid, reason: "leaked" })
    if (set instanceof Refusal) throw new Error(set.reason)
    return { kid, set }
  }

  test("what the key signed ends, the key goes, a fresh one signs at once, and every API is told its thumbprint", async () => {
    const token = await start()
    const { kid, set } = await revoke()
    expect([opens(token), published().includes(kid), set.tokensEnded]).toEqual([false, false, 1])
    const successor = kidOf(await start())
    expect(successor).not.toBe(kid)
    const { before } = set
    for (const api of ["tickets", "deployments"])
      expect((await world.revocations.feed(api, 0, 10)).items).toMatchObject([
        { kind: "key", value: kid, successor, before, until: before },
      ])
    expect(before * 1000).toBeGreaterThan(world.clock.now() + 3600 * SECOND)
    expect((await keyEntries()).slice(2).map((entry) => [entry.kind, entry.body?.kid])).toEqual([
      ["key.retired", kid],
      ["key.created", successor],
      ["key.activated", successor],
    ])
  })

  test("a key that is published already signs, however short that was", async () => {
    await rotate()
    const [, next] = published()
    await revoke()
    expect([world.keyring.current().kid, published()]).toEqual([next, [next]])
  })

  test("a key that signs no more, or not yet, goes alone, and the one that signs stays", async () => {
    const first = world.keyring.current().kid
    const token = await start()
    await rotate()
    await pass(PUBLISHED_AHEAD_SECONDS * SECOND)
    await rotate()
    const [, current, next] = published()
    for (const kid of [first, next ?? ""])
      await world.revocations.revoke("operations", { kind: "key", value: kid, reason: "leaked" })
    expect([published(), opens(token), kidOf(await start())]).toEqual([[current], false, current])
    expect(await states()).toEqual(["retired", "current", "retired"])
  })

  test("two orders at once replace the key once", async () => {
    const { kid } = world.keyring.current()
    const order = { kind: "key", value: kid, reason: "leaked" } as const
    await Promise.all([order, order].map((one) => world.revocations.revoke("operations", one)))
    expect(await states()).toEqual(["current", "retired"])
  })

  test("starts that race it get tokens by the new key, or tokens that ended with the old one", async () => {
    const { kid } = world.keyring.current()
    const racing = Array.from({ length: 40 }, () => world.tasks.start(ORCHESTRATOR, SUPPORT_START))
    const [started] = await Promise.all([Promise.all(racing), revoke()])
    const tokens = started.flatMap((one) => (one instanceof Refusal ? [] : one.tokens))
    const { items } = await world.revocations.feed("tickets", 0, 10)
    expect(items[0]?.value).toBe(kid)
    for (const { accessToken } of tokens) expect(opens(accessToken)).toBe(kidOf(accessToken) !== kid)
    expect(opens(await start())).toBe(true)
  })
})
