import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { decodeJwt } from "jose"
import { afterEach, describe, expect, test } from "vitest"
import type { Engine } from "../../src/database/database.ts"
import { Refusal } from "../../src/errors.ts"
import { asOrchestrator } from "../../src/task/approval.ts"
import { createTasks } from "../../src/task/task.ts"
import { createUsageReader } from "../../src/task/usage.ts"
import { LEAD as OPERATIONS, question } from "../support/approvals.ts"
import {
  delegateBy,
  exchangeBy,
  type Hand,
  must,
  ORCHESTRATOR,
  openCrewWorld,
  startHand,
} from "../support/crew-world.ts"
import { ISSUER, SUPPORT_START, type World } from "../support/world.ts"

let world: World
afterEach(async () => {
  await world.leave()
})

const LEAD = { ...OPERATIONS, name: "leads" }
const AGENT = ["renew: agent", "renewal_grace: 10m"]
const openWith = async (when: string) => {
  world = await openCrewWorld({ members: [...AGENT, `when: '${when}'`] })
}

/** Puts a condition before the resources of the grant of an operation, and takes it into force. */
async function onGrant(operations: string, when: string): Promise<void> {
  const path = join(world.policyFolder, "support.yaml")
  const text = readFileSync(path, "utf8")
  writeFileSync(
    path,
    text.replace(`operations: [${operations}]\n`, (line) => `${line}        when: '${when}'\n`),
  )
  expect(await world.policies.reload()).toBe("loaded")
}

const refusals = async () =>
  (await world.ledger.read({ outcome: "refused" })).entries.map(({ kind, code, body }) => [
    kind,
    code,
    body?.why,
  ])

const asked = async ({ taskId }: Hand) =>
  must(await world.approvals.request(asOrchestrator(ORCHESTRATOR), question(taskId))).approval.approvalId

/** What each mint needs, and the mint. */
type Mint = (hand: Hand) => Promise<() => Promise<unknown>>
const MINTS: Readonly<Record<string, Mint>> = {
  start: async () => () => world.tasks.start(ORCHESTRATOR, SUPPORT_START),
  renew:
    async ({ taskId }) =>
    () =>
      world.tasks.renew(ORCHESTRATOR, taskId, {}),
  resume: async ({ taskId }) => {
    must(await world.tasks.change(ORCHESTRATOR, taskId, "pause"))
    return () => world.tasks.change(ORCHESTRATOR, taskId, "resume")
  },
  exchange: async (hand) => () => exchangeBy(world.tasks, hand),
  narrow: async (hand) => () =>
    exchangeBy(world.tasks, hand, { narrowing: { operations: ["tickets:read"] } }),
  delegate: async (hand) => () => delegateBy(world.tasks, hand, "summarizer", "pod-2"),
  collect:
    async ({ taskId }) =>
    () =>
      world.tasks.collect("triage-bot", taskId, {}),
  ask:
    async ({ taskId }) =>
    () =>
      world.approvals.request(asOrchestrator(ORCHESTRATOR), question(taskId)),
  approve: async (hand) => {
    const id = await asked(hand)
    return () => world.approvals.decide(LEAD, id, "grant")
  },
  "collect approved": async (hand) => {
    const id = await asked(hand)
    must(await world.approvals.decide(LEAD, id, "grant"))
    return () => world.approvals.collect(asOrchestrator(ORCHESTRATOR), hand.taskId, id)
  },
}

describe("every mint asks the task's condition, as of now", () => {
  const UNTIL = 'now < timestamp("2026-03-01T09:05:00Z")'
  test.each(Object.entries(MINTS))("%s", async (_, prepare) => {
    await openWith(UNTIL)
    const before = await prepare(await startHand(world, { reference: "before" }))
    expect(await before()).not.toBeInstanceOf(Refusal)
    const mint = await prepare(await startHand(world, { reference: "after" }))
    world.clock.advance(5 * 60_000)
    expect(await mint()).toMatchObject({ code: "condition_not_met" })
    const told = [expect.any(String), "condition_not_met", "[condition] support.yaml:42:11 does not hold"]
    expect(await refusals()).toEqual([told])
  })
})

test("a condition that can't be told refuses, and the ledger says why", async () => {
  await openWith('task.reference == "run-1"')
  const refused = await world.tasks.start(ORCHESTRATOR, SUPPORT_START)
  expect(refused).toMatchObject({ code: "condition_not_met" })
  const why = "[condition] support.yaml:42:11 can't be told: No such key: reference"
  expect(await refusals()).toEqual([["task.refused", "condition_not_met", why]])
  must(await world.tasks.start(ORCHESTRATOR, { ...SUPPORT_START, reference: "run-1" }))
})

