// PostgreSQL gives rows in whatever order it came by them. So a statement that may return more than one says in which, or is
// named here with the reason why any will do.
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createCompiler } from "../../src/database/compiled.ts"
import { SQLITE_SPELLING } from "../../src/database/drizzle.ts"
import { openSqlite } from "../../src/database/sqlite.ts"
import { everyStatement } from "../support/every-statement.ts"
import { createFolders } from "../support/folder.ts"

const GUARD = "a guard: only whether there is a row counts"
const BY_KEY = "each row is looked up by what it is of"
const ADDED_UP = "counts that are added up"
const ANY_ORDER: Readonly<Record<string, string>> = {
  "alarm.counts": BY_KEY,
  "anomaly.acted_on": "of all holders of a task the same is written",
  "anomaly.open_tasks": BY_KEY,
  "approval.claimed_uses": "a set of uses",
  "delegation.living_below": "one row: a unique index lets one live",
  "entry-block-times": BY_KEY,
  "erase.left_of_task": "one row: an aggregate",
  "erase.nobody_since": GUARD,
  "erase.none_locked": GUARD,
  "erase.none_runs": GUARD,
  "erase.none_told": GUARD,
  "erase.resources": "a set of values",
  "activity.seen": "one row: of each part there is one",
  "course.newest": "one row: an aggregate",
  "living.groups": ADDED_UP,
  "living.task_ages": ADDED_UP,
  "living.token_ages": ADDED_UP,
  "lock.none": GUARD,
  locksOnPerson: GUARD,
  "posture.asked": BY_KEY,
  "posture.canaries": BY_KEY,
  "posture.started": BY_KEY,
  "rollup.delegated_earlier": "a set of tasks",
  "rollup.seen": "two sets of names",
  "status_place.held": "marks places of a list",
  "status_place.told": "marks places of a list",
  "token.of_use": "one row: two ids, beside a row that is always there",
  "usage.of_agent": ADDED_UP,
  "use_count.of_task": BY_KEY,
  "verifier_gap.of_number": "one row: gaps of an instance do not overlap",
  "verify.names": BY_KEY,
}

const newFolder = createFolders()
const { exported } = await everyStatement()
const { compile } = createCompiler({ ...SQLITE_SPELLING, escapeParam: () => "?" })
let file: InstanceType<typeof Sqlite>

beforeAll(async () => {
  const path = join(newFolder(), "a.db")
  await (await openSqlite({ path })).close()
  file = new Sqlite(path)
})

afterAll(() => void file.close())

/** Without what is in parentheses. */
function outermost(text: string): string {
  const inner = text.replaceAll(/\([^()]*\)/g, "\u0000")
  return inner === text ? text.replaceAll(/\s+/g, " ") : outermost(inner)
}

/** The columns of each key that is unique in a whole table. */
function keysOf(table: string): string[][] {
  const columns = file.prepare(`SELECT name, pk FROM pragma_table_info(?)`).all(table)
  const primary = (columns as { name: string; pk: number }[]).flatMap(({ name, pk }) =>
    pk > 0 ? [name] : [],
  )
  const unique = file
    .prepare(`SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial`)
    .all(table)
  return [
    primary,
    ...(unique as { name: string }[]).map(({ name }) =>
      (file.prepare(`SELECT name FROM pragma_index_info(?)`).all(name) as { name: string }[]).map(
        (one) => one.name,
      ),
    ),
  ].filter((key) => key.length > 0)
}

/** Whether each table gives one row at most: a key of it is held to a value, or to one of a table that gives one. */
function isOneRow(text: string): boolean {
  const tables = new Map(
    [...text.matchAll(/(?:FROM|JOIN) "?(\w+)"?(?: (?:AS )?(?!WHERE|JOIN|LEFT|ON|ORDER|LIMIT)(\w+))?/g)].map(
      ([, table = "", alias]) => [alias ?? table, table],
    ),
  )
  if (text.split(/ (?:FROM|JOIN) /).length - 1 !== tables.size || /UNION|GROUP BY/.test(text)) return false
  const known = new Set<string>()
  const isFixed = (alias: string, column: string) =>
    [...text.matchAll(/(?:(\w+)\.)?(\w+) = ([?\u0000\d']|\w+\.\w+|coalesce\u0000)/g)].some(
      ([, of = alias, left, right = ""]) => {
        const [other, otherColumn] = right.split(".")
        if (of === alias && left === column) return otherColumn === undefined || known.has(other ?? "")
        return other === alias && otherColumn === column && known.has(of)
      },
    )
  for (let before = -1; before !== known.size; ) {
    before = known.size
    for (const [alias, table] of tables)
      if (keysOf(table).some((key) => key.every((column) => isFixed(alias, column)))) known.add(alias)
  }
  return known.size === tables.size
}

const isAggregate = (text: string) =>
  !/GROUP BY/.test(text) &&
  /^SELECT (CAST|max|min|count|coalesce|sum)\u0000/.test(text) &&
  !/\w\.\w/.test(text)

const unordered = () =>
  [...exported]
    .map((one) => ({ name: one.name, text: outermost(compile(one).sql.trim()) }))
    .filter(({ text }) => text.startsWith("SELECT") && / FROM /.test(text) && !/ ORDER BY /.test(text))
    .filter(({ text }) => !isAggregate(text) && !isOneRow(text))
    .map(({ name }) => name)

test("rows come in an order that is said, or that does not matter", () => {
  expect(unordered().sort()).toEqual(Object.keys(ANY_ORDER).sort())
})
