// Closing a task when others do the same, or report, at that moment: one statement of each number, and no use that none covers.
import { afterEach, beforeEach, expect, test } from "vitest"
import { createClosing } from "../../src/audit/closing.ts"
import type { Engine } from "../../src/database/database.ts"
import { createClosings } from "../../src/issuer/closing.ts"
import { createErasures } from "../../src/task/erase.ts"
import { toInstant } from "../../src/time.ts"
import { approvalDesk, mustBe } from "../support/approvals.ts"
import { createWorld, type World } from "../support/world.ts"

let world: World
let taskId: string
beforeEach(async () => {
  world = await createWorld()
  const started = await approvalDesk(() => world).start()
  taskId = started.taskId
  await world.tasks.change("support-orchestrator", taskId, "complete")
  world.clock.advance(11_000)
})
afterEach(async () => {
  await world.leave()
})

const closed = async () =>
  (await world.ledger.read({ task: taskId, limit: 1000 })).entries.filter(
    ({ kind }) => kind === "task.closed",
  )

const use = () =>
  world.ledger.append([
    {
      kind: "use.allowed",
      at: world.ledger.at(),
      task: taskId,
      agent: "triage-bot",
      instance: "pod-1",
      api: "tickets",
      operation: "tickets:read",
      resource: "tickets/SUP-1042",
      outcome: "allowed",
      body: {},
    },
  ])

/** An issuer beside which something happens, once, before the statement of that name. */
function meeting(name: string, work: () => Promise<unknown>) {
  let met = false
  const meet = async (statement: string) => {
    if (met || statement !== name) return
    met = true
    await work()
  }
  const engine: Engine = {
    ...world.engine,
    async query(statement, values) {
      await meet(statement.name)
      return world.engine.query(statement, values)
    },
    async atomically(steps) {
      for (const { statement } of steps) await meet(statement.name)
      return world.engine.atomically(steps)
    },
  }
  return createClosings({ ...world, engine })
}

test("of issuers that close a task at once, one does, and all answer its bytes", async () => {
  const issuers = [1, 2, 3, 4].map(() => createClosings(world))
  for (const _ of [1, 2]) await Promise.all(issuers.map((one) => one.look()))
  expect(await closed()).toMatchObject([{ body: { number: 1 } }])
  const viewer = { clientId: "support-orchestrator", staff: false }
  const answers = await Promise.all(issuers.map((one) => one.readSigned(viewer, taskId)))
  expect(new Set(answers).size).toBe(1)
})

test.each([
  ["before it reads what there is", "statement.newest"],
  ["before it commits", "statement.insert"],
])("an issuer that another one overtakes %s closes nothing twice", async (_when, name) => {
  const other = createClosings(world)
  await meeting(name, () => other.look()).look()
  expect(await closed()).toMatchObject([{ body: { number: 1 } }])
})

test("a use that another issuer has read past while the task was closed is in a statement all the same", async () => {
  const slow = meeting("statement.insert", async () => {
    await use()
    await createClosing(world).look()
  })
  await slow.look()
  await slow.look()
  world.clock.advance(61_000)
  await slow.look()
  const made = await slow.read({ clientId: "audit-team", staff: true }, taskId)
  if (!("jws" in made)) throw new Error(made.reason)
  expect(made).toMatchObject({ state: "final", statement: { uses: [{ allowed: 1 }] } })
})

test("a gap that another issuer has read past while the task was closed makes a successor all the same", async () => {
  const at = world.ledger.at()
  const body = { verifier: "one", why: "missing", from: 2, to: 3, since: toInstant(at) }
  const slow = meeting("statement.insert", async () => {
    await world.ledger.append([{ kind: "verifier.gap", at, api: "tickets", body }])
    await createClosing(world).look()
  })
  for (const wait of [0, 61_000, 61_000, 61_000]) {
    world.clock.advance(wait)
    await slow.look()
  }
  expect(await closed()).toMatchObject([{ body: { number: 1 } }, { body: { number: 2 } }])
})

const STAFF = { clientId: "audit-team", staff: true }
const BY = { by: "people/lin@example.com", as: "operations-team", reason: "They asked for it" }
const HOUR = 3_600_000

test("erasing a task leaves its final statement as it was, to the byte, and nothing beside it", async () => {
  await use()
  const closings = createClosings(world)
  await closings.look()
  const before = mustBe(await closings.read(STAFF, taskId))
  expect(before.opened.map(({ value }) => value)).toContain("tickets/SUP-1042")
  world.clock.advance(HOUR)
  mustBe(await createErasures(world).task(BY, taskId))
  const after = mustBe(await closings.read(STAFF, taskId))
  expect(after).toEqual({ ...before, opened: [], key: undefined })
})

test("a task that is erased before it is closed is closed all the same, with its counts", async () => {
  await use()
  world.clock.advance(HOUR)
  mustBe(await createErasures(world).task(BY, taskId))
  const closings = createClosings(world)
  await closings.look()
  const made = mustBe(await closings.read(STAFF, taskId))
  expect(made).toMatchObject({
    state: "final",
    opened: [],
    key: undefined,
    statement: {
      task: { erased: true, state: "completed" },
      uses: [{ operation: "tickets:read", allowed: 1 }],
    },
  })
})

/** Whether it is owed a statement that can be made now. */
const isDue = async (id: string) => (await createClosing(world).look()).some(({ task_id }) => task_id === id)

test("a statement waits for what was under way at the task's end, when nobody has to report any more", async () => {
  const { taskId: other } = await approvalDesk(() => world).start()
  await world.tasks.change("support-orchestrator", other, "complete")
  world.clock.advance(10_000)
  expect(await isDue(other)).toBe(false)
  world.clock.advance(1)
  expect(await isDue(other)).toBe(true)
})

test("a use that comes after the final statement makes a successor, a minute later: what a spool sends late is one", async () => {
  await createClosings(world).look()
  await use()
  expect(await isDue(taskId)).toBe(false)
  world.clock.advance(59_999)
  await use()
  expect(await isDue(taskId)).toBe(false)
  world.clock.advance(1)
  expect(await isDue(taskId)).toBe(true)
})

test.each([
  ["a gap that was found", { why: "missing" }, true],
  ["a gap that was closed, or given up", {}, false],
  ["a gap that began when no token of the task could live", { why: "missing", since: HOUR }, false],
])(
  "after the final statement %s: %o",
  async (_, { since = 0, ...why }: { why?: string; since?: number }, owes) => {
    const ended = world.ledger.at()
    await createClosings(world).look()
    world.clock.advance(2 * HOUR)
    const body = { verifier: "one", from: 2, to: 3, since: toInstant(ended + since), ...why }
    await world.ledger.append([{ kind: "verifier.gap", at: world.ledger.at(), api: "tickets", body }])
    await createClosing(world).look()
    world.clock.advance(60_000)
    expect(await isDue(taskId)).toBe(owes)
  },
)
