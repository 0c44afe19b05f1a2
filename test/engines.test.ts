// Which suites hold on both engines: every flow, and every suite that opens a database, unless a line says why not. So
// nobody leaves an engine out without saying so.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { ON_ONE_ENGINE, suitesOnBothEngines } from "./support/engines.ts"
import { listSources, ROOT } from "./support/source.ts"

const OPENS =
  /\b(openSqlite|openPostgres|openDatabase|createDatabase|createIssuer)\(|issuer\.db|TASKMINT_DATABASE\b/

const suites = listSources("test").filter(
  (path) => path.endsWith(".test.ts") && path !== "test/engines.test.ts",
)
const onBoth = suitesOnBothEngines()
const isSaid = (path: string) => onBoth.includes(path) || path in ON_ONE_ENGINE

test("every flow and every suite that opens a database runs on both engines, or a line says why not", () => {
  const opening = suites.filter((path) => OPENS.test(readFileSync(join(ROOT, path), "utf8")))
  const flows = suites.filter((path) => path.startsWith("test/flows/"))
  expect([...opening, ...flows].filter((path) => !isSaid(path))).toEqual([])
  expect(onBoth.length).toBeGreaterThan(45)
})

test("no line is about a suite that is gone", () => {
  expect(Object.keys(ON_ONE_ENGINE).filter((path) => !suites.includes(path))).toEqual([])
})

test("what runs on PostgreSQL opens no file past the place where databases come from", () => {
  const past = onBoth.filter((path) => /\bopenSqlite\(/.test(readFileSync(join(ROOT, path), "utf8")))
  expect(past).toEqual([])
})
