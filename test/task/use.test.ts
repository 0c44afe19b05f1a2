import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import type { Taken } from "../../src/task/use.ts"
import { toInstant } from "../../src/time.ts"
import { batchDigest, type UseBatch, type UseRecord } from "../../src/token/batch.ts"
import { newId, newUuid } from "../../src/token/id.ts"
import { generatePrivateJwk, importSigningKey, readPublicJwk } from "../../src/token/signature.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import { signBatch, useBatch, useRecord } from "../support/batch.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

let world: World
let task: { id: string; jti: string }
const signingKey = importSigningKey(generatePrivateJwk("ES256"))
const instance = newUuid()

beforeEach(async () => {
  world = await createWorld()
  const started = await world.tasks.start("support-orchestrator", { ...SUPPORT_START, reference: "run-7" })
  if (started instanceof Refusal) throw new Error(started.reason)
  const opened = openTaskToken(started.tokens[0]?.accessToken ?? "", (kid) => world.keyring.keyOf(kid))
  task = { id: started.taskId, jti: "token" in opened ? opened.token.jti : "" }
})

afterEach(async () => {
  await world.leave()
})

const use = (change: Partial<UseRecord> = {}): UseRecord =>
  useRecord(world.clock.now(), {
    at: toInstant(world.clock.now() - 400),
    task: task.id,
    jti: task.jti,
    method: "GET",
    route: "/tickets/:id",
    status: 200,
    duration_ms: 3,
    ...change,
  })

const batch = (change: Partial<UseBatch> = {}, key = signingKey): string => {
  const now = world.clock.now()
  return signBatch(useBatch(now, { instance, applied_at: toInstant(now), uses: [use()], ...change }), key)
}

function take(text: string, api = "tickets"): Promise<Taken | Refusal> {
  const key = readPublicJwk(signingKey.publicJwk)
  if (!("thumbprint" in key)) throw new Error("not a key")
  return world.uses.take({ api, key }, text)
}

const count = async (
  kind: "use.allowed" | "use.refused" | "verifier.joined" | "verifier.gap" | "alarm.raised",
) => (await world.ledger.read({ kind, limit: 1000 })).entries.length

