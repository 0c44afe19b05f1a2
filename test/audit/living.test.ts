// What lives is counted in slices: how large they are changes nothing of the counts, and others have their turn between two.
import { afterEach, beforeEach, expect, test } from "vitest"
import { countLiveTasks, countLiveTokens, countTasksByAgent } from "../../src/audit/living.ts"
import type { Engine } from "../../src/database/database.ts"
import { Refusal } from "../../src/errors.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

const MINUTE = 60_000
const TASKS = 7

let world: World
beforeEach(async () => {
  world = await createWorld()
  for (let at = 0; at < TASKS; at++) {
    const agent = { id: "triage-bot", instance: `pod-${at}` }
    const started = await world.tasks.start("support-orchestrator", { ...SUPPORT_START, agent })
    if (started instanceof Refusal) throw started
    // Two start at the same time, whose deadline no slice parts; and some have ended.
    if (at !== 3) world.clock.advance(MINUTE)
    if (at === 2) await world.tasks.change("support-orchestrator", started.taskId, "complete")
  }
})
afterEach(async () => {
  await world.leave()
})

test.each([1, 2, 3, 100])("of tasks and tokens that live, in slices of %i", async (rows) => {
  const { engine, clock } = world
  const { ages, groups } = await countLiveTasks(engine, clock.now(), rows)
  expect(ages.map(({ count }) => count)).toEqual([TASKS - 1, 0, 0, 0])
  expect(groups).toMatchObject([{ type: "triage-ticket", agent: "triage-bot", tasks: TASKS - 1 }])
  expect(await countTasksByAgent(engine, rows)).toEqual(new Map([["triage-bot", TASKS - 1]]))
  const tokens = await countLiveTokens(engine, clock.now(), rows)
  expect(tokens).toEqual([
    { withinSeconds: 300, count: 4 },
    { withinSeconds: 600, count: 2 },
    { withinSeconds: 1200, count: 0 },
    { withinSeconds: null, count: 0 },
  ])
})

test("what has run out is not counted, and an empty place has nothing", async () => {
  const { engine, clock } = world
  clock.advance(3 * 60 * MINUTE)
  expect((await countLiveTokens(engine, clock.now(), 1)).every(({ count }) => count === 0)).toBe(true)
})

test.each([
  ["tasks", (engine: Engine, now: number) => countLiveTasks(engine, now, 1)],
  ["tasks of each agent", (engine: Engine) => countTasksByAgent(engine, 1)],
])("others have their turn between two slices of %s", async (_what, count) => {
  let turns = 0
  let over = false
  const others = (async () => {
    for (; !over; turns++) await new Promise((resolve) => setImmediate(resolve))
  })()
  await count(world.engine, world.clock.now())
  over = true
  await others
  expect(turns).toBeGreaterThan(2)
})
