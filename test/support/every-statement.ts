// Every statement that there is, for tests of all of them: what the files of `src` export, and what is made for
// each search and for the entries that are inserted.
import type { Statement } from "../../src/database/database.ts"
import {
  CONDITIONS,
  type Condition,
  ENTRY_MEMBERS,
  findEntries,
  findNewestEntries,
  insertEntryOf,
} from "../../src/ledger/statements.ts"
import { findTasks, TASK_FILTERS } from "../../src/task/statements.ts"
import { listSources, readSource } from "./source.ts"

const isStatement = (value: unknown): value is Statement<unknown> =>
  typeof value === "object" && value !== null && "name" in value && "sql" in value && "points" in value

/** A statement, one of its spellings, or a table of them. */
function* statementsIn(value: unknown): Generator<Statement<unknown>> {
  if (isStatement(value)) yield value
  else if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    for (const inner of Object.values(value)) yield* statementsIn(inner)
}

/** The files that write SQL for both engines: all that import the tag, but for the tables (a test of their own). */
export const STATEMENT_FILES = listSources("src").filter(
  (path) =>
    !/tables\.ts$/.test(path) &&
    /import \{[^}]*\bsql\b[^}]*\} from "[./a-z]*\/drizzle\.ts"/.test(readSource(path).text),
)

const filters = Object.keys(CONDITIONS) as Condition[]
const sets = [[], ...filters.map((one) => [one]), filters]
const taskSets = [[], ...TASK_FILTERS.map((one) => [one]), TASK_FILTERS]

/** Entries that have nothing, each member by itself and all. */
const memberSets = [[], ...ENTRY_MEMBERS.map((one) => [one]), ENTRY_MEMBERS]
const insertWith = (members: readonly string[]) =>
  insertEntryOf(Object.fromEntries(ENTRY_MEMBERS.map((one) => [one, members.includes(one) ? one : null])))

/**
 * Those that have a name of their own, those that search, with no filter, each by itself and all, and those that insert an
 * entry with such members.
 */
export async function everyStatement() {
  const modules = await Promise.all(
    STATEMENT_FILES.map((path) => import(/* @vite-ignore */ `../../${path}`) as Promise<object>),
  )
  const exported = new Set(modules.flatMap((module) => [...statementsIn({ ...module })]))
  const searches = [
    ...sets.map(findEntries),
    ...sets.map(findNewestEntries),
    ...taskSets.flatMap((one) => [findTasks(one, false), findTasks(one, true)]),
  ]
  const inserts = memberSets.map(insertWith).flatMap(({ byText, byId }) => [byText, byId])
  return { exported, all: [...exported, ...searches, ...inserts] }
}