describe("a batch of uses", () => {
  test("becomes one entry for each use, against its task", async () => {
    const refused = use({
      decision: "refused",
      code: "operation_not_granted",
      operation: "tickets:close",
      status: 403,
    })
    expect(await take(batch({ uses: [use(), refused] }))).toEqual({ acknowledged: 1 })
    const { entries } = await world.ledger.read({ task: task.id })
    expect(entries.slice(2)).toMatchObject([
      {
        kind: "use.allowed",
        jti: task.jti,
        agent: "triage-bot",
        instance: "pod-1",
        orchestrator: "support-orchestrator",
        api: "tickets",
        operation: "tickets:read",
        resource: "tickets/SUP-1042",
        reference: "run-7",
        outcome: "allowed",
        body: { verifier: instance, sequence: 1, status: 200, method: "GET" },
      },
      { kind: "use.refused", outcome: "refused", code: "operation_not_granted" },
    ])
    expect(await count("verifier.joined")).toBe(1)
  })

  test("that observe mode let through is an entry of its own kind, with the code it would have had", async () => {
    const observed = use({
      decision: "observed",
      code: "resource_not_granted",
      resource: ["tickets", "SUP-9"],
    })
    expect(await take(batch({ uses: [observed] }))).toEqual({ acknowledged: 1 })
    const { entries } = await world.ledger.read({ kind: "use.observed", limit: 10 })
    expect(entries).toMatchObject([
      { task_id: task.id, outcome: "allowed", code: "resource_not_granted", resource: "tickets/SUP-9" },
    ])
  })

  test("sent again is acknowledged again and recorded once, also when sent at the same time", async () => {
    const text = batch()
    const answers = await Promise.all(Array.from({ length: 10 }, () => take(text)))
    expect(answers).toEqual(Array.from({ length: 10 }, () => ({ acknowledged: 1 })))
    expect(await take(text)).toEqual({ acknowledged: 1 })
    expect(await count("use.allowed")).toBe(1)
  })

  test("of an older number is still recognised after others followed", async () => {
    const first = batch()
    const second = batch({ sequence: 2, previous: batchDigest(first) })
    expect(await take(first)).toEqual({ acknowledged: 1 })
    expect(await take(second)).toEqual({ acknowledged: 2 })
    expect(await take(first)).toEqual({ acknowledged: 2 })
    expect(await count("use.allowed")).toBe(2)
  })

  test("with other uses under a known number is a conflict and an alarm, once, and adds nothing", async () => {
    await take(batch())
    const other = batch({ uses: [use(), use()] })
    for (let index = 0; index < 3; index++)
      expect(await take(other)).toMatchObject({ code: "batch_conflict" })
    expect(await count("use.allowed")).toBe(1)
    expect(await count("alarm.raised")).toBe(1)
    world.clock.advance(60_000)
    await take(other)
    expect(await count("alarm.raised")).toBe(2)
  })

  test("without uses is a heartbeat: it moves the cursor and adds no entry", async () => {
    const first = batch()
    await take(first)
    const before = (await world.ledger.read({ limit: 1000 })).entries.length
    expect(await take(batch({ sequence: 2, previous: batchDigest(first), uses: [], cursor: 9 }))).toEqual({
      acknowledged: 2,
    })
    expect((await world.ledger.read({ limit: 1000 })).entries).toHaveLength(before)
  })

  test.each([
    ["for another issuer", () => batch({ aud: "https://other.example" })],
    [
      "that speaks for another API",
      () => batch({ uses: [use({ api: "https://deployments.internal.example" })] }),
    ],
    ["by another caller", () => batch({ iss: "deployments" })],
    ["with a broken signature", () => batch().slice(0, -8).concat("AAAAAAAA")],
    ["that is no JWT", () => "junk"],
  ])("%s is refused and adds nothing", async (_name, text) => {
    expect(await take(text())).toMatchObject({ code: "batch_invalid" })
    expect(await count("verifier.joined")).toBe(0)
  })

  test("by an address that the API had before the policy changed is taken, and the address written down", async () => {
    const old = "https://old-tickets.internal.example"
    expect(await take(batch({ uses: [use(), use({ api: old })] }))).toEqual({ acknowledged: 1 })
    const { entries } = await world.ledger.read({ kind: "use.allowed" })
    expect(entries.map(({ api, body }) => [api, body?.served_as])).toEqual([
      ["tickets", undefined],
      ["tickets", old],
    ])
  })

  test("an instance is not taken over by another API", async () => {
    await take(batch())
    const stolen = batch({ iss: "deployments", sequence: 2, uses: [] })
    expect(await take(stolen, "deployments")).toMatchObject({ code: "batch_conflict" })
  })

  test("of a token nobody knows is written down against the task it names, or none", async () => {
    const unknown = use({ task: newId("task"), jti: newId("tok") })
    expect(await take(batch({ uses: [unknown] }))).toEqual({ acknowledged: 1 })
    expect(await count("use.allowed")).toBe(1)
  })

  test("refused for a resource that is no data is written so that it reads back one way", async () => {
    const hostile = use({
      decision: "refused",
      code: "segment_invalid",
      resource: ["tickets", "42/../43", "a\u202eb"],
    })
    await take(batch({ uses: [hostile] }))
    const { entries } = await world.ledger.read({ kind: "use.refused" })
    expect(entries[0]?.resource).toBe("tickets/42%2F..%2F43/a%E2%80%AEb")
  })
})

test("uses are in the ledger, and not in what is shown of a task", async () => {
  await take(batch())
  const shown = await world.tasks.show({ clientId: "support-orchestrator", staff: false }, task.id)
  if (shown instanceof Refusal) throw new Error(shown.reason)
  expect(shown.timeline.map(({ kind }) => kind)).toEqual(["task.started", "token.issued"])
})

