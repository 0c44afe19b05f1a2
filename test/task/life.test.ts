import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { statement } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { Refusal } from "../../src/errors.ts"
import type { Change } from "../../src/task/finish.ts"
import type { Started, StartRequest } from "../../src/task/start.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import { createWorld, SUPPORT_START, type World, writePolicies } from "../support/world.ts"

let world: World

beforeEach(async () => {
  world = await createWorld()
})

afterEach(async () => {
  await world.leave()
})

const ORCHESTRATOR = "support-orchestrator"
const change = (taskId: string, to: Change) => world.tasks.change(ORCHESTRATOR, taskId, to)

async function start(request: Partial<StartRequest> = {}): Promise<Started> {
  const started = await world.tasks.start(ORCHESTRATOR, { ...SUPPORT_START, ...request })
  if (started instanceof Refusal) throw new Error(`refused: ${started.code} ${started.reason}`)
  return started
}

function iatOf(text: string | undefined): number {
  const opened = openTaskToken(text ?? "", (kid) => world.keyring.keyOf(kid))
  return "token" in opened ? opened.token.iat : Number.NaN
}

/** One more task, as if many starts between had been undone. */
const farAbove = statement(
  "test.far_above",
  sql`INSERT INTO task (id, task_id, type, agent, instance, orchestrator, subject, state, started_at, deadline,
      request_digest, policy, authority, iat_floor)
    SELECT id + 1000, 'task_far', type, agent, instance, orchestrator, subject, state, started_at, deadline,
      request_digest, policy, authority, iat_floor FROM task ORDER BY id DESC LIMIT 1`,
)

const feed = async () => (await world.revocations.feed("tickets", 0, 100)).items

describe("the life of a task", () => {
  test.each([
    ["complete", "completed", "task.completed"],
    ["fail", "failed", "task.failed"],
    ["cancel", "canceled", "task.canceled"],
  ] as const)("%s ends it: entry, feed, and no way back", async (to, state, kind) => {
    const { taskId } = await start()
    expect(await change(taskId, to)).toMatchObject({ state })
    expect(await change(taskId, to)).toMatchObject({ state })
    expect(await feed()).toMatchObject([{ kind: "task", value: taskId, code: "task_ended" }])
    const { entries } = await world.ledger.read({ task: taskId })
    expect(entries.filter((entry) => entry.kind === kind)).toHaveLength(1)
    expect(await change(taskId, "resume")).toMatchObject({ code: "task_ended" })
    expect(await change(taskId, "pause")).toMatchObject({ code: "task_ended" })
    expect(await world.tasks.renew(ORCHESTRATOR, taskId, {})).toMatchObject({ code: "task_ended" })
  })

  test("a pause ends every live token, and what a resumption mints is later than what ended", async () => {
    const { taskId } = await start()
    await change(taskId, "pause")
    expect(await feed()).toMatchObject([{ kind: "task", value: taskId, code: "task_paused" }])
    expect(await world.tasks.renew(ORCHESTRATOR, taskId, {})).toMatchObject({ code: "task_paused" })
    const resumed = await change(taskId, "resume")
    if (resumed instanceof Refusal) throw new Error(resumed.reason)
    expect(resumed).toMatchObject({ state: "active" })
    expect(iatOf(resumed.tokens[0]?.accessToken)).toBeGreaterThan((await feed())[0]?.before ?? Infinity)
  })

  test("every change says why where it was told", async () => {
    const { taskId } = await start()
    for (const to of ["pause", "resume", "fail"] as const)
      await world.tasks.change(ORCHESTRATOR, taskId, to, `because of ${to}`)
    const { entries } = await world.ledger.read({ task: taskId })
    const told = entries.filter((entry) => entry.kind.startsWith("task.")).map((entry) => entry.body?.reason)
    expect(told).toEqual([undefined, "because of pause", "because of resume", "because of fail"])
  })

  test("a task that is past its deadline mints nothing and is recorded as expired", async () => {
    const { taskId } = await start()
    world.clock.advance(2 * 3600_000)
    expect(await world.tasks.renew(ORCHESTRATOR, taskId, {})).toMatchObject({ code: "task_ended" })
    expect(await world.tasks.sweep()).toBe(1)
    expect(await world.tasks.show({ clientId: ORCHESTRATOR, staff: false }, taskId)).toMatchObject({
      state: "expired",
    })
    expect((await world.ledger.read({ kind: "task.expired" })).entries).toHaveLength(1)
    expect(await world.tasks.sweep()).toBe(0)
  })

  test("no token outlives the deadline", async () => {
    const { taskId, deadline } = await start()
    world.clock.advance(2 * 3600_000 - 60_500)
    const renewed = await world.tasks.renew(ORCHESTRATOR, taskId, {})
    if (renewed instanceof Refusal) throw new Error(renewed.reason)
    const opened = openTaskToken(renewed.tokens[0]?.accessToken ?? "", (kid) => world.keyring.keyOf(kid))
    expect("token" in opened && opened.token.exp * 1000).toBeLessThanOrEqual(deadline)
  })

  test("a task for a user of whom nothing is kept mints nothing", async () => {
    const { taskId } = await start()
    const user = "people/ana@example.com"
    await world.names.subjects.ensure([user])
    const runFor = sql`UPDATE task SET subject = (SELECT id FROM subject WHERE text = ${sql.placeholder("user")})
      WHERE task_id = ${sql.placeholder("task_id")}`
    const values = { user, task_id: taskId }
    await world.engine.atomically([{ statement: statement("test.run_for", runFor), values, rows: 1 }])
    expect(await world.tasks.renew(ORCHESTRATOR, taskId, {})).toMatchObject({ code: "access_denied" })
  })

  test("somebody else's task answers like a missing one", async () => {
    const { taskId } = await start()
    for (const id of [taskId, taskId.slice(0, -1).concat("0")]) {
      expect(await world.tasks.change("release-orchestrator", id, "complete")).toMatchObject({
        code: "not_found",
      })
      expect(await world.tasks.renew("release-orchestrator", id, {})).toMatchObject({ code: "not_found" })
      expect(await world.tasks.show({ clientId: "release-orchestrator", staff: false }, id)).toMatchObject({
        code: "not_found",
      })
    }
  })
})

