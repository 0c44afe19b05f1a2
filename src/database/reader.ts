// A database file that is only read, while its issuer may run or not: all reads see the one moment of opening. It decides
// nothing about what is read.
import type { Database, Statement as Prepared } from "better-sqlite3"
import { createCompiler } from "./compiled.ts"
import { type Engine, type Statement, Unavailable } from "./database.ts"
import { SQLITE_SPELLING } from "./drizzle.ts"
import { codeOf, openFile } from "./file.ts"

export interface Reader extends Pick<Engine, "query"> {
  close(): void
}

/** Throws Unavailable: missing, not a database, not readable. Its queries throw that, too. */
export function openReader(path: string): Reader {
  const database = openFile(path, { readonly: true })
  const compiler = createCompiler(SQLITE_SPELLING)
  const prepared = new Map<number, Prepared>()
  translated(path, () => database.exec("BEGIN"))
  return {
    query: async <Row>(statement: Statement<Row>, values = {}) =>
      translated(path, () => {
        const { sql, number } = compiler.compile(statement)
        const ready = prepared.get(number) ?? prepare(database, sql)
        prepared.set(number, ready)
        return ready.all(compiler.fill(statement, values)) as Row[]
      }),
    close: () => database.close(),
  }
}

const prepare = (database: Database, sql: string): Prepared => database.prepare(sql)

function translated<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof TypeError) throw error
    throw new Unavailable(`${path} can't be read as a database of the issuer (${codeOf(error)})`)
  }
}