test("the first use under a key is found where it comes last of many", async () => {
  const many = Array.from({ length: 60 }, () => use({ jti: newId("tok") }))
  await take(batch({ uses: [...many, use()] }))
  expect((await world.ledger.read({ kind: "key.confirmed" })).entries).toMatchObject([
    { body: { verifier: instance } },
  ])
})

describe("a revocation is applied", () => {
  const order = async (kind: "task" | "key" = "task", value = task.id) => {
    const set = await world.revocations.revoke("operations-team", { kind, value, reason: "leak" })
    if (set instanceof Refusal) throw new Error(set.reason)
    return set
  }
  const shown = async (id: string) => {
    const found = await world.revocations.show(id)
    if (found instanceof Refusal) throw new Error(found.reason)
    return found
  }
  /** The next report of this instance. */
  let last: { sequence: number; text: string }
  const report = async (cursor: number, appliedAt: number, more: Partial<UseBatch> = {}) => {
    const sequence = last.sequence + 1
    const previous = batchDigest(last.text)
    const text = batch({ sequence, previous, cursor, applied_at: toInstant(appliedAt), uses: [], ...more })
    expect(await take(text)).toEqual({ acknowledged: sequence })
    last = { sequence, text }
  }
  beforeEach(async () => {
    last = { sequence: 1, text: batch({ uses: [] }) }
    await take(last.text)
  })

  test("when the instance says so with its cursor, once, whatever it reports later", async () => {
    const set = await order()
    expect(set).toMatchObject({ instances: [{ instance, api: "tickets", closed: false }] })
    expect(set.appliedInMilliseconds).toBeUndefined()
    world.clock.advance(5000)
    await report(0, world.clock.now())
    expect((await shown(set.id)).instances[0]).not.toHaveProperty("appliedAt")
    await report(1, set.at + 80)
    expect(await shown(set.id)).toMatchObject({
      appliedInMilliseconds: 80,
      instances: [{ appliedAt: set.at + 80 }],
    })
    world.clock.advance(60_000)
    await report(1, world.clock.now())
    expect(await shown(set.id)).toMatchObject({
      appliedInMilliseconds: 80,
      instances: [{ appliedAt: set.at + 80, lastSeen: world.clock.now() }],
    })
  })

  test.each([
    ["slow", -3_600_000, 0],
    ["fast", 3_600_000, 700],
  ])("between the order and the report, also by an instance whose clock is %s", async (_what, off, took) => {
    const set = await order()
    world.clock.advance(700)
    await report(1, set.at + off)
    expect(await shown(set.id)).toMatchObject({
      appliedInMilliseconds: took,
      instances: [{ appliedAt: set.at + took }],
    })
  })

  test("by one that joined later before it let anything through: that took no time", async () => {
    const set = await order()
    world.clock.advance(86_400_000)
    const key = importSigningKey(generatePrivateJwk("ES256"))
    const newcomer = newUuid()
    const text = batch({ instance: newcomer, cursor: 1, uses: [] }, key)
    const read = readPublicJwk(key.publicJwk)
    if (!("thumbprint" in read)) throw new Error("not a key")
    await world.uses.take({ api: "tickets", key: read }, text)
    const { instances, appliedInMilliseconds } = await shown(set.id)
    expect(instances).toMatchObject([{ instance }, { instance: newcomer, appliedAt: world.clock.now() }])
    expect(appliedInMilliseconds).toBeUndefined()
    const next = { instance: newcomer, sequence: 2, previous: batchDigest(text), cursor: 2, uses: [] }
    await world.uses.take({ api: "tickets", key: read }, batch(next, key))
    expect((await shown(set.id)).appliedInMilliseconds).toBeUndefined()
  })

  test("up to the cursor, and what is behind it is not", async () => {
    const set = await order()
    const { id } = await order("key", world.keyring.current().kid)
    await report(1, world.clock.now())
    expect((await shown(set.id)).appliedInMilliseconds).toBe(0)
    expect((await shown(id)).appliedInMilliseconds).toBeUndefined()
  })

  test("not by one that was closed, which is told apart", async () => {
    await report(0, world.clock.now(), { final: true })
    const { instances } = await order()
    expect(instances).toMatchObject([{ instance, closed: true }])
  })
})
