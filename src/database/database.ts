// What an engine must do, and nothing of how: two methods, so that drivers stay small and every guard is in the schema
// or in a statement. Callers decide before a transaction opens; inside it, the row counts are the verdict.
import type { SQL } from "drizzle-orm"

export type Value = string | number | bigint | Uint8Array | null
/** Tells a value that can be stored from another: a NaN would become NULL, a boolean has no one spelling. */
export const isValue = (value: unknown): value is Value =>
  typeof value === "string" ||
  value === null ||
  Number.isFinite(value) ||
  typeof value === "bigint" ||
  value instanceof Uint8Array

export type Values = Readonly<Record<string, Value>>

/**
 * One statement of ours, written once with drizzle's dialect-neutral `sql` and `sql.placeholder(name)`.
 * `Row` is what a read answers; columns are named in the statement. An engine compiles and prepares it once.
 */
export interface Statement<Row = Record<string, Value>> {
  readonly name: string
  readonly sql: SQL
  /** In PostgreSQL's own words, where no words are both engines'. */
  readonly postgres?: SQL
  /** Placeholders whose values a step brings in `ids`, in this order. */
  readonly points: readonly string[]
  /** Never set: it carries the row's type. */
  readonly row?: Row
}

export const statement = <Row = Record<string, Value>>(
  name: string,
  sql: SQL,
  points: readonly string[] = [],
): Statement<Row> => ({ name, sql, points })

/**
 * One step of a transaction. `rows`: how many rows it must change (for a SELECT: answer); a number, or "any" (the
 * default). A SELECT as a step is a guard: it holds at the moment of the commit.
 */
export interface Step {
  readonly statement: Statement<unknown>
  readonly values: Values
  /** Instead of values, for the statement's `points`. */
  readonly ids?: readonly (number | null)[]
  readonly rows?: number | "any"
}

/** A step met another number of rows than it needs: nothing of its transaction took place. */
export class Unexpected extends Error {
  override readonly name = "Unexpected"
  /** The statement's name, and its place in the steps. */
  readonly statement: string
  readonly step: number

  constructor(statement: string, step: number) {
    super(`${statement} met another state than it was decided on`)
    this.statement = statement
    this.step = step
  }
}

/** A unique key or a check refused a row: nothing of its transaction took place. Same shape as Unexpected. */
export class Duplicate extends Unexpected {}

/** Whether the steps took place; false where the state is another by now, as when somebody else was first. Throws Unavailable. */
export async function committed(engine: Engine, steps: readonly Step[]): Promise<boolean> {
  try {
    await engine.atomically(steps)
    return true
  } catch (error) {
    if (error instanceof Unexpected) return false
    throw error
  }
}

/** The engine can't commit (disk full, file gone, writer dead). Nothing was answered; never carries SQL or values. */
export class Unavailable extends Error {
  override readonly name = "Unavailable"
}

export interface Engine {
  /** Reads what is committed. Rows in the statement's order. Throws Unavailable. */
  query<Row>(statement: Statement<Row>, values?: Values): Promise<Row[]>
  /**
   * All steps or none, in order, durable (on disk, fsynced) when it resolves. Throws Unexpected or Duplicate when a
   * step met another state, Unavailable when nothing can be committed.
   */
  atomically(steps: readonly Step[]): Promise<void>
  /**
   * Calls `listener` when another process on this database has committed what every one must know at once (revocations,
   * the policy in force, keys), and every now and then while that can't be heard. It must not throw. Answers how to stop.
   * Never calls where one process has the database to itself.
   */
  hearOthers(listener: () => void): () => void
  /**
   * What was deleted or overwritten is gone from the files, too, when this answers true. False: where it rested is a server's,
   * is too large to be rewritten while others wait, or is being read by another process. Throws Unavailable.
   */
  scrub(): Promise<boolean>
  /** Resolves when what was accepted is durable and the file is released. Later calls throw Unavailable. */
  close(): Promise<void>
  /** Resolves with the cause when the engine can never commit again (a failed fsync): the process must end. */
  readonly broken: Promise<Error>
}

/** Tells the address of a PostgreSQL database from the path of an SQLite file. */
export const isPostgres = (place: string): boolean => /^postgres(ql)?:\/\//.test(place)
