// The engine on a PostgreSQL server: statements are compiled once, reads go over a few connections that can't write,
// writes over one of their own. It decides nothing about the tables; postgres-migrate.ts makes them.
import { randomUUID } from "node:crypto"
import type { Pool } from "pg"
import { createCompiler } from "./compiled.ts"
import {
  type Engine,
  isValue,
  type Statement,
  type Step,
  Unavailable,
  type Value,
  type Values,
} from "./database.ts"
import { POSTGRES_SPELLING } from "./drizzle.ts"
import { refuseStandby, refuseUnsafe } from "./postgres-checks.ts"
import type { History } from "./postgres-history.ts"
import { migratePostgres } from "./postgres-migrate.ts"
import { PostgresNotices } from "./postgres-notices.ts"
import { alone, type Backend, endBackend, ownBackend, prepareNotices } from "./postgres-others.ts"
import {
  codeOf,
  configOf,
  connect,
  type Driver,
  loadDriver,
  ownFault,
  part,
  settle,
  sqlStateOf,
  unreachable,
} from "./postgres-session.ts"
import { type Opened, PostgresWriter, type WriterStep } from "./postgres-writer.ts"

export interface PostgresOptions {
  /** As in postgres://user@host/database. */
  readonly address: string
  /** Another folder of drizzle-kit migrations; default: the package's own. */
  readonly migrations?: string
}

/** Reads at once; what is more waits. */
const READERS = 4
/** The server ends a statement sooner: one that takes longer has no connection any more. */
const READ_MILLISECONDS = 6000
/** A connection is made anew after this, so that a server doesn't keep what no statement needs any more. */
const READER_SECONDS = 1800

/**
 * Opens the database: refuses one that would lose what it acknowledged, migrates it. Any number of issuers may have it
 * open: their transactions follow each other. Throws Unavailable with the reason, TypeError when the package `pg` is
 * missing or the address can't be one. A connection that is lost later is made anew, with the same checks.
 */
export async function openPostgres(options: PostgresOptions): Promise<Engine> {
  const driver = await loadDriver()
  const writer = new PostgresWriter((history, previous) => openWriter(driver, options, history, previous))
  await writer.start()
  const readers = new driver.Pool({
    ...configOf(driver, options.address),
    query_timeout: READ_MILLISECONDS,
    max: READERS,
    maxLifetimeSeconds: READER_SECONDS,
    onConnect: async (client) => {
      await settle(client)
      await client.query("SET default_transaction_read_only TO on")
      await refuseStandby(client)
    },
  })
  // A connection that fails while nobody uses it is let go of; the next read makes another.
  readers.on("error", () => undefined)
  const notices = new PostgresNotices(() => connect(driver, options.address, "listener"))
  return new PostgresEngine(writer, readers, notices)
}

async function openWriter(
  driver: Driver,
  options: PostgresOptions,
  history: History,
  previous?: Backend,
): Promise<Opened> {
  const client = await connect(driver, options.address, "writer", async (fresh) => {
    await refuseUnsafe(fresh)
    if (previous) await endBackend(fresh, previous)
  })
  try {
    // Each looks for itself whether it was done: whoever began it may have ended in the middle.
    const told = await alone(client, async () => {
      await migratePostgres(client, options.migrations)
      // Where a database has no such thing, others look instead of listening.
      await prepareNotices(client).catch((error: unknown) => {
        if (sqlStateOf(error) === undefined) throw error
      })
      return history.read(client)
    })
    return { client, told, backend: await ownBackend(client) }
  } catch (error) {
    await part(client)
    throw unreachable(error)
  }
}

const { compile, fill } = createCompiler(POSTGRES_SPELLING)

class PostgresEngine implements Engine {
  readonly broken: Promise<Error>
  readonly #writer: PostgresWriter
  readonly #readers: Pool
  readonly #notices: PostgresNotices
  #closed: Promise<void> | undefined

  constructor(writer: PostgresWriter, readers: Pool, notices: PostgresNotices) {
    this.#writer = writer
    this.#readers = readers
    this.#notices = notices
    this.broken = writer.broken
  }

  async query<Row>(statement: Statement<Row>, values: Values = {}): Promise<Row[]> {
    if (this.#closed) throw new Unavailable("the database is closed")
    const { sql, number } = compile(statement)
    if (!answersRows(sql))
      throw new TypeError(`${statement.name} answers no rows: it belongs into atomically`)
    const filled = valuesOf(statement, values).map(findable)
    try {
      return (await this.#readers.query({ name: `s${number}`, text: sql, values: filled })).rows
    } catch (error) {
      const code = codeOf(error)
      if (ownFault(error) === "misuse") throw new TypeError(`${statement.name} can't be read (${code})`)
      throw new Unavailable(`${statement.name} can't be read (${code})`)
    }
  }

  async atomically(steps: readonly Step[]): Promise<void> {
    if (this.#closed) throw new Unavailable("the database is closed")
    if (steps.length > 0) await this.#writer.commit(steps.map(toWriterStep))
  }

  hearOthers(listener: () => void): () => void {
    return this.#notices.hear(listener)
  }

  /** Dead rows are the server's: it reuses their room, and VACUUM FULL rewrites a table. */
  async scrub(): Promise<boolean> {
    return false
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await this.#writer.close()
    await this.#notices.close()
    await this.#readers.end()
  }
}

/** In the place of a NUL in what is looked for: PostgreSQL's texts hold none, so nothing may be found by one. */
const NOWHERE = `\uffff${randomUUID()}`
const findable = (value: Value): Value =>
  typeof value === "string" && value.includes("\0") ? value.replaceAll("\0", NOWHERE) : value

const answersRows = (sql: string): boolean => /^\s*SELECT\b|\bRETURNING\b/i.test(sql)

const toWriterStep = ({ statement, values, ids, rows = "any" }: Step): WriterStep => {
  const { sql, number } = compile(statement)
  return { name: statement.name, number, sql, values: valuesOf(statement, values, ids), rows }
}

function valuesOf(statement: Statement<unknown>, values: Values, ids?: Step["ids"]): Value[] {
  const filled = fill(statement, values, ids)
  if (!filled.every(isValue)) throw new TypeError(`${statement.name} has a value of a wrong type`)
  return filled
}
