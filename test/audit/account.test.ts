// The account of a task against an oracle that reads every entry by itself: whatever was reported, in windows of whatever
// size, the sums are those of the ledger.
import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { readAccount, signedNow } from "../../src/audit/account.ts"
import { accountedTask } from "../../src/audit/account-statements.ts"
import { commitmentsIn, inClear } from "../../src/audit/opening.ts"
import { statement } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import type { Entry } from "../../src/ledger/entry.ts"
import type { Event } from "../../src/ledger/event.ts"
import { newId, newUuid } from "../../src/token/id.ts"
import { approvalDesk, createApprovalWorld } from "../support/approvals.ts"
import { createFolders } from "../support/folder.ts"
import type { World } from "../support/world.ts"

const newFolder = createFolders()
let world: World
const { start, ask, grant, collect } = approvalDesk(() => world)
beforeEach(async () => {
  world = await createApprovalWorld(newFolder())
})
afterEach(async () => {
  await world.leave()
})

async function accountOf(id: string, windows?: { uses: number; entries: number }) {
  const [row] = await world.engine.query(accountedTask, { task_id: id })
  const signed = await signedNow(world)
  if (!row || !signed) throw new Error("nothing to account for")
  const account = await readAccount(
    world.engine,
    { id, row, signed, state: "provisional", number: 1 },
    windows,
  )
  if (!account) throw new Error("the task's start is not told")
  return account
}

interface Reported {
  readonly kind: "use.allowed" | "use.observed" | "use.refused"
  readonly operation: "tickets:read" | "tickets:comment" | "tickets:close" | "tickets:other"
  readonly resource: "tickets/SUP-1042" | "tickets/SUP-1042/comments" | "tickets/SUP-9"
  readonly instance: "pod-1" | "pod-2"
  readonly count: number
  readonly after: number
}

const reported: fc.Arbitrary<Reported> = fc.record({
  kind: fc.constantFrom("use.allowed", "use.observed", "use.refused"),
  operation: fc.constantFrom("tickets:read", "tickets:comment", "tickets:close", "tickets:other"),
  resource: fc.constantFrom("tickets/SUP-1042", "tickets/SUP-1042/comments", "tickets/SUP-9"),
  instance: fc.constantFrom("pod-1", "pod-2"),
  count: fc.integer({ min: 1, max: 3 }),
  after: fc.integer({ min: 0, max: 5000 }),
})

async function tell(id: string, told: readonly Reported[]): Promise<void> {
  const key = (await world.engine.query(accountedTask, { task_id: id }))[0]?.key ?? undefined
  const steps = told.flatMap(({ after, count, ...use }) => {
    world.clock.advance(after)
    const refused = use.kind === "use.refused"
    const event: Event = {
      ...use,
      at: world.ledger.at(),
      task: id,
      agent: "triage-bot",
      orchestrator: "support-orchestrator",
      api: "tickets",
      outcome: refused ? "refused" : "allowed",
      ...(use.kind !== "use.allowed" && { code: "operation_not_granted" }),
      body: { use: newId("use"), verifier: newUuid(), ...(refused && count > 1 && { count }) },
    }
    return world.ledger.steps(event, key)
  })
  await world.names.ensure(["triage-bot", "pod-1", "pod-2", "tickets", "tickets:other"])
  if (steps.length > 0) await world.engine.atomically(steps)
}

/** All entries of a task, page by page. */
async function entriesOf(id: string): Promise<Entry[]> {
  const found: Entry[] = []
  for (let after: string | undefined; ; ) {
    const page = await world.ledger.read({ task: id, limit: 1000, ...(after !== undefined && { after }) })
    found.push(...page.entries)
    if (page.next === null) return found
    after = page.next
  }
}

