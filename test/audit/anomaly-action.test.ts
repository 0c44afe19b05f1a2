// What becomes of unusual work: told once, whoever looks and however often; its tasks stopped where policy says so, and no others;
// over after a day; and nothing at all while too little is known.
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { createWatch } from "../../src/issuer/watch.ts"
import type { UseRecord } from "../../src/token/batch.ts"
import { createUnusual, DAY, type Held, HOUR, type Unusual } from "../support/unusual.ts"

let at: Unusual
beforeEach(async () => {
  at = await createUnusual()
})
afterEach(() => at.remove())

/** Uses of so many resources. */
const spread = (held: Held, count: number): Partial<UseRecord>[] =>
  Array.from({ length: count }, (_, index) => ({ ...held, resource: ["tickets", `SUP-${index}`] }))
const change = (task: string, to: "resume" | "complete") =>
  at.world.tasks.change("support-orchestrator", task, to)

test("one entry says in words what was usual and what happened, whoever looks and however often", async () => {
  const others = [createWatch(at.world), createWatch(at.world)]
  const held = await at.start()
  await at.reporter.report(...spread(held, 30))
  await at.rollups.advance()
  await Promise.all([at.watch, ...others].map((one) => one.look()))
  await at.reporter.report(...spread(held, 15))
  await at.pass(60)
  at.watch = createWatch(at.world)
  await at.pass(30)
  const raised = await at.raised()
  expect(raised.map(({ code }) => code)).toEqual(["unusual_spread"])
  expect(raised[0]).toMatchObject({
    task_id: held.task,
    agent: "triage-bot",
    body: {
      alarm: "unusual_spread",
      type: "triage-ticket",
      usual: "at most 2 resources in 98 of 100, 2 in the middle (of 140 tasks in 28 days)",
      happened: "30 resources in one task",
    },
  })
  expect(at.watch.standing().get("unusual_spread")).toBe(1)
})

test("it stands for a day, is cleared with an entry, and goes on as a new one", async () => {
  await at.reporter.report(...spread(await at.start(), 30))
  await at.pass(10)
  at.world.clock.advance(DAY - 11_000)
  await at.look()
  expect(await at.standing("unusual_spread")).toHaveLength(1)
  await at.pass(15)
  expect(await at.standing("unusual_spread")).toEqual([])
  const { entries } = await at.world.ledger.read({ kind: "alarm.cleared", limit: 100 })
  expect(entries.filter(({ code }) => code === "unusual_spread")).toHaveLength(1)
  await at.reporter.report(...spread(await at.start(), 30))
  await at.pass(10)
  expect((await at.codes()).filter((code) => code === "unusual_spread")).toHaveLength(2)
})