test("purpose, reference and instance are the task's own at later mints, too", async () => {
  await openWith('task.purpose == "P" && task.reference == "R" && agent.instance == "pod-1"')
  const { taskId } = await startHand(world, { purpose: "P", reference: "R" })
  must(await world.tasks.renew(ORCHESTRATOR, taskId, {}))
  const other = await world.tasks.renew(ORCHESTRATOR, taskId, { instance: "pod-2", dpopJkt: "k".repeat(43) })
  expect(other).toMatchObject({ code: "condition_not_met" })
})

describe("a grant's condition", () => {
  test("leaves the grant out while it does not hold, and the rest is minted", async () => {
    world = await openCrewWorld()
    const before = await startHand(world)
    await onGrant("tickets:read, tickets:comment", 'task.purpose == "Read"')
    const scopeOf = (token: string) => decodeJwt(token).scope
    expect(scopeOf(before.tickets)).toBe("tickets:read tickets:comment")
    const { tokens } = must(await world.tasks.renew(ORCHESTRATOR, before.taskId, {}))
    expect(tokens.map(({ resource }) => resource)).toEqual([ISSUER])
    expect(scopeOf((await startHand(world, { purpose: "Read" })).tickets)).toBe(
      "tickets:read tickets:comment",
    )
    const asking = { ...SUPPORT_START, operations: ["tickets:read"] }
    expect(await world.tasks.start(ORCHESTRATOR, asking)).toMatchObject({
      code: "condition_not_met",
      errors: [{ pointer: "/operations/0" }],
    })
  })

  test("is asked again before a person's yes becomes a token", async () => {
    world = await openCrewWorld()
    const hand = await startHand(world)
    const id = await asked(hand)
    must(await world.approvals.decide(LEAD, id, "grant"))
    await onGrant("tickets:close", "false")
    const collected = await world.approvals.collect(asOrchestrator(ORCHESTRATOR), hand.taskId, id)
    expect(collected).toBeInstanceOf(Refusal)
    expect(await world.approvals.request(asOrchestrator(ORCHESTRATOR), question(hand.taskId))).toMatchObject({
      code: "operation_not_allowed",
    })
  })
})

describe("usage", () => {
  test("is what the agent did in the last hour, by whichever orchestrator and type", async () => {
    await openWith("usage.starts < 3 && usage.refusals < 2")
    for (let start = 0; start < 3; start += 1) must(await world.tasks.start(ORCHESTRATOR, SUPPORT_START))
    expect(await world.tasks.start(ORCHESTRATOR, SUPPORT_START)).toMatchObject({ code: "condition_not_met" })
    world.clock.advance(3600_000)
    must(await world.tasks.start(ORCHESTRATOR, SUPPORT_START))
    for (let refused = 0; refused < 2; refused += 1)
      await world.tasks.start(ORCHESTRATOR, { ...SUPPORT_START, inputs: {} })
    expect(await world.tasks.start(ORCHESTRATOR, SUPPORT_START)).toMatchObject({ code: "condition_not_met" })
  })

  test("of an agent that did more than can be counted is not told, until an hour has been counted", async () => {
    world = await openCrewWorld()
    const usage = createUsageReader(world.engine, 8)
    const read = () => usage.read("triage-bot", world.clock.now())
    expect(await read()).toEqual({ starts: 0, uses: 0, refusals: 0 })
    for (let start = 0; start < 3; start += 1) must(await world.tasks.start(ORCHESTRATOR, SUPPORT_START))
    expect(await Promise.all([read(), read()])).toEqual(Array(2).fill({ starts: 3, uses: 0, refusals: 0 }))
    for (let start = 0; start < 8; start += 1) must(await world.tasks.start(ORCHESTRATOR, SUPPORT_START))
    expect(await read()).toBeUndefined()
    world.clock.advance(60_000)
    must(await world.tasks.start(ORCHESTRATOR, SUPPORT_START))
    world.clock.advance(58 * 60_000)
    expect(await read()).toBeUndefined()
    world.clock.advance(60_000)
    expect(await read()).toEqual({ starts: 1, uses: 0, refusals: 0 })
  })

  test("is read only where a condition asks for it", async () => {
    const read: string[] = []
    const tasksOf = ({ engine, ...parts }: World) => {
      const spy: Engine = {
        ...engine,
        query: (statement, values) => {
          read.push(statement.name)
          return engine.query(statement, values)
        },
        atomically: (steps) => engine.atomically(steps),
        hearOthers: (listener) => engine.hearOthers(listener),
        close: () => engine.close(),
      }
      return createTasks({ ...parts, engine: spy })
    }
    await openWith('task.purpose != ""')
    const tasks = tasksOf(world)
    must(await tasks.start(ORCHESTRATOR, SUPPORT_START))
    expect(read.filter((name) => name.startsWith("usage."))).toEqual([])
    await onGrant("tickets:close", "usage.starts < 100")
    must(await tasks.start(ORCHESTRATOR, SUPPORT_START))
    expect(read.filter((name) => name.startsWith("usage."))).not.toEqual([])
  })
})
