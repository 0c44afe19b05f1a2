import { afterEach, describe, expect, test } from "vitest"
import type { Engine, Step } from "../../src/database/database.ts"
import { Refusal } from "../../src/errors.ts"
import { asOrchestrator } from "../../src/task/approval.ts"
import { createUses } from "../../src/task/use.ts"
import { newId } from "../../src/token/id.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import { LEAD as OPERATIONS, question } from "../support/approvals.ts"
import { createReporter, useOf } from "../support/batch-reporter.ts"
import {
  delegateBy,
  engineBefore,
  exchangeBy,
  limitTasks,
  must,
  ORCHESTRATOR,
  openCrewWorld,
  startHand,
  tasksBefore,
} from "../support/crew-world.ts"
import { SUPPORT_START, type World } from "../support/world.ts"

let world: World
afterEach(async () => {
  await world.leave()
})

const LEAD = { ...OPERATIONS, name: "leads" }

async function openLimited(limits: string): Promise<void> {
  world = await openCrewWorld()
  await limitTasks(world, limits)
}

const stateOf = async (taskId: string) =>
  must(await world.tasks.show({ clientId: ORCHESTRATOR, staff: false }, taskId)).state
const fed = async () => (await world.revocations.feed("tickets", 0, 100)).items
const entriesOf = async (kind: "task.paused" | "task.revoked" | "token.refused" | "task.refused") =>
  (await world.ledger.read({ kind, limit: 1000 })).entries

describe("uses", () => {
  test("that reach the limit pause the task in the transaction that tells of them", async () => {
    await openLimited("uses: 3")
    const { taskId } = await startHand(world)
    const { report } = createReporter(world)
    await report(useOf(taskId, "tickets:read"), useOf(taskId, "tickets:comment"))
    expect([await stateOf(taskId), await fed()]).toEqual(["active", []])
    await report(useOf(taskId, "tickets:read"))
    expect(await stateOf(taskId)).toBe("paused")
    expect(await fed()).toMatchObject([{ kind: "task", value: taskId, code: "task_paused" }])
    const [paused] = await entriesOf("task.paused")
    expect(paused?.body?.reason).toBe("uses of the task type is reached: 3 of 3")
  })

  test("revoke it where policy says so", async () => {
    await openLimited('uses_of: { "tickets:comment": 2 }, at_limit: revoke')
    const { taskId } = await startHand(world)
    const { report } = createReporter(world)
    const reads = Array.from({ length: 5 }, () => useOf(taskId, "tickets:read"))
    await report(...reads, useOf(taskId, "tickets:comment"))
    expect(await stateOf(taskId)).toBe("active")
    await report(useOf(taskId, "tickets:comment"), useOf(taskId, "tickets:comment"))
    expect(await stateOf(taskId)).toBe("revoked")
    expect(await fed()).toMatchObject([{ kind: "task", value: taskId, code: "token_revoked" }])
    const [revoked] = await entriesOf("task.revoked")
    expect(revoked?.body?.reason).toBe("uses_of tickets:comment of the task type is reached: 3 of 2")
  })

  test("that were refused don't count, those that observe mode let through do", async () => {
    await openLimited("uses: 2")
    const { taskId } = await startHand(world)
    const { report } = createReporter(world)
    const refused = { decision: "refused", code: "resource_not_granted" } as const
    await report(...Array.from({ length: 5 }, () => useOf(taskId, "tickets:read", refused)))
    await report(useOf(taskId, "tickets:read", { decision: "observed", code: "resource_not_granted" }))
    expect(await stateOf(taskId)).toBe("active")
    await report(useOf(taskId, "tickets:read"))
    expect(await stateOf(taskId)).toBe("paused")
  })

  test("of a task's sub-agents count to the task, whose end is theirs", async () => {
    await openLimited("uses: 2")
    const hand = await startHand(world)
    const below = must(await delegateBy(world.tasks, hand, "summarizer", "pod-2"))
    const { report } = createReporter(world)
    await report(
      useOf(hand.taskId, "tickets:read", { actor: "summarizer/pod-2" }),
      useOf(hand.taskId, "tickets:read"),
    )
    expect(await stateOf(hand.taskId)).toBe("paused")
    expect(await exchangeBy(world.tasks, below)).toMatchObject({ code: "uses_exhausted" })
  })

  test("of an ended task are counted and end nothing again", async () => {
    await openLimited("uses: 2")
    const { taskId } = await startHand(world)
    const { report } = createReporter(world)
    must(await world.tasks.change(ORCHESTRATOR, taskId, "complete"))
    await report(useOf(taskId, "tickets:read"), useOf(taskId, "tickets:read"), useOf(taskId, "tickets:read"))
    expect(await stateOf(taskId)).toBe("completed")
    expect(await entriesOf("task.paused")).toEqual([])
  })

  test("of a task that is unknown here are written down and count for nothing", async () => {
    await openLimited("uses: 1")
    await createReporter(world).report(useOf(newId("task", world.clock.now()), "tickets:read"))
    expect((await world.ledger.read({ kind: "use.allowed" })).entries).toHaveLength(1)
  })
})