describe("what policy says", () => {
  test("without a word of it the task goes on", async () => {
    const held = await at.start()
    await at.reporter.report(...spread(held, 30))
    await at.pass(10)
    expect(await at.stateOf(held.task)).toBe("active")
  })

  test.each([
    ["pause", "paused", "task.paused"],
    ["revoke", "revoked", "task.revoked"],
  ] as const)("%s: each unusual task is %s, by an entry that names the rule", async (action, state, kind) => {
    await at.say(`unusual_spread: { action: ${action} }`)
    const [first, second, ordinary] = [await at.start(), await at.start(), await at.start()]
    await at.reporter.report(...spread(first, 30), ordinary)
    await at.pass(10)
    await at.reporter.report(...spread(second, 30))
    await at.pass(10)
    const states = await Promise.all([first, second, ordinary].map(({ task }) => at.stateOf(task)))
    expect(states).toEqual([state, state, "active"])
    const { entries } = await at.world.ledger.read({ kind, limit: 100 })
    expect(entries.map(({ task_id, code }) => [task_id, code])).toEqual([
      [first.task, "unusual_spread"],
      [second.task, "unusual_spread"],
    ])
    expect(entries[0]?.body?.reason).toBe(
      "unusual_spread: 30 resources in one task, where usual is: at most 2 resources in 98 of 100, 2 in the middle (of 140 tasks in 28 days)",
    )
    expect((await at.codes()).filter((code) => code === "unusual_spread")).toHaveLength(1)
  })

  test("a task that is resumed goes on: the same rule stops it once, also by an issuer that starts", async () => {
    await at.say("unusual_spread: { action: pause }")
    const held = await at.start()
    await at.reporter.report(...spread(held, 30))
    await at.pass(10)
    await change(held.task, "resume")
    await at.reporter.report(...spread(held, 35))
    at.watch = createWatch(at.world)
    await at.pass(10)
    expect(await at.stateOf(held.task)).toBe("active")
  })

  test("only tasks of the types that it names, and only the rule that it names", async () => {
    await at.say(
      "unusual_spread: { action: pause, tasks: [summarize-ticket] }\nunusual_uses: { action: revoke }",
    )
    const held = await at.start()
    await at.reporter.report(...spread(held, 30))
    await at.pass(10)
    expect(await at.codes()).toEqual(["unusual_spread"])
    expect(await at.stateOf(held.task)).toBe("active")
  })

  test("behind an hour are the tasks that did something in it", async () => {
    await at.say("unusual_rate: { action: pause }")
    const before = await at.start()
    at.world.clock.advance(HOUR)
    const within = await at.start()
    await at.reporter.report(...Array.from({ length: 120 }, () => within))
    await at.pass(10)
    expect(await at.codes()).toContain("unusual_rate")
    expect([await at.stateOf(before.task), await at.stateOf(within.task)]).toEqual(["active", "paused"])
  })

  test("behind many starts are the tasks that began in that hour, and not those that only worked in it", async () => {
    await at.say("unusual_starts: { action: pause }")
    at.world.clock.advance(35 * 60_000)
    const before = await at.start()
    at.world.clock.advance(6 * 60_000)
    await at.reporter.report(before)
    const begun: Held[] = []
    for (let task = 0; task < 30; task++) begun.push(await at.start())
    await at.pass(10)
    expect(await at.codes()).toContain("unusual_starts")
    const states = await Promise.all([before, ...begun].map(({ task }) => at.stateOf(task)))
    expect([states[0], new Set(states.slice(1))]).toEqual(["active", new Set(["paused"])])
  })

  test("behind many refusals are the tasks that were refused", async () => {
    await at.say("unusual_refusals: { action: pause }")
    const [tries, works] = [await at.start(), await at.start()]
    const refused = { ...tries, decision: "refused", code: "resource_not_granted", status: 403 } as const
    await at.reporter.report(
      works,
      ...Array.from({ length: 12 }, (_, index) => ({ ...refused, resource: ["tickets", `SUP-${index}`] })),
    )
    await at.pass(10)
    expect(await at.codes()).toContain("unusual_refusals")
    expect([await at.stateOf(tries.task), await at.stateOf(works.task)]).toEqual(["paused", "active"])
  })

  test("a use that should not have been stops its task", async () => {
    await at.say("use_of_unknown_token: { action: revoke }")
    const held = await at.start()
    await at.reporter.report({ ...held, jti: "tok_01948f7e-0000-7000-8000-000000000000" })
    await at.pass(10)
    expect(await at.stateOf(held.task)).toBe("revoked")
    expect(await at.codes()).toEqual(["use_of_unknown_token"])
  })

  test("one that was told an hour ago is told as before, and stops nothing any more", async () => {
    await at.say("use_of_unknown_token: { action: revoke }")
    const held = await at.start()
    await at.reporter.report({ ...held, jti: "tok_01948f7e-0000-7000-8000-000000000000" })
    at.world.clock.advance(HOUR)
    await at.pass(10)
    expect(await at.standing("use_of_unknown_token")).toHaveLength(1)
    expect(await at.stateOf(held.task)).toBe("active")
  })

  test("a rule that is off is not looked for", async () => {
    await at.say("unusual_spread: { enabled: false }")
    await at.reporter.report(...spread(await at.start(), 30))
    await at.pass(10)
    expect(await at.codes()).toEqual([])
  })
})

describe("too little is known", () => {
  test.each([
    ["tasks", "{ tasks: 141 }"],
    ["days", "{ days: 21 }"],
  ])("of %s: nothing is unusual", async (_, learn) => {
    await at.say(`unusual_spread: { learn: ${learn} }`)
    await at.reporter.report(...spread(await at.start(), 30))
    await at.pass(10)
    expect(await at.codes()).toEqual([])
  })

  test("of an agent and type without any work before, whatever it does", async () => {
    const start = { type: "summarize-ticket", agent: { id: "summarizer", instance: "pod-1" } }
    const held = await at.start(start)
    const actor = "summarizer/pod-1"
    await at.reporter.report(...spread(held, 200).map((use) => ({ ...use, actor })))
    await at.pass(10)
    expect(await at.codes()).toEqual([])
  })
})

test("uses that a verifier reports late count for the hour in which their tokens ran out", async () => {
  const held: Held[] = []
  for (let hour = 0; hour < 3; hour++) {
    held.push(await at.start())
    at.world.clock.advance(HOUR)
  }
  const at40 = held.flatMap((one) => Array.from({ length: 40 }, () => one))
  await at.reporter.report(...at40)
  await at.pass(10)
  expect(await at.codes()).not.toContain("unusual_rate")
})

test("what is counted anew raises nothing again, nor does an issuer that starts", async () => {
  await at.reporter.report(...spread(await at.start(), 30))
  await at.pass(10)
  at.world.clock.advance(DAY + HOUR)
  await at.look()
  await at.rollups.reset()
  at.watch = createWatch(at.world)
  await at.pass(20)
  expect((await at.codes()).filter((code) => code === "unusual_spread")).toHaveLength(1)
  expect(await at.standing("unusual_spread")).toEqual([])
})
