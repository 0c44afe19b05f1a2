// An alarm is raised once and cleared once, however many issuers look and however often they start; what can't be written is
// not lost. Times are the fake clock's.
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import type { Statement, Step } from "../../src/database/database.ts"
import { createWatch } from "../../src/issuer/watch.ts"
import { createQuiet, type Quiet } from "../support/quiet.ts"

let quiet: Quiet

beforeEach(async () => {
  quiet = await createQuiet()
})
afterEach(() => quiet.remove())

describe("once", () => {
  async function silenceAll() {
    await quiet.pass(45)
    await quiet.verifier.report()
    const task = await quiet.start()
    await quiet.pass(600)
    for (let index = 0; index < 5; index++) await quiet.fail()
    return task
  }
  const kinds = async () => (await quiet.standing()).map(({ kind }) => kind).sort()
  const ALL = ["agent_refused", "task_unrenewed", "verifier_silent"]

  test("among issuers that look at the same moment, and cleared once", async () => {
    const others = [quiet.newWatch(), quiet.newWatch(), quiet.newWatch()]
    const lookTogether = async () => void (await Promise.all(others.map((one) => one.look())))
    await quiet.pass(45, lookTogether)
    const task = await silenceAll()
    await quiet.pass(60, lookTogether)
    expect(await kinds()).toEqual(ALL)
    expect(await quiet.raised()).toHaveLength(3)
    await quiet.verifier.report()
    await quiet.renew(task.taskId)
    await quiet.start()
    await quiet.pass(15, lookTogether)
    expect(await kinds()).toEqual([])
    expect(await quiet.cleared()).toHaveLength(3)
  })

  test("over restarts: what stands is not raised again, and what is over is cleared by whoever starts", async () => {
    const task = await silenceAll()
    await quiet.pass(60)
    expect(await kinds()).toEqual(ALL)
    quiet.watch = quiet.newWatch()
    await quiet.pass(120, () => quiet.fail())
    expect(await quiet.raised()).toHaveLength(3)
    expect(await kinds()).toEqual(ALL)
    quiet.watch = quiet.newWatch()
    await quiet.renew(task.taskId)
    await quiet.verifier.report()
    await quiet.pass(5)
    expect(await kinds()).toEqual([])
  })

  test("and what runs out while no issuer runs is told by the one that starts, not before others had time to be heard", async () => {
    const task = await silenceAll()
    await quiet.pass(60)
    await quiet.renew(task.taskId)
    await quiet.verifier.report()
    await quiet.pass(70, () => quiet.verifier.report())
    expect(await kinds()).toEqual([])
    quiet.world.clock.advance(3_600_000)
    quiet.watch = quiet.newWatch()
    await quiet.pass(40)
    expect(await quiet.raised()).toHaveLength(3)
    await quiet.pass(15)
    expect(await kinds()).toEqual(["task_unrenewed", "verifier_silent"])
    expect(await quiet.raised()).toHaveLength(5)
  })

  test("nor after a time in which this process stood still", async () => {
    await quiet.pass(45)
    await quiet.verifier.report()
    quiet.world.clock.advance(300_000)
    await quiet.watch.look()
    await quiet.pass(30, () => quiet.verifier.report())
    expect(await quiet.raised()).toEqual([])
  })
})

describe("what can't be written", () => {
  test("is raised when it can", async () => {
    let failing = false
    const engine = {
      ...quiet.world.engine,
      query: <Row>(statement: Statement<Row>, values = {}) => quiet.world.engine.query(statement, values),
      atomically: (steps: readonly Step[]) =>
        failing ? Promise.reject(new Error("no disk")) : quiet.world.engine.atomically(steps),
    }
    quiet.watch = createWatch({ ...quiet.world, engine })
    await quiet.pass(45)
    await quiet.start()
    await quiet.pass(615)
    failing = true
    for (let index = 0; index < 3; index++) {
      quiet.world.clock.advance(5000)
      await expect(quiet.watch.look()).rejects.toThrow("no disk")
    }
    failing = false
    await quiet.pass(5)
    expect(await quiet.entries("alarm.raised")).toMatchObject([{ code: "task_unrenewed" }])
  })

  test("a change comes with what it is about, and nothing personal", async () => {
    await quiet.pass(45)
    const task = await quiet.start({ purpose: "Look at Ana's ticket", reference: "secret-run" })
    await quiet.pass(640)
    expect(await quiet.entries("alarm.raised")).toMatchObject([
      { task_id: task.taskId, agent: "triage-bot", code: "task_unrenewed" },
    ])
    expect(JSON.stringify([await quiet.raised(), await quiet.standing()])).not.toMatch(
      /Ana|secret-run|SUP-1042/,
    )
  })
})
