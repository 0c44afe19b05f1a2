// What is looked at every few seconds reads little, however many tasks, tokens and entries there are: each statement is
// found by an index on both engines, and none goes through a whole table.
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { Client } from "pg"
import { afterAll, beforeAll, expect, test } from "vitest"
import {
  agentSeen,
  delegationsOfAgent,
  hoursOfAgent,
  hoursOfAll,
  isNameKnown,
  liveByAgent,
  newestRefusals,
  operationsOfAgent,
  resourcesOfAgent,
  standingCounts,
  tasksOfAgent,
} from "../../src/audit/activity-statements.ts"
import {
  actedOn,
  endedTasks,
  hoursOf,
  misuseBetween,
  newOperations,
  openTasks,
  sizesOf,
  tasksBehind,
  workedHours,
  workedTasks,
} from "../../src/audit/anomaly/statements.ts"
import {
  askedSince,
  firstDay,
  givenSince,
  heardSince,
  liveGroups,
  startedSince,
  taskAges,
  tokenAges,
} from "../../src/audit/posture/statements.ts"
import {
  delegatedBefore,
  entriesOfDays,
  entriesToCount,
  mintedWith,
  privilegesOfAgent,
  privilegesOfAll,
  rollupPlaces,
  seenInDays,
} from "../../src/audit/rollup-statements.ts"
import {
  alarmsPage,
  holdersOfKey,
  judgedAlarms,
  newestNumbers,
  nextToRunOut,
  outcomesBetween,
  outcomesOfHolder,
  quietVerifiers,
  sharedKeys,
  stalledTasks,
} from "../../src/audit/statements.ts"
import { createCompiler } from "../../src/database/compiled.ts"
import type { Statement } from "../../src/database/database.ts"
import { POSTGRES_SPELLING, SQLITE_SPELLING } from "../../src/database/drizzle.ts"
import { openPostgres } from "../../src/database/postgres.ts"
import { openSqlite } from "../../src/database/sqlite.ts"
import { findEntries } from "../../src/ledger/statements.ts"
import { createFolders } from "../support/folder.ts"
import { createDatabase, type TestDatabase } from "../support/postgres.ts"

const LOOKS: [string, Statement<unknown>][] = [
  agentSeen,
  delegationsOfAgent,
  hoursOfAgent,
  hoursOfAll,
  isNameKnown,
  liveByAgent,
  newestRefusals,
  operationsOfAgent,
  resourcesOfAgent,
  standingCounts,
  tasksOfAgent,
  askedSince,
  firstDay,
  givenSince,
  heardSince,
  liveGroups,
  startedSince,
  taskAges,
  tokenAges,
  actedOn,
  endedTasks,
  hoursOf,
  misuseBetween,
  newOperations,
  openTasks,
  sizesOf,
  tasksBehind,
  workedHours,
  workedTasks,
  delegatedBefore,
  entriesOfDays,
  entriesToCount,
  mintedWith,
  privilegesOfAgent,
  privilegesOfAll,
  rollupPlaces,
  seenInDays,
  alarmsPage,
  holdersOfKey,
  judgedAlarms,
  newestNumbers,
  nextToRunOut,
  outcomesBetween,
  outcomesOfHolder,
  quietVerifiers,
  sharedKeys,
  stalledTasks,
].map((one: Statement<unknown>) => [one.name, one])

const sqlite = createCompiler(SQLITE_SPELLING)
const postgres = createCompiler(POSTGRES_SPELLING)
const newFolder = createFolders()
let file: InstanceType<typeof Sqlite>
let database: TestDatabase
let client: Client

beforeAll(async () => {
  const path = join(newFolder(), "a.db")
  await (await openSqlite({ path })).close()
  file = new Sqlite(path)
  database = await createDatabase()
  await (await openPostgres({ address: database.address })).close()
  client = new Client(database.address)
  await client.connect()
  // Empty tables are read whole by anybody who is free to choose; what is asked here is whether there is another way.
  await client.query("SET enable_seqscan = off")
})
afterAll(async () => {
  file.close()
  await client.end()
  await database.remove()
})

/** Tables that grow with what the issuer does, as statements call them; names and alarms are few. */
const GROWING =
  /\b(SCAN|Seq Scan on) (task|token|entry|approval|delegation|verifier_instance|rollup_\w+|anomaly_\w+|t|k|n|o|v|e|u|w)\b(?! USING)/

const planOnSqlite = (statement: Statement<unknown>): string => {
  const { sql, sources } = sqlite.compile(statement)
  const rows = file.prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
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
  const { rows } = await client.query(`EXPLAIN (GENERIC_PLAN) ${sql}`)
  expect(rows.map((row) => row["QUERY PLAN"]).join("\n")).not.toMatch(GROWING)
})

test.each([
  [quietVerifiers, /SEARCH v USING INDEX verifier_instance_open \(last_seen</],
  [stalledTasks, /SEARCH k USING INDEX token_exp \(exp>\? AND exp<\?\)/],
  [stalledTasks, /SEARCH n USING (COVERING )?INDEX token_task \(task=\? AND exp>\?\)/],
  [sharedKeys, /SEARCH k USING INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)/],
  [sharedKeys, /SEARCH o USING (COVERING )?INDEX task_key \(jkt=\?\)/],
  [entriesToCount, /SEARCH e USING INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)/],
  [privilegesOfAgent, /SEARCH u USING INDEX rollup_privilege_agent \(agent=\? AND day>\? AND day<\?\)/],
  [privilegesOfAll, /SEARCH u USING INDEX sqlite_autoindex_rollup_privilege_1 \(day>\? AND day<\?\)/],
  [delegatedBefore, /SEARCH e USING INDEX entry_task \(task=\?/],
  [findEntries(["task", "agent"]), /SEARCH e USING INDEX entry_task \(task=\?/],
  [findEntries(["agent", "jti"]), /SEARCH e USING INDEX entry_task \(task=\?/],
  [newestRefusals, /SCAN entry USING INDEX entry_refused/],
  [hoursOfAll, /SEARCH u USING INDEX sqlite_autoindex_rollup_hour_1 \(hour>\?\)/],
  [agentSeen, /SEARCH u USING (COVERING )?INDEX rollup_hour_agent \(agent=\?\)/],
  [tasksOfAgent, /SEARCH t USING INDEX task_agent \(agent=\? AND id<\?\)/],
  [resourcesOfAgent, /SEARCH e USING (INTEGER PRIMARY KEY|INDEX entry_agent)/],
  [liveGroups, /SEARCH t USING INDEX task_running \(deadline>\?\)/],
  [taskAges, /SEARCH t USING INDEX task_running \(deadline>\?\)/],
  [tokenAges, /SEARCH k USING INDEX token_exp \(exp>\?\)/],
  [liveByAgent, /SEARCH t USING INDEX task_running \(deadline>\?\)/],
  [outcomesBetween, /SEARCH entry USING INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)/],
])("%o is found by the place where the last look ended", (statement, by) => {
  expect(planOnSqlite(statement)).toMatch(by)
})
