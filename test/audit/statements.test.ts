// What is looked at every few seconds reads little, however many tasks, tokens and entries there are: each statement is
// found by an index on both engines, and none goes through a whole table.
import { beforeAll, expect, test } from "vitest"
import * as activity from "../../src/audit/activity-statements.ts"
import * as anomaly from "../../src/audit/anomaly/statements.ts"
import * as living from "../../src/audit/living-statements.ts"
import * as posture from "../../src/audit/posture/statements.ts"
import * as rollup from "../../src/audit/rollup-statements.ts"
import * as audit from "../../src/audit/statements.ts"
import { createCompiler } from "../../src/database/compiled.ts"
import type { Statement } from "../../src/database/database.ts"
import { POSTGRES_SPELLING, SQLITE_SPELLING } from "../../src/database/drizzle.ts"
import { findEntries } from "../../src/ledger/statements.ts"
import { holdBothEngines } from "../support/both-engines.ts"

const LOOKS: [string, Statement<unknown>][] = [
  activity.agentSeen,
  activity.delegationsOfAgent,
  activity.hoursOfAgent,
  activity.hoursOfAll,
  activity.isNameKnown,
  activity.newestRefusals,
  activity.operationsOfAgent,
  activity.resourcesOfAgent,
  activity.standingCounts,
  activity.tasksOfAgent,
  living.liveGroups,
  living.taskAges,
  living.taskSlice,
  living.tokenAges,
  living.tokenSlice,
  posture.askedSince,
  posture.firstDay,
  posture.givenSince,
  posture.heardSince,
  posture.startedSince,
  anomaly.actedOn,
  anomaly.endedTasks,
  anomaly.hoursOf,
  anomaly.misuseBetween,
  anomaly.newOperations,
  anomaly.openTasks,
  anomaly.sizesOf,
  anomaly.tasksBehind,
  anomaly.workedHours,
  anomaly.workedTasks,
  rollup.delegatedBefore,
  rollup.entriesOfDays,
  rollup.entriesToCount,
  rollup.mintedWith,
  rollup.privilegesOfAgent,
  rollup.privilegesOfAll,
  rollup.rollupPlaces,
  rollup.seenInDays,
  audit.alarmsPage,
  audit.holdersOfKey,
  audit.judgedAlarms,
  audit.newestNumbers,
  audit.nextToRunOut,
  audit.outcomesBetween,
  audit.outcomesOfHolder,
  audit.quietVerifiers,
  audit.sharedKeys,
  audit.stalledTasks,
].map((one: Statement<unknown>) => [one.name, one])

const sqlite = createCompiler(SQLITE_SPELLING)
const postgres = createCompiler(POSTGRES_SPELLING)
const engines = holdBothEngines()
// Empty tables are read whole by anybody who is free to choose; what is asked here is whether there is another way.
beforeAll(() => engines.client.query("SET enable_seqscan = off"))

/** Tables that grow with what the issuer does, as statements call them; names and alarms are few. */
const GROWING =
  /\b(SCAN|Seq Scan on) (task|token|entry|approval|delegation|verifier_instance|rollup_\w+|anomaly_\w+|t|k|n|o|v|e|u|w)\b(?! USING)/

const planOnSqlite = (statement: Statement<unknown>): string => {
  const { sql, sources } = sqlite.compile(statement)
  const rows = engines.file.prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
  return rows
    .all(sources.map(() => 0))
    .map(({ detail }) => detail)
    .join("\n")
}

test.each(LOOKS)("%s reads no table whole on SQLite", (_, statement) => {
  expect(planOnSqlite(statement)).not.toMatch(GROWING)
})

test.each(LOOKS)("%s reads no table whole on PostgreSQL", async (_, statement) => {
  const { sql } = postgres.compile(statement)
  const { rows } = await engines.client.query(`EXPLAIN (GENERIC_PLAN) ${sql}`)
  expect(rows.map((row) => row["QUERY PLAN"]).join("\n")).not.toMatch(GROWING)
})

test.each([
  [audit.quietVerifiers, /SEARCH v USING INDEX verifier_instance_open \(last_seen</],
  [audit.stalledTasks, /SEARCH k USING INDEX token_exp \(exp>\? AND exp<\?\)/],
  [audit.stalledTasks, /SEARCH n USING (COVERING )?INDEX token_task \(task=\? AND exp>\?\)/],
  [audit.sharedKeys, /SEARCH k USING INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)/],
  [audit.sharedKeys, /SEARCH o USING (COVERING )?INDEX task_key \(jkt=\?\)/],
  [rollup.entriesToCount, /SEARCH e USING INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)/],
  [
    rollup.privilegesOfAgent,
    /SEARCH u USING INDEX rollup_privilege_agent \(agent=\? AND day>\? AND day<\?\)/,
  ],
  [rollup.privilegesOfAll, /SEARCH u USING INDEX sqlite_autoindex_rollup_privilege_1 \(day>\? AND day<\?\)/],
  [rollup.delegatedBefore, /SEARCH e USING INDEX entry_task \(task=\?/],
  [findEntries(["task", "agent"]), /SEARCH e USING INDEX entry_task \(task=\?/],
  [findEntries(["agent", "jti"]), /SEARCH e USING INDEX entry_task \(task=\?/],
  [findEntries(["kind", "refused"]), /SEARCH e USING INDEX entry_refused \(seq>\? AND seq<\?\)/],
  [activity.newestRefusals, /SCAN entry USING INDEX entry_refused/],
  [activity.hoursOfAll, /SEARCH u USING INDEX sqlite_autoindex_rollup_hour_1 \(hour>\?\)/],
  [activity.agentSeen, /SEARCH u USING (COVERING )?INDEX rollup_hour_agent \(agent=\?\)/],
  [activity.tasksOfAgent, /SEARCH t USING INDEX task_agent \(agent=\? AND id<\?\)/],
  [activity.resourcesOfAgent, /SEARCH e USING (INTEGER PRIMARY KEY|INDEX entry_agent)/],
  [living.liveGroups, /SEARCH t USING INDEX task_running \(deadline>\? AND deadline<\?\)/],
  [living.taskAges, /SEARCH t USING INDEX task_running \(deadline>\? AND deadline<\?\)/],
  [living.tokenAges, /SEARCH k USING INDEX token_exp \(exp>\? AND exp<\?\)/],
  [living.taskSlice, /^SEARCH t USING (COVERING )?INDEX task_running \(deadline>\?\)$/],
  [living.tokenSlice, /^SEARCH k USING COVERING INDEX token_exp \(exp>\?\)$/],
  [audit.outcomesBetween, /SEARCH entry USING INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)/],
])("%o is found by the place where the last look ended", (statement, by) => {
  expect(planOnSqlite(statement)).toMatch(by)
})
