// Orders to end tokens beside others: two at once, a process that dies behind its first commit, and what is near the name
// that was revoked.
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import type { Engine } from "../../src/database/database.ts"
import { createRevocations, type RevokeRequest } from "../../src/task/revocation.ts"
import { feedSince } from "../../src/task/revocation-statements.ts"
import { claimsOf, newKey } from "../support/crew.ts"
import { engineBefore, must, ORCHESTRATOR } from "../support/crew-world.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(async () => {
  await world.leave()
})

const BY = "operations-team"
const start = async (more: object = {}) =>
  must(await world.tasks.start(ORCHESTRATOR, { ...SUPPORT_START, ...more }))
const revoke = async (kind: RevokeRequest["kind"], value: string, at = world.revocations) =>
  must(await at.revoke(BY, { kind, value, reason: "leak" }))
const stateOf = async (taskId: string) =>
  must(await world.tasks.show({ clientId: ORCHESTRATOR, staff: true }, taskId)).state

test("of two that lift a lock at once one is written down", async () => {
  const { id } = await revoke("agent", "triage-bot")
  world.clock.advance(1000)
  const before = () => world.revocations.lift("audit-team", id)
  const late = createRevocations({ ...world, engine: engineBefore(world, before) })
  expect(must(await late.lift(BY, id)).liftedAt).toBe(world.clock.now())
  expect((await world.ledger.read({ kind: "lock.lifted" })).entries).toMatchObject([
    { body: { by: "audit-team" } },
  ])
})

test("what is no lock is not lifted, and nobody is told that it was", async () => {
  const { taskId } = await start()
  const { id } = await revoke("task", taskId)
  world.clock.advance(1000)
  expect(await world.revocations.lift(BY, id)).toMatchObject({ code: "not_found" })
  expect(must(await world.revocations.show(id)).liftedAt).toBeUndefined()
  expect((await world.ledger.read({ kind: "lock.lifted" })).entries).toEqual([])
})

test("a task that is revoked has ended with the first commit, whatever becomes of the process then", async () => {
  const { taskId } = await start()
  const dying = createRevocations({ ...world, engine: dyingAfterOne() })
  await revoke("task", taskId, dying).catch(() => undefined)
  expect(await stateOf(taskId)).toBe("revoked")
})

function dyingAfterOne(): Engine {
  const engine = engineBefore(world, () => undefined)
  let commits = 0
  return {
    ...engine,
    atomically: (steps) =>
      commits++ === 0 ? engine.atomically(steps) : Promise.reject(new Error("the process is gone")),
  }
}

test("an instance is that of its agent: another's of the same name keeps its token and its task", async () => {
  const { taskId } = await start()
  expect(await revoke("instance", "summarizer/pod-1")).toMatchObject({ tokensEnded: 0 })
  expect([await stateOf(taskId), await world.engine.query(feedSince, { after: 0, limit: 10 })]).toEqual([
    "active",
    [],
  ])
})

test("what is asked for page by page is told whole, and for a minute behind its last token", async () => {
  const tasks = [(await start()).taskId, (await start()).taskId]
  for (const taskId of tasks) await revoke("task", taskId)
  const page = (after: number) => world.revocations.feed("tickets", after, 1)
  const first = await page(0)
  expect(first).toMatchObject({ items: [{ value: tasks[0], cursor: first.cursor }] })
  expect((await page(first.cursor)).items).toMatchObject([{ value: tasks[1] }])
  world.clock.advance(((first.items[0]?.until ?? 0) + 60) * 1000 - 1 - world.clock.now())
  expect((await page(0)).items).toHaveLength(1)
  world.clock.advance(1)
  expect((await page(0)).items).toEqual([])
})

describe("is told to each API once, until the last token runs out, and to nobody of the agent's own", () => {
  test.each<[RevokeRequest["kind"], (taskId: string) => string]>([
    ["task", (taskId) => taskId],
    ["instance", () => "triage-bot/pod-1"],
    ["agent", () => "triage-bot"],
    ["orchestrator", () => ORCHESTRATOR],
    ["subject", () => ORCHESTRATOR],
  ])("the revocation of a %s", async (kind, named) => {
    const { taskId } = await start({ dpopJkt: newKey().thumbprint })
    world.clock.advance(300_000)
    const { tokens } = must(await world.tasks.renew(ORCHESTRATOR, taskId, {}))
    await revoke(kind, named(taskId))
    expect(await world.engine.query(feedSince, { after: 0, limit: 10 })).toMatchObject([
      { api: "tickets", kind, value: named(taskId), until: claimsOf(tokens[0]?.accessToken).exp },
    ])
  })
})