describe("a renewal", () => {
  test("gives the same rights and a new token, recorded as renewed", async () => {
    const first = await start()
    world.clock.advance(450_000)
    const renewed = await world.tasks.renew(ORCHESTRATOR, first.taskId, {})
    if (renewed instanceof Refusal) throw new Error(renewed.reason)
    expect(renewed.tokens[0]?.scope).toBe(first.tokens[0]?.scope)
    expect(renewed.tokens[0]?.accessToken).not.toBe(first.tokens[0]?.accessToken)
    expect((await world.ledger.read({ kind: "token.renewed" })).entries).toHaveLength(1)
    expect(await feed()).toEqual([])
  })

  test("never gets more than the task was started with, even where policy grew", async () => {
    const { taskId } = await start({ operations: ["tickets:read"] })
    const renewed = await world.tasks.renew(ORCHESTRATOR, taskId, {})
    expect(renewed).toMatchObject({ tokens: [{ scope: "tickets:read" }] })
  })

  test.each<[readonly string[], number]>([
    [["tickets:close"], 0],
    [["tickets:comment"], 0],
    [["tickets:read", "tickets:comment"], 1],
  ])("of %s, more than the task was started with, is refused whole", async (operations, at) => {
    const { taskId } = await start({ operations: ["tickets:read"] })
    const errors = [{ pointer: `/operations/${at}` }]
    const more = await world.tasks.renew(ORCHESTRATOR, taskId, { operations })
    expect(more).toMatchObject({ code: "operation_not_allowed", errors })
    const same = await world.tasks.renew(ORCHESTRATOR, taskId, { operations: ["tickets:read"] })
    expect(same).toMatchObject({ tokens: [{ scope: "tickets:read" }] })
  })

  test("of a part names what is held and what a person may open", async () => {
    const { taskId } = await start()
    const operations = ["tickets:read", "tickets:close"]
    const renewed = await world.tasks.renew(ORCHESTRATOR, taskId, { operations })
    expect(renewed).toMatchObject({ tokens: [{ scope: "tickets:read" }] })
  })

  test("gets no more than a fresh start would under the policy of now", async () => {
    const { taskId } = await start()
    const narrower = (await import("node:fs")).readFileSync(`${world.policyFolder}/support.yaml`, "utf8")
    writePolicies(world.policyFolder, {
      "support.yaml": narrower.replace(
        "operations: [tickets:read, tickets:comment]",
        "operations: [tickets:read]",
      ),
    })
    expect(await world.policies.reload()).toBe("loaded")
    const renewed = await world.tasks.renew(ORCHESTRATOR, taskId, {})
    expect(renewed).toMatchObject({ tokens: [{ scope: "tickets:read" }] })
  })

  test("a bound task is never renewed or taken over without a key", async () => {
    const jkt = "A".repeat(42).concat("E")
    const { taskId, tokens } = await start({ dpopJkt: jkt })
    expect(tokens[0]?.tokenType).toBe("DPoP")
    expect(await world.tasks.renew(ORCHESTRATOR, taskId, {})).toMatchObject({
      tokens: [{ tokenType: "DPoP" }, { tokenType: "DPoP", scope: "task:ask" }],
    })
    expect(await world.tasks.renew(ORCHESTRATOR, taskId, { instance: "pod-2" })).toMatchObject({
      code: "key_required",
    })
  })

  test("many changes of holder within a second never share it", async () => {
    const { taskId } = await start()
    const iats: number[] = []
    for (let count = 0; count < 4; count++) {
      const renewed = await world.tasks.renew(ORCHESTRATOR, taskId, { instance: `pod-${count + 2}` })
      if (renewed instanceof Refusal) throw new Error(renewed.reason)
      iats.push(iatOf(renewed.tokens[0]?.accessToken))
    }
    expect(new Set(iats).size).toBe(4)
    const next = await world.tasks.renew(ORCHESTRATOR, taskId, { instance: "pod-9" })
    expect(next).toMatchObject({ code: "task_conflict" })
    world.clock.advance(5000)
    expect(await world.tasks.renew(ORCHESTRATOR, taskId, { instance: "pod-9" })).toHaveProperty("tokens")
  })
})

