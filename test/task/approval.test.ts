import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { statement } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { Refusal } from "../../src/errors.ts"
import { asOrchestrator } from "../../src/task/approval.ts"
import { isOwnQuestion } from "../../src/task/approval-decide.ts"
import {
  approvalDesk,
  createApprovalWorld,
  LEAD,
  mustBe,
  ORCHESTRATOR,
  PARAMETERS,
  question,
} from "../support/approvals.ts"
import { createFolders } from "../support/folder.ts"
import type { World } from "../support/world.ts"

const newFolder = createFolders()
let world: World
const { start, ask, grant, collect, kindsOf, approved } = approvalDesk(() => world)

beforeEach(async () => {
  world = await createApprovalWorld(newFolder())
})
afterEach(async () => {
  await world.leave()
})

/** The task as one that a person has started. */
async function runFor(taskId: string, user: string): Promise<void> {
  await world.names.subjects.ensure([user])
  const change = sql`UPDATE task SET subject = (SELECT id FROM subject WHERE text = ${sql.placeholder("user")})
    WHERE task_id = ${sql.placeholder("task_id")}`
  const values = { user, task_id: taskId }
  await world.engine.atomically([{ statement: statement("run-for", change), values, rows: 1 }])
}

describe("what needs a person", () => {
  test("is not in the tokens of a start, and the answer names it", async () => {
    const started = await start()
    expect(started.tokens.map(({ scope }) => scope)).toEqual(["tickets:read tickets:comment"])
    expect(started.approvals).toEqual([
      { operations: ["tickets:close"], resources: ["tickets/SUP-1042"], by: ["operations-team"] },
    ])
    expect(mustBe(await world.tasks.renew("support-orchestrator", started.taskId, {})).tokens[0]?.scope).toBe(
      "tickets:read tickets:comment",
    )
  })

  test("is named again by the same start", async () => {
    const [first, again] = [await start({ reference: "r" }), await start({ reference: "r" })]
    expect(again).toMatchObject({ created: false, approvals: first.approvals })
  })

  test("can be all that a task asks for: it starts without a token", async () => {
    const started = await start({ operations: ["tickets:close"] })
    expect([started.tokens, started.approvals.length]).toEqual([[], 1])
    const { approval } = await ask(started.taskId)
    await grant(approval.approvalId)
    expect(mustBe(await collect(started.taskId, approval.approvalId)).tokens).toHaveLength(1)
  })

  test("C13 missing: no renewal ever yields it", async () => {
    const { taskId } = await start()
    const renewed = await world.tasks.renew("support-orchestrator", taskId, { operations: ["tickets:close"] })
    expect(renewed).toMatchObject({ code: "approval_required" })
    expect(await collect(taskId, "apr_00000000-0000-7000-8000-000000000000")).toMatchObject({
      code: "approval_invalid",
    })
  })

  test("what a start left out can't be asked for later", async () => {
    const { taskId } = await start({ operations: ["tickets:read"] })
    expect(await world.approvals.request(ORCHESTRATOR, question(taskId))).toMatchObject({
      code: "operation_not_allowed",
    })
  })
})

describe("asking", () => {
  test("waits for a person, and says who decides, with the parameters as they are bound", async () => {
    const { taskId } = await start()
    const { created, approval } = await ask(taskId)
    expect(created).toBe(true)
    expect(approval).toMatchObject({
      taskId,
      state: "requested",
      by: ["operations-team"],
      requestedBy: "support-orchestrator",
      parameters: '{"notify":["ana"],"resolution":"fixed"}',
    })
    expect(await collect(taskId, approval.approvalId)).toMatchObject({ code: "approval_pending" })
  })

  test("the same question that is open already is not asked again, in whatever order its members stand", async () => {
    const { taskId } = await start()
    const first = await ask(taskId)
    const again = await ask(taskId, {
      parameters: { notify: ["ana"], resolution: "fixed" },
      reason: "Please",
    })
    expect(again).toMatchObject({ created: false, approval: { approvalId: first.approval.approvalId } })
    await grant(first.approval.approvalId)
    const granted = await ask(taskId)
    expect(granted).toMatchObject({ created: false, approval: { state: "granted" } })
    mustBe(await collect(taskId, first.approval.approvalId))
    expect((await ask(taskId)).created).toBe(true)
  })

  test("again what was granted and never collected is another question once that is over, swept or not", async () => {
    const { taskId } = await approved()
    world.clock.advance(15 * 60_000)
    expect((await ask(taskId)).created).toBe(true)
  })

  test("is over with the task's deadline, swept or not", async () => {
    const { taskId, deadline } = await start()
    world.clock.advance(deadline - world.clock.now())
    const late = await world.approvals.request(ORCHESTRATOR, question(taskId))
    expect(late).toMatchObject({ code: "task_ended" })
  })

  test("20 racing askers of one question: one question", async () => {
    const { taskId } = await start()
    const asked = await Promise.all(Array.from({ length: 20 }, () => ask(taskId)))
    expect(new Set(asked.map(({ approval }) => approval.approvalId)).size).toBe(1)
    expect(asked.filter(({ created }) => created)).toHaveLength(1)
  })

  test.each([
    ["another operation", { operation: "tickets:delete" }, "operation_not_allowed"],
    ["what needs no approval", { operation: "tickets:read" }, "operation_not_allowed"],
    ["another resource", { resource: ["tickets", "SUP-1"] }, "operation_not_allowed"],
    ["parameters over 8 KiB", { parameters: "x".repeat(8200) }, "invalid_request"],
  ])("about %s is refused", async (_what, changes, code) => {
    const { taskId } = await start()
    expect(await world.approvals.request(ORCHESTRATOR, question(taskId, changes))).toMatchObject({ code })
  })

  test("about another orchestrator's task answers like about none", async () => {
    const { taskId } = await start()
    const other = await world.approvals.request(asOrchestrator("release-orchestrator"), question(taskId))
    const none = await world.approvals.request(ORCHESTRATOR, question("task_none"))
    expect([other, none]).toMatchObject([{ code: "not_found" }, { code: "not_found" }])
  })

  test("is bounded: nobody reads more than 20 open questions of one task", async () => {
    const { taskId } = await start()
    for (let n = 0; n < 20; n += 1) await ask(taskId, { parameters: n })
    expect(await world.approvals.request(ORCHESTRATOR, question(taskId))).toMatchObject({
      code: "limit_reached",
    })
  })
})

