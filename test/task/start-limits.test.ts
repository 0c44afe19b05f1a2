import { afterEach, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { createTasks } from "../../src/task/task.ts"
import { limitTasks, must, ORCHESTRATOR, openCrewWorld } from "../support/crew-world.ts"
import { SUPPORT_START, type World } from "../support/world.ts"

let world: World
afterEach(async () => {
  await world.leave()
})

const start = () => world.tasks.start(ORCHESTRATOR, SUPPORT_START)
const race = () => Promise.all(Array.from({ length: 100 }, start))
const startedOf = (answers: Awaited<ReturnType<typeof race>>) =>
  answers.flatMap((one) => (one instanceof Refusal ? [] : [one.taskId]))

test.each(["active_tasks: 3", "starts_per_hour: 3"])(
  "C11 of 100 starts for the last of %s one is started, and the others are told when to ask again",
  async (limits) => {
    world = await openCrewWorld()
    await limitTasks(world, limits)
    must(await start())
    must(await start())
    const answers = await race()
    expect(startedOf(answers)).toHaveLength(1)
    for (const one of answers) {
      if (!(one instanceof Refusal)) continue
      expect(one.code).toBe("limit_reached")
      expect(one.retryAfterSeconds).toBeGreaterThan(0)
    }
  },
)

test("C11 a start that was committed and never answered keeps its place until the task ends", async () => {
  world = await openCrewWorld()
  await limitTasks(world, "active_tasks: 1")
  const sign = () => {
    throw new Error("the key is out of reach")
  }
  const broken = { ...world.keyring.current(), sign }
  const tasks = createTasks({ ...world, keyring: { ...world.keyring, signing: () => broken } })
  const unanswered = { ...SUPPORT_START, reference: "run-1" }
  expect(await tasks.start(ORCHESTRATOR, unanswered)).toMatchObject({ code: "temporarily_unavailable" })
  expect(await start()).toMatchObject({ code: "limit_reached" })
  const { taskId } = must(await world.tasks.start(ORCHESTRATOR, unanswered))
  must(await world.tasks.change(ORCHESTRATOR, taskId, "cancel"))
  must(await start())
})

/** Minutes after the first start at which the others begin, the limit then, and how long until one may start again. */
const WAITS = [
  ["two at once and one later", [0, 0, 20], 3, 40],
  ["the limit was lowered meanwhile", [0, 10, 20], 2, 50],
  ["a minute is left of the hour", [0, 59], 2, 1],
] as const

test.each(WAITS)(
  "C11 Retry-After tells when enough starts have left the hour: %s",
  async (_, minutes, limit, wait) => {
    world = await openCrewWorld()
    // On the minute, for starts are counted by it.
    world.clock.advance(60_000 - (world.clock.now() % 60_000))
    let passed = 0
    for (const minute of minutes) {
      world.clock.advance((minute - passed) * 60_000)
      passed = minute
      must(await start())
    }
    await limitTasks(world, `starts_per_hour: ${limit}`)
    const seconds = wait * 60
    const refused = await start()
    expect(refused).toMatchObject({ code: "limit_reached", retryAfterSeconds: seconds })
    world.clock.advance(seconds * 1000 - 1)
    await world.tasks.sweep()
    expect(await start()).toMatchObject({ code: "limit_reached", retryAfterSeconds: 1 })
    world.clock.advance(1)
    must(await start())
  },
)