describe("uses beyond the limit are named to who told of them", () => {
  const reads = (taskId: string, count: number) =>
    Array.from({ length: count }, () =>
      useOf(taskId, "tickets:read", { id: newId("use", world.clock.now()) }),
    )
  const idsOf = (uses: readonly { readonly id?: string }[]) => uses.map(({ id }) => id)

  test("those after the last, in the order of the batch, and all that come later", async () => {
    await openLimited("uses: 3")
    const { taskId } = await startHand(world)
    const [first, then] = [reads(taskId, 5), reads(taskId, 2)]
    const { report } = createReporter(world)
    expect([...((await report(...first)).beyond ?? [])]).toEqual(
      idsOf(first.slice(3)).map((id) => [id, "task_paused"]),
    )
    expect([...((await report(...then)).beyond?.keys() ?? [])]).toEqual(idsOf(then))
  })

  test("of single operations, with the code of a task that is revoked", async () => {
    await openLimited('uses_of: { "tickets:comment": 1 }, at_limit: revoke')
    const { taskId } = await startHand(world)
    const comments = [1, 2].map(() =>
      useOf(taskId, "tickets:comment", { id: newId("use", world.clock.now()) }),
    )
    const { report, again } = createReporter(world)
    const { beyond } = await report(...reads(taskId, 3), ...comments)
    expect([...(beyond ?? [])]).toEqual([[comments[1]?.id, "token_revoked"]])
    expect([...((await again()).beyond?.keys() ?? [])]).toEqual(idsOf(comments))
  })

  test("not those of an operation that has some left, though another's are used up before it", async () => {
    await openLimited('uses: 9, uses_of: { "tickets:comment": 1 }')
    const { taskId } = await startHand(world)
    const comment = useOf(taskId, "tickets:comment")
    expect((await createReporter(world).report(comment, ...reads(taskId, 2))).beyond).toBeUndefined()
  })

  test("none below it, and none of a task that is not limited", async () => {
    await openLimited("uses: 3")
    const { taskId } = await startHand(world)
    expect((await createReporter(world).report(...reads(taskId, 2))).beyond).toBeUndefined()
    await limitTasks(world, "active_tasks: 9")
    expect((await createReporter(world).report(...reads(taskId, 9))).beyond).toBeUndefined()
  })

  test("C11 of 100 verifiers that tell at once exactly so many are within", async () => {
    await openLimited("uses: 60")
    const { taskId } = await startHand(world)
    const all = await Promise.all(
      Array.from({ length: 100 }, () => createReporter(world).report(...reads(taskId, 1))),
    )
    expect(all.filter(({ beyond }) => beyond === undefined)).toHaveLength(60)
  })

  test("all of a batch that is told again, for the answer was lost", async () => {
    await openLimited("uses: 3")
    const { taskId } = await startHand(world)
    const { report, again } = createReporter(world)
    const uses = reads(taskId, 3)
    expect((await report(...uses)).beyond).toBeUndefined()
    expect([...((await again()).beyond?.keys() ?? [])]).toEqual(idsOf(uses))
  })
})