describe("deciding", () => {
  test.each([
    ["the requester", "support-orchestrator", "people/ana@example.com"],
    ["the user that the task runs for", "people/ana@example.com", "people/ana@example.com"],
  ])("C13 by %s itself is refused, and recorded", async (_who, person, user) => {
    const { taskId } = await start()
    const { approval } = await ask(taskId)
    await runFor(taskId, user)
    const decider = { name: "operations-team", person }
    const refused = await world.approvals.decide(decider, approval.approvalId, "grant")
    expect(refused).toMatchObject({ code: "approver_not_allowed" })
    const { entries } = await world.ledger.read({ task: taskId })
    expect(entries.at(-1)).toMatchObject({ kind: "task.refused", code: "approver_not_allowed" })
  })

  test("by staff that the grant does not name answers like about none", async () => {
    const { approval } = await ask((await start()).taskId)
    const other = { name: "audit-team", person: "people/eve@example.com" }
    expect(await world.approvals.decide(other, approval.approvalId, "grant")).toMatchObject({
      code: "not_found",
    })
    expect(await world.approvals.show({ deciders: ["audit-team"] }, approval.approvalId)).toMatchObject({
      code: "not_found",
    })
    expect((await world.approvals.list({ deciders: ["audit-team"] }, { limit: 9 })).approvals).toEqual([])
    expect(
      (await world.approvals.list({ deciders: ["operations-team", "audit-team"] }, { limit: 9 })).approvals,
    ).toHaveLength(1)
  })

  test("happens once: 20 people at the same time, one decision", async () => {
    const { taskId } = await start()
    const { approval } = await ask(taskId)
    const decided = await Promise.all(
      Array.from({ length: 20 }, (_each, n) =>
        world.approvals.decide(
          { name: "operations-team", person: `people/${n}@example.com` },
          approval.approvalId,
          n % 2 === 0 ? "grant" : "deny",
        ),
      ),
    )
    expect(decided.filter((one) => !(one instanceof Refusal))).toHaveLength(1)
    const kinds = await kindsOf(taskId)
    expect(kinds.filter((kind) => /^approval\.(granted|denied)$/.test(kind))).toHaveLength(1)
  })

  test("the same again is an answer, another is a conflict", async () => {
    const { approval } = await ask((await start()).taskId)
    await grant(approval.approvalId)
    expect(await grant(approval.approvalId)).toMatchObject({ state: "granted", decidedBy: LEAD.person })
    expect(await world.approvals.decide(LEAD, approval.approvalId, "deny")).toMatchObject({
      code: "approval_decided",
    })
  })

  test("C13 denied: nothing is collected", async () => {
    const { taskId } = await start()
    const { approval } = await ask(taskId)
    mustBe(await world.approvals.decide(LEAD, approval.approvalId, "deny", "Not yet"))
    expect(await collect(taskId, approval.approvalId)).toMatchObject({ code: "approval_denied" })
  })

  test("names the person in the ledger; what was asked stands in no hashed byte", async () => {
    const { taskId } = await approved()
    const bytes = await world.engine.query(
      statement<{ bytes: Uint8Array }>("bytes", sql`SELECT bytes FROM entry_bytes`),
    )
    const written = bytes.map((row) => Buffer.from(row.bytes).toString()).join()
    expect(written).toContain("approval.granted")
    expect(written).not.toMatch(/fixed|SUP-1042|It is solved/)
    const { entries } = await world.ledger.read({ task: taskId })
    const [asked, granted] = entries.filter(({ kind }) => kind.startsWith("approval."))
    expect(asked?.body).toMatchObject({ requested_by: "support-orchestrator", parameters: PARAMETERS })
    expect(granted).toMatchObject({ kind: "approval.granted", body: { as: LEAD.name, by: LEAD.person } })
  })

  test("holds for no longer than the task", async () => {
    const { taskId, deadline } = await start()
    world.clock.advance(deadline - 60_000 - world.clock.now())
    const { approval } = await ask(taskId)
    expect(await grant(approval.approvalId)).toMatchObject({ expiresAt: deadline })
  })

  test("C13 by whoever asked, under the name of the policy as well as in person: never", () => {
    const own = (requestedBy: string) => isOwnQuestion(LEAD, { requestedBy, sub: "support-orchestrator" })
    expect([LEAD.name, LEAD.person, "support-orchestrator"].map(own)).toEqual([true, true, false])
  })

  test("is not for a task that has ended; for a paused one it is", async () => {
    const { taskId } = await start()
    const { approval } = await ask(taskId)
    const other = await ask(taskId, { parameters: 2 })
    await world.tasks.change("support-orchestrator", taskId, "pause")
    await grant(approval.approvalId)
    expect(await collect(taskId, approval.approvalId)).toMatchObject({ code: "task_paused" })
    await world.tasks.change("support-orchestrator", taskId, "cancel")
    expect(await world.approvals.decide(LEAD, other.approval.approvalId, "grant")).toMatchObject({
      code: "approval_decided",
    })
  })
})
