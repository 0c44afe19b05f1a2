// What is told of a task whose person is erased, afterwards or just then: it stands in the ledger, and no value of it rests.
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { type Engine, statement } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { insertBytes } from "../../src/ledger/statements.ts"
import { verifyLedger } from "../../src/ledger/verify.ts"
import { databaseSource } from "../../src/ledger/verify-database.ts"
import { expireApprovals } from "../../src/task/approval-expire.ts"
import { createErasures } from "../../src/task/erase.ts"
import { createExposures } from "../../src/task/exposure.ts"
import { createIntrospections } from "../../src/task/introspection.ts"
import { assembleParts } from "../../src/task/parts.ts"
import { createTasks } from "../../src/task/task.ts"
import { createUses } from "../../src/task/use.ts"
import { newId } from "../../src/token/id.ts"
import { mustBe } from "../support/approvals.ts"
import {
  createCanaryWorld,
  play,
  reportUse,
  restingIn,
  signedTexts,
  VERA,
  type Visit,
} from "../support/canary-world.ts"
import { createFolders } from "../support/folder.ts"
import type { World } from "../support/world.ts"

const newFolder = createFolders()
const BY = { by: "people/lin@example.com", as: "operations-team", reason: "They asked for it" }
let world: World
/** One of VERA's, ended. */
let visit: Visit

beforeEach(async () => {
  world = await createCanaryWorld(newFolder())
  visit = (await play(world)).second
  world.clock.advance(3_600_000)
})
afterEach(async () => {
  await world.leave()
})

const addDelegation = statement(
  "test.delegation",
  sql`INSERT INTO delegation (delegation_id, task, parent, agent, instance, authority, started_at, ended_at)
    SELECT ${sql.placeholder("delegation")}, id, 0, agent, instance, '[]', 0, 1 FROM task
    WHERE task_id = ${sql.placeholder("task_id")}`,
)
const touchAll = statement(
  "test.touch_all",
  sql`INSERT INTO anomaly_task (task, agent, type, started_at, uses, refused, touched, told_at, seq, acted)
    SELECT id, agent, type, 0, 1, 0, ${sql.placeholder("touched")}, 0, 1, '' FROM task`,
)
const touchedTasks = statement<{ task_id: string }>(
  "test.touched_tasks",
  sql`SELECT t.task_id AS task_id FROM anomaly_task a JOIN task t ON t.id = a.task ORDER BY t.id`,
)
const erase = async () => mustBe(await createErasures(world).subject(BY, VERA))
async function expectNothingRests() {
  const texts = ["vera.canary", "LATECANARY"]
  expect(await restingIn(world, texts)).toEqual([])
  const signed = await signedTexts(world)
  expect(texts.filter((one) => signed.some((text) => text.includes(one)))).toEqual([])
  await world.sequence.advance()
  const verdict = await verifyLedger({ source: await databaseSource(world.engine) })
  expect(verdict).toMatchObject({ verdict: "verified" })
}

/** What is told of a task that has ended. */
const LATE: readonly [string, (parts: World) => Promise<void>][] = [
  [
    "an API asks about its token",
    async (parts) => {
      const asker = { clientId: "tickets", kind: "api" } as const
      await createIntrospections(parts).introspect(asker, visit.text)
      const { entries } = await world.ledger.read({ kind: "token.introspected" })
      const { task } = visit
      expect(entries).toMatchObject([
        { task_id: task, outcome: "refused", sub: { hmac: expect.any(String) } },
      ])
    },
  ],
  [
    "a verifier reports a use",
    async (parts) => {
      const uses = createUses(parts)
      await reportUse({ ...parts, uses }, { ...visit, ticket: "LATECANARY-1" })
      const { entries } = await world.ledger.read({ task: visit.task, kind: "use.allowed" })
      expect(entries).toMatchObject([{ resource: { hmac: expect.any(String) } }])
    },
  ],
  [
    "its orchestrator renews it",
    async (parts) => {
      const refused = await createTasks(parts).renew("support-orchestrator", visit.task, {})
      expect(refused).toMatchObject({ code: "task_ended" })
    },
  ],
  [
    "somebody finds its token",
    async (parts) => {
      const places = [{ file: "/home/LATECANARY.log", line: 7 }]
      const told = [{ jti: visit.jti, places, found: 1, standing: "genuine" as const }]
      expect(await createExposures(parts).record("audit-team", told)).toMatchObject([{ recorded: true }])
      const { entries } = await world.ledger.read({ jti: visit.jti, kind: "token.exposed" })
      expect(entries).toMatchObject([{ task_id: visit.task }])
    },
  ],
]

describe.each(LATE)("of a task whose person is erased nothing rests where %s", (_, late) => {
  test("afterwards", async () => {
    await erase()
    await late(world)
    await expectNothingRests()
  })

  test("meanwhile: between what was read for its entry and the entry", async () => {
    let erased = false
    const engine: Engine = {
      ...world.engine,
      query: (...asked) => world.engine.query(...asked),
      async atomically(steps) {
        if (!erased && steps.some(({ statement }) => statement === insertBytes)) {
          erased = true
          await erase()
        }
        await world.engine.atomically(steps)
      },
    }
    await late({ ...world, engine })
    expect(erased).toBe(true)
    await expectNothingRests()
  })
})

test("a task that is erased alone takes along why its token and its delegations were ended", async () => {
  const delegation = newId("del")
  await world.engine.atomically([{ statement: addDelegation, values: { delegation, task_id: visit.task } }])
  const orders = [
    { kind: "token", value: visit.jti },
    { kind: "delegation", value: delegation },
    { kind: "task", value: visit.task },
  ] as const
  for (const order of orders)
    mustBe(await world.revocations.revoke("operations-team", { ...order, reason: "LATECANARY" }))
  mustBe(await createErasures(world).task(BY, visit.task))
  const { revocations } = await world.revocations.page({ limit: orders.length })
  expect(revocations.map(({ kind }) => kind).sort()).toEqual(orders.map(({ kind }) => kind).sort())
  expect(revocations.map(({ reason }) => reason)).toEqual(orders.map(() => undefined))
})

test("a task that is erased alone takes along the hashes of what it touched, and no other's", async () => {
  const touched = new Uint8Array([1, 2, 3])
  await world.engine.atomically([{ statement: touchAll, values: { touched } }])
  const all = await world.engine.query(touchedTasks)
  expect(all.map(({ task_id }) => task_id)).toContain(visit.task)
  mustBe(await createErasures(world).task(BY, visit.task))
  expect(await world.engine.query(touchedTasks)).toEqual(all.filter(({ task_id }) => task_id !== visit.task))
})

test("a question that nobody decided expires without the person and the resource that it was about", async () => {
  await erase()
  world.clock.advance(3 * 3_600_000)
  expect(await expireApprovals(assembleParts(world))).toBe(1)
  const { entries } = await world.ledger.read({ kind: "approval.expired" })
  expect(entries).toMatchObject([{ operation: "tickets:comment", body: { approval: expect.any(String) } }])
  expect(Object.keys(entries[0] ?? {}).filter((name) => name === "sub" || name === "resource")).toEqual([])
  await expectNothingRests()
})
