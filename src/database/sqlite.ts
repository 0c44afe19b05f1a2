// The engine on one SQLite file: statements are compiled once, reads go over a second connection that can't write, writes
// go to the thread that owns the file. It decides nothing about the tables; migrate.ts makes them.
import type { Database, Statement as Prepared } from "better-sqlite3"
import { createCompiler, valueFrom } from "./compiled.ts"
import { type Engine, type Statement, type Step, Unavailable, type Values } from "./database.ts"
import { SQLITE_SPELLING } from "./drizzle.ts"
import { codeOf, openFile, opening } from "./file.ts"
import { lockFile } from "./lock.ts"
import { migrateFile } from "./migrate.ts"
import { openWriter, type Writer } from "./writer.ts"
import type { Request } from "./writer-message.ts"

/**
 * Opens the file (made when it is missing, mode 0600), keeps other processes out, migrates it and starts its writer.
 * Throws Unavailable with the reason when the file is in use, can't be written, or is newer than this version.
 * `migrations`: another folder of drizzle-kit migrations; default: the package's own.
 */
export async function openSqlite(options: { path: string; migrations?: string }): Promise<Engine> {
  const lock = lockFile(options.path)
  try {
    const first = openFile(options.path)
    try {
      opening(options.path, () => migrateFile(first, options.migrations))
    } finally {
      first.close()
    }
    const writer = await openWriter({ path: options.path, overwrites: true })
    return new SqliteEngine(writer, openFile(options.path, { readonly: true }), lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

const { compile, fill } = createCompiler(SQLITE_SPELLING)

class SqliteEngine implements Engine {
  readonly broken: Promise<Error>
  readonly #writer: Writer
  readonly #reader: Database
  readonly #lock: { release(): void }
  readonly #reads = new WeakMap<Statement<unknown>, Prepared<unknown[]>>()
  #closed: Promise<void> | undefined

  constructor(writer: Writer, reader: Database, lock: { release(): void }) {
    this.#writer = writer
    this.#reader = reader
    this.#lock = lock
    this.broken = writer.broken
  }

  async query<Row>(statement: Statement<Row>, values: Values = {}): Promise<Row[]> {
    if (this.#closed) throw new Unavailable("the database is closed")
    const prepared = this.#prepare(statement)
    const filled = fill(statement, values)
    try {
      return prepared.all(filled) as Row[]
    } catch (error) {
      throw new Unavailable(`${statement.name} can't be read (${codeOf(error)})`)
    }
  }

  atomically(steps: readonly Step[]): Promise<void> {
    if (this.#closed) return Promise.reject(new Unavailable("the database is closed"))
    return steps.length === 0 ? Promise.resolve() : this.#writer.write((request) => putSteps(request, steps))
  }

  hearOthers(): () => void {
    return () => undefined
  }

  async scrub(): Promise<boolean> {
    if (this.#closed) throw new Unavailable("the database is closed")
    return this.#writer.scrub()
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#reader.close()
    await this.#writer.close()
    this.#lock.release()
  }

  #prepare(statement: Statement<unknown>): Prepared<unknown[]> {
    const known = this.#reads.get(statement)
    if (known) return known
    const prepared = prepare(this.#reader, statement)
    if (!prepared.reader) throw new TypeError(`${statement.name} answers no rows: it belongs into atomically`)
    this.#reads.set(statement, prepared)
    return prepared
  }
}

function prepare(database: Database, statement: Statement<unknown>): Prepared<unknown[]> {
  const { sql } = compile(statement)
  try {
    return database.prepare<unknown[]>(sql)
  } catch (error) {
    const code = codeOf(error)
    if (code !== "SQLITE_ERROR") throw new Unavailable(`${statement.name} can't be read (${code})`)
    throw new TypeError(`${statement.name}: ${error instanceof Error ? error.message : code}`)
  }
}

function putSteps(request: Request, steps: readonly Step[]): void {
  for (const { statement, values, ids, rows = "any" } of steps) {
    const { sql, sources } = compile(statement)
    request.step(sql, rows, sources.length, statement.name)
    for (const source of sources) request.value(valueFrom(source, statement, values, ids))
  }
}