describe("at the limit", () => {
  test("every mint is refused with a code of its own, until policy allows more", async () => {
    await openLimited("uses: 2")
    const hand = await startHand(world, { reference: "run-1" })
    const { taskId } = hand
    await createReporter(world).report(useOf(taskId, "tickets:read"), useOf(taskId, "tickets:read"))
    const spent = { code: "uses_exhausted", retryAfterSeconds: undefined }
    expect(await world.tasks.renew(ORCHESTRATOR, taskId, {})).toMatchObject(spent)
    expect(await world.tasks.collect("triage-bot", taskId, {})).toMatchObject(spent)
    expect(await world.tasks.change(ORCHESTRATOR, taskId, "resume")).toMatchObject(spent)
    expect(await exchangeBy(world.tasks, hand)).toMatchObject(spent)
    const restarted = {
      agent: { id: "triage-bot", instance: "pod-2" },
      dpopJkt: hand.jkt,
      reference: "run-1",
    }
    expect(await world.tasks.start(ORCHESTRATOR, { ...SUPPORT_START, ...restarted })).toMatchObject(spent)
    expect(await delegateBy(world.tasks, hand, "summarizer", "pod-2")).toMatchObject(spent)
    const asked = await world.approvals.request(asOrchestrator(ORCHESTRATOR), question(taskId))
    expect(asked).toMatchObject(spent)
    const told = [...(await entriesOf("token.refused")), ...(await entriesOf("task.refused"))]
    expect(new Set(told.map(({ body }) => body?.why))).toEqual(
      new Set(["[limit] uses of the task type is reached: 2 of 2"]),
    )
    await limitTasks(world, "uses: 3")
    expect(await world.tasks.change(ORCHESTRATOR, taskId, "resume")).toMatchObject({ state: "active" })
    await createReporter(world).report(useOf(taskId, "tickets:read"))
    expect(await stateOf(taskId)).toBe("paused")
  })

  test("C11 100 verifiers that report at once count every use, and pause the task once", async () => {
    await openLimited("uses: 60")
    const { taskId } = await startHand(world)
    const all = Array.from({ length: 100 }, () => createReporter(world).report(useOf(taskId, "tickets:read")))
    await Promise.all(all)
    expect(await stateOf(taskId)).toBe("paused")
    expect(await entriesOf("task.paused")).toHaveLength(1)
    const why = "[limit] uses of the task type is reached: 100 of 60"
    await world.tasks.renew(ORCHESTRATOR, taskId, {})
    expect((await entriesOf("token.refused"))[0]?.body?.why).toBe(why)
  })

  test.each(["uses", "resumption"])(
    "a paused task is not resumed past uses that are told at the same moment: %s first",
    async (first) => {
      await openLimited("uses: 1")
      const { taskId } = await startHand(world)
      must(await world.tasks.change(ORCHESTRATOR, taskId, "pause"))
      const resume = (by = world.tasks) => by.change(ORCHESTRATOR, taskId, "resume")
      const tell = (from = world) => createReporter(from).report(useOf(taskId, "tickets:read"))
      if (first === "uses") {
        expect(await resume(tasksBefore(world, () => tell()))).toMatchObject({ code: "uses_exhausted" })
      } else {
        const uses = createUses({ ...world, engine: engineBefore(world, async () => must(await resume())) })
        await tell({ ...world, uses })
      }
      expect(await stateOf(taskId)).toBe("paused")
    },
  )
})

describe("a use that is claimed first", () => {
  async function approved(taskId: string): Promise<string> {
    const asking = { ...question(taskId), parameters: { at: newId("use", 1) } }
    const { approval } = must(await world.approvals.request(asOrchestrator(ORCHESTRATOR), asking))
    must(await world.approvals.decide(LEAD, approval.approvalId, "grant"))
    const collected = must(
      await world.approvals.collect(asOrchestrator(ORCHESTRATOR), taskId, approval.approvalId),
    )
    const opened = openTaskToken(collected.tokens[0]?.accessToken ?? "", (kid) => world.keyring.keyOf(kid))
    return "token" in opened ? opened.token.jti : ""
  }
  const claim = (jti: string, use = newId("use", world.clock.now())) =>
    world.approvals.claim("tickets", { jti, use })

  test("C11 is within the limit exactly: of 100 claims for the last place one is given", async () => {
    await openLimited('uses_of: { "tickets:close": 1 }')
    const { taskId } = await startHand(world)
    const tokens = [await approved(taskId), await approved(taskId)]
    const given = await Promise.all(Array.from({ length: 100 }, (_, at) => claim(tokens[at % 2] ?? "")))
    expect(given.filter((code) => code === undefined)).toHaveLength(1)
    expect(await stateOf(taskId)).toBe("paused")
    expect(await entriesOf("task.paused")).toHaveLength(1)
  })

  test("counts once: asked for again, and when it is reported", async () => {
    await openLimited("uses: 3")
    const { taskId } = await startHand(world)
    const jti = await approved(taskId)
    const use = newId("use", world.clock.now())
    expect(await Promise.all([claim(jti, use), claim(jti, use)])).toEqual([undefined, undefined])
    const { report } = createReporter(world)
    await report(useOf(taskId, "tickets:close", { id: use, jti }), useOf(taskId, "tickets:read"))
    expect(await stateOf(taskId)).toBe("active")
    await report(useOf(taskId, "tickets:read"))
    expect(await stateOf(taskId)).toBe("paused")
  })
})

test("tasks whose type limits no uses cost a report nothing more", async () => {
  world = await openCrewWorld()
  const { taskId } = await startHand(world)
  const seen: string[] = []
  const { engine } = world
  const spy: Engine = {
    ...engine,
    query: (statement, values) => {
      seen.push(statement.name)
      return engine.query(statement, values)
    },
    atomically: (steps: readonly Step[]) => {
      seen.push(...steps.map(({ statement }) => statement.name))
      return engine.atomically(steps)
    },
    hearOthers: (listener) => engine.hearOthers(listener),
    close: () => engine.close(),
  }
  const reporter = createReporter({ ...world, uses: createUses({ ...world, engine: spy }) })
  await reporter.report(useOf(taskId, "tickets:read"))
  expect(seen).toContain("token.of_use")
  expect(seen.filter((name) => /^use_count|^approval/.test(name))).toEqual([])
  expect(must(await world.tasks.start(ORCHESTRATOR, SUPPORT_START))).not.toBeInstanceOf(Refusal)
})