describe("what is seen of tasks", () => {
  test("an orchestrator lists its own, staff all, page by page", async () => {
    const ids: string[] = []
    for (let count = 0; count < 5; count++) ids.push((await start()).taskId)
    const page = await world.tasks.list({ clientId: ORCHESTRATOR, staff: false }, { limit: 3 })
    expect(page.tasks.map((task) => task.taskId)).toEqual(ids.slice(2).reverse())
    const rest = await world.tasks.list(
      { clientId: "audit-team", staff: true },
      { limit: 3, after: page.next ?? "" },
    )
    expect(rest).toMatchObject({ next: null })
    expect(rest.tasks.map((task) => task.taskId)).toEqual(ids.slice(0, 2).reverse())
    const none = await world.tasks.list({ clientId: "release-orchestrator", staff: false }, { limit: 3 })
    expect(none.tasks).toEqual([])
  })

  test("is looked through to its end, whatever numbers starts that were refused have used up", async () => {
    const { taskId } = await start()
    await start()
    await world.engine.atomically([{ statement: farAbove, values: {}, rows: 1 }])
    const found: string[] = []
    for (let after: string | undefined, page = 0; page < 9; page++) {
      const filter = { state: "active", type: "triage-ticket", limit: 3, looked: 1, ...(after && { after }) }
      const { tasks, next } = await world.tasks.list({ clientId: ORCHESTRATOR, staff: true }, filter)
      found.push(...tasks.map((task) => task.taskId))
      if (next === null) break
      after = next
    }
    expect(found).toHaveLength(3)
    expect(found.at(-1)).toBe(taskId)
  })

  test("a task shows its tokens by state and its timeline", async () => {
    const { taskId } = await start()
    world.clock.advance(601_000)
    await world.tasks.renew(ORCHESTRATOR, taskId, {})
    const shown = await world.tasks.show({ clientId: ORCHESTRATOR, staff: false }, taskId)
    expect(shown).toMatchObject({ tokens: [{ state: "expired" }, { state: "live" }] })
    expect(shown).toMatchObject({
      timeline: [{ kind: "task.started" }, { kind: "token.issued" }, { kind: "token.renewed" }],
    })
  })
})