/** What a reader counts who takes one entry after the other. */
function countedIn(entries: readonly Entry[]) {
  const by = (name: (entry: Entry) => string, kinds: readonly string[]) => {
    const sums: Record<string, number> = {}
    for (const entry of entries)
      if (kinds.includes(entry.kind))
        sums[name(entry)] = (sums[name(entry)] ?? 0) + Number(entry.body?.count ?? 1)
    return sums
  }
  const passed = ["use.allowed", "use.observed"]
  const pair = (entry: Entry) => `${entry.operation} ${entry.resource}`
  const holder = (entry: Entry) => `${entry.agent}/${entry.instance}`
  const ofOperation = (operation: string, resources: readonly string[]) =>
    entries.filter(
      (one) =>
        passed.includes(one.kind) && one.operation === operation && resources.includes(String(one.resource)),
    ).length
  const both = ["tickets/SUP-1042", "tickets/SUP-1042/comments"]
  return {
    allowed: by(pair, ["use.allowed"]),
    observed: by(pair, ["use.observed"]),
    refused: by((entry) => String(entry.operation), ["use.refused"]),
    held: by(holder, passed),
    rules: {
      "tickets:read": ofOperation("tickets:read", both),
      "tickets:comment": ofOperation("tickets:comment", both),
      "tickets:close": ofOperation("tickets:close", ["tickets/SUP-1042"]),
    },
    all: entries.filter(({ kind }) => passed.includes(kind)).length,
  }
}

/** The same of a statement. */
function saidIn(statement: ReturnType<typeof inClear>) {
  const sums = (rows: readonly (readonly [name: string, count: number])[]) => {
    const found: Record<string, number> = {}
    for (const [name, count] of rows) if (count > 0) found[name] = (found[name] ?? 0) + count
    return found
  }
  const { uses, authority, outside, holders, refusals } = statement
  const pair = (one: (typeof uses)[number]) => `${one.operation} ${one.resource}`
  const operations = authority.flatMap((rule) => rule.operations)
  const inRules = operations.map((one) => [one.operation, one.allowed + one.observed] as const)
  const covered = inRules.reduce((sum, [, count]) => sum + count, 0)
  return {
    allowed: sums(uses.map((one) => [pair(one), one.allowed])),
    observed: sums(uses.map((one) => [pair(one), one.observed])),
    refused: sums(refusals.map((one) => [String(one.operation), one.count])),
    held: sums(holders.map((one) => [`${one.agent}/${one.instance}`, one.allowed + one.observed])),
    rules: Object.fromEntries(inRules),
    all: covered + (outside ? outside.allowed + outside.observed : 0),
  }
}

describe("an account", () => {
  test("has the sums of the entries, in windows of any size", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(reported, { maxLength: 40 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        async (told, uses, entries) => {
          const { taskId } = await start()
          await tell(taskId, told)
          const all = await entriesOf(taskId)
          const { statement, opened } = await accountOf(taskId, { uses, entries })
          expect(saidIn(inClear(statement, opened))).toEqual(countedIn(all))
          expect(statement).toEqual((await accountOf(taskId)).statement)
          expect(statement.ledger).toMatchObject({ entries: all.length, last: all.at(-1)?.seq })
          for (const { operation, first, last } of statement.uses) {
            const at = all.filter((one) => one.operation === operation).map((one) => one.at)
            expect([at.includes(String(first)), at.includes(String(last))]).toEqual([true, true])
          }
        },
      ),
      { numRuns: 5 },
    )
  })

  test("names an operation as never used until a use of it passes", async () => {
    const { taskId } = await start()
    const never = async () =>
      (await accountOf(taskId)).statement.never_used.flatMap(({ operation }) => operation ?? [])
    expect(await never()).toEqual(["tickets:read", "tickets:comment", "tickets:close"])
    const use = { instance: "pod-1", resource: "tickets/SUP-1042", count: 1, after: 0 } as const
    await tell(taskId, [{ ...use, kind: "use.refused", operation: "tickets:read" }])
    expect(await never()).toContain("tickets:read")
    await tell(taskId, [{ ...use, kind: "use.allowed", operation: "tickets:comment" }])
    expect(await never()).toEqual(["tickets:read", "tickets:close"])
  })

  test("tells of more than a thousand resources as a sum, and counts each of them for its rule", async () => {
    const { taskId } = await start()
    const steps = Array.from({ length: 1100 }, (_, index) =>
      world.ledger.steps({
        kind: "use.allowed",
        at: world.ledger.at(),
        task: taskId,
        agent: "triage-bot",
        instance: "pod-1",
        api: "tickets",
        operation: "tickets:read",
        resource: `tickets/${index}`,
        outcome: "allowed",
        body: {},
      }),
    )
    await world.engine.atomically(steps.flat())
    const { statement } = await accountOf(taskId, { uses: 300, entries: 100 })
    expect([statement.uses.length, statement.further_uses?.allowed]).toEqual([1000, 100])
    expect([statement.outside?.allowed, statement.holders[0]?.allowed]).toEqual([1100, 1100])
  })

  test("tells of more than a thousand holders as a sum", async () => {
    const { taskId } = await start()
    const told = (kind: "use.allowed" | "use.refused", index: number) =>
      world.ledger.steps({
        kind,
        at: world.ledger.at(),
        task: taskId,
        agent: "triage-bot",
        instance: `pod-${index}`,
        api: "tickets",
        operation: "tickets:read",
        resource: "tickets/SUP-1042",
        ...(kind === "use.refused" && { code: "resource_not_granted" }),
        body: {},
      })
    const all = Array.from({ length: 1010 }, (_, index) => [
      ...told("use.refused", index),
      ...told("use.allowed", index),
    ])
    await world.engine.atomically(all.flat())
    const { statement } = await accountOf(taskId)
    const { tokens, refused, allowed } = statement.further_holders ?? {}
    expect([statement.holders.length, tokens, refused, allowed]).toEqual([1000, 0, 10, 10])
  })

  test("tells of approvals: who asked, who agreed, and what was collected", async () => {
    const { taskId } = await start()
    const { approval } = await ask(taskId)
    expect((await accountOf(taskId)).statement.approvals).toMatchObject([{ decision: "requested" }])
    await grant(approval.approvalId)
    await collect(taskId, approval.approvalId)
    const { statement, opened } = await accountOf(taskId)
    expect(inClear(statement, opened).approvals).toMatchObject([
      {
        approval: approval.approvalId,
        operation: "tickets:close",
        resource: "tickets/SUP-1042",
        reason: "It is solved",
        requested_by: "support-orchestrator",
        decision: "granted",
        by: "people/lin@example.com",
        as: "operations-team",
        collected: 1,
      },
    ])
  })

  test("opens what it commits to and nothing else: what was refused was chosen by whoever asked", async () => {
    const { taskId } = await start()
    const use = { operation: "tickets:read", instance: "pod-1", count: 1, after: 0 } as const
    await tell(taskId, [
      { ...use, kind: "use.refused", resource: "tickets/SUP-9" },
      { ...use, kind: "use.allowed", resource: "tickets/SUP-1042" },
    ])
    const { statement, opened } = await accountOf(taskId)
    const committed = commitmentsIn(statement)
    expect(opened.filter(({ hmac }) => !committed.has(hmac))).toEqual([])
    const values = opened.map(({ value }) => value)
    expect([values.includes("tickets/SUP-1042"), values.includes("tickets/SUP-9")]).toEqual([true, false])
  })

  const erase = statement(
    "test.erase",
    sql`UPDATE task SET key = NULL WHERE task_id = ${sql.placeholder("id")}`,
  )
  const eraseEntries = statement(
    "test.erase_entries",
    sql`UPDATE entry SET resource = NULL WHERE task = (SELECT id FROM task WHERE task_id = ${sql.placeholder("id")})`,
  )

  test("of an erased task counts as before, and opens and commits to nothing new", async () => {
    const { taskId } = await start()
    const use = { instance: "pod-1", count: 1, after: 0, kind: "use.allowed" } as const
    await tell(taskId, [{ ...use, operation: "tickets:read", resource: "tickets/SUP-1042" }])
    const before = await accountOf(taskId)
    await world.engine.atomically(
      [erase, eraseEntries].map((one) => ({ statement: one, values: { id: taskId } })),
    )
    const { statement: after, opened } = await accountOf(taskId)
    expect(after.task.erased).toBe(true)
    expect(after.authority[0]).toMatchObject({ allowed: 1, resources: [] })
    expect(opened.map(({ name }) => name)).not.toContain("resource")
    const known = commitmentsIn(before.statement)
    for (const hmac of commitmentsIn(after)) expect(known).toContain(hmac)
  })
})
