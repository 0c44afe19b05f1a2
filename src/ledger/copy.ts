// Moves a whole SQLite database of the issuer to an empty one, row by row, and compares what arrived with what was sent. It
// decides what is copied in which order, what is checked, and where a copy that was killed goes on; how rows are read and
// written, the database room does.
import { type CopySource, openCopySource } from "../database/copy-source.ts"
import {
  type Batch,
  type CopiedTable,
  findRows,
  isEmpty,
  NotCopied,
  numberOn,
  type Row,
  writeRows,
} from "../database/copy-table.ts"
import { refuseStrangers } from "../database/copy-target.ts"
import { Duplicate, type Engine, type Step, Unexpected, type Value } from "../database/database.ts"
import type { Folder } from "../database/folder.ts"
import { openDatabase } from "../database/open.ts"
import {
  type CopyMark,
  insertSetting,
  MADE_FOR,
  readMark,
  readSetting,
  replaceSetting,
  writeMark,
} from "../database/setting.ts"
import { checkLedger } from "./copy-check.ts"
import { newestEntry } from "./statements.ts"

export interface LedgerCopy {
  /** Rows that this run has written. */
  readonly rows: number
  /** Place and time (epoch milliseconds) of the newest entry; undefined where there is none. */
  readonly newest: { readonly seq: number; readonly at: number } | undefined
  /** An earlier run had begun it, or had finished it already. */
  readonly resumed: boolean
  readonly milliseconds: number
}

/** How far it is: told after each part. */
export interface CopyProgress {
  readonly table: string
  /** Of all rows, from 0 to 1. */
  readonly share: number
  readonly rows: number
  readonly rowsPerSecond: number
}

export interface LedgerCopyOptions {
  /** Path of the SQLite file. It is read only. */
  readonly from: string
  /** Path, or the address of a PostgreSQL database. */
  readonly to: string
  /** Where entries rest that were archived to files: they are read, and stay there. */
  readonly archive?: Folder | undefined
  readonly progress?: (progress: CopyProgress) => void
}

/**
 * When it resolves, every table of the target has the source's rows, each read back and equal; every entry's bytes hash to
 * its leaf, and no place is missing; the database numbers on where the source did. Killed at any instant it goes on with
 * the part it was at when it is called again, and until it is finished no issuer starts on the target. Throws NotCopied
 * when the answer is no (a target that holds something else, a source of another version or that is damaged), Unavailable
 * when a database can't be had, and with a source on which an issuer runs. It does NOT keep an issuer from starting on the
 * source afterwards.
 */
export async function copyLedger(options: LedgerCopyOptions): Promise<LedgerCopy> {
  const source = openCopySource(options.from)
  try {
    if (source.madeFor === undefined || readMark(source.madeFor))
      throw new NotCopied(
        "the source is no whole database of the issuer: it was never started, or is a copy that was not finished",
      )
    await refuseStrangers(options.to)
    const engine = await openDatabase(options.to)
    try {
      return await new Copy(source, engine, options).run(source.madeFor)
    } finally {
      await engine.close()
    }
  } finally {
    source.close()
  }
}

class Copy {
  readonly #source: CopySource
  readonly #engine: Engine
  readonly #options: LedgerCopyOptions
  readonly #began = performance.now()
  readonly #all: number
  #rows = 0

  constructor(source: CopySource, engine: Engine, options: LedgerCopyOptions) {
    this.#source = source
    this.#engine = engine
    this.#options = options
    this.#all = Math.max(1, sum(source.tables))
  }

  async run(madeFor: string): Promise<LedgerCopy> {
    const [known] = await this.#engine.query(readSetting, { key: MADE_FOR })
    const found = known ? await this.#goOn(known.value, madeFor) : undefined
    if (found !== "finished") {
      let mark = found ?? (await this.#begin())
      const first = this.#source.tables.findIndex(({ name }) => name === mark.table)
      for (const table of this.#source.tables.slice(first)) {
        if (table.name !== mark.table) mark = await this.#move(mark, { table: table.name, from: 0, to: 0 })
        mark = await this.#copyTable(table, mark)
      }
      await this.#finish(mark, madeFor)
    }
    const newest = await this.#newest()
    return {
      rows: this.#rows,
      newest: newest && { seq: newest.seq, at: newest.at },
      resumed: known !== undefined,
      milliseconds: performance.now() - this.#began,
    }
  }

  async #begin(): Promise<CopyMark> {
    const [first] = this.#source.tables
    const mark = { source: this.#source.state, table: first?.name ?? "", from: 0, to: 0 }
    await this.#write([
      ...this.#source.tables.map(isEmpty),
      { statement: insertSetting, values: { key: MADE_FOR, value: writeMark(mark) }, rows: 1 },
    ])
    return mark
  }

  async #goOn(value: string, madeFor: string): Promise<CopyMark | "finished"> {
    const mark = readMark(value)
    if (mark?.source === this.#source.state) {
      const table = this.#source.tables.find(({ name }) => name === mark.table)
      if (table) return mark
    }
    if (mark)
      throw new NotCopied(
        "the target is an unfinished copy of another database, or of this one before it was used again: empty it, then begin anew",
      )
    const [there, here] = [await this.#newest(), this.#newestOfSource()]
    if (value === madeFor && there && here && there.seq === here.seq && there.leaf.equals(here.leaf))
      return "finished"
    throw new NotCopied("the target holds another ledger already: nothing is overwritten")
  }

  async #copyTable(table: CopiedTable, begun: CopyMark): Promise<CopyMark> {
    let mark = begun
    // The run before was killed between writing these and comparing them.
    if (mark.to > mark.from) await this.#compare(table, this.#source.between(table, mark.from, mark.to))
    for (;;) {
      const batch = this.#source.next(table, mark.to)
      if (batch.rows.length === 0) return mark
      await checkLedger(table, batch, { has: this.#source.has, archive: this.#options.archive })
      const rows = withoutMark(table, batch.rows)
      const steps = rows.length > 0 ? [writeRows(table, rows)] : []
      mark = await this.#move(mark, { table: table.name, from: batch.from, to: batch.to }, steps)
      await this.#compare(table, batch)
      this.#rows += rows.length
      this.#tell(table, batch.to)
    }
  }

  /** The rows and how far the copy is, in one transaction: whoever else copies there at the same time is refused. */
  async #move(from: CopyMark, to: Omit<CopyMark, "source">, rows: readonly Step[] = []): Promise<CopyMark> {
    const mark = { source: this.#source.state, ...to }
    await this.#write([...rows, moveMark(writeMark(from), writeMark(mark))])
    return mark
  }

  async #write(steps: readonly Step[]): Promise<void> {
    try {
      await this.#engine.atomically(steps)
    } catch (error) {
      if (error instanceof Duplicate || error instanceof Unexpected)
        throw new NotCopied(
          "the target holds something else, or somebody else writes to it: nothing is overwritten",
        )
      if (error instanceof TypeError)
        throw new NotCopied(`the target can't hold a value of the source (${error.message})`)
      throw error
    }
  }

  async #compare(table: CopiedTable, batch: Batch): Promise<void> {
    const rows = withoutMark(table, batch.rows)
    if (rows.length === 0) return
    const { statement, values } = findRows(table, { ...batch, rows }, this.#options.to)
    const found = await this.#engine.query(statement, values)
    const wanted = new Set(rows.map(spell))
    const same = found.filter((row) => wanted.has(spell(table.columns.map(({ name }) => row[name] ?? null))))
    if (found.length !== rows.length || same.length !== rows.length)
      throw new NotCopied(`${table.name} did not arrive as it was sent: do not use the target`)
  }

  async #finish(mark: CopyMark, madeFor: string): Promise<void> {
    const [there, here] = [await this.#newest(), this.#newestOfSource()]
    if (there?.seq !== here?.seq || (here && !there?.leaf.equals(here.leaf)))
      throw new NotCopied("the ledger did not arrive whole: do not use the target")
    await this.#write([
      ...this.#source.tables.flatMap((table) => numberOn(table, this.#options.to)),
      moveMark(writeMark(mark), madeFor),
    ])
  }

  async #newest(): Promise<Newest | undefined> {
    const [row] = await this.#engine.query(newestEntry)
    return row && { ...row, leaf: Buffer.from(row.leaf) }
  }

  #newestOfSource(): Newest | undefined {
    const newest = (name: string) => {
      const table = this.#source.tables.find((one) => one.name === name)
      const [row] = table ? this.#source.between(table, table.last - 1, table.last).rows : []
      return (column: string) => row?.[table?.columns.findIndex((one) => one.name === column) ?? -1]
    }
    const [entry, bytes] = [newest("entry"), newest("entry_bytes")]
    const leaf = bytes("leaf")
    if (!(leaf instanceof Uint8Array)) return undefined
    return { seq: Number(entry("seq")), at: Number(entry("at")), leaf: Buffer.from(leaf) }
  }

  #tell(table: CopiedTable, place: number): void {
    const before = this.#source.tables.slice(0, this.#source.tables.indexOf(table))
    const rowsPerSecond = this.#rows / ((performance.now() - this.#began) / 1000)
    const share = (sum(before) + place) / this.#all
    this.#options.progress?.({ table: table.name, share, rows: this.#rows, rowsPerSecond })
  }
}

interface Newest {
  readonly seq: number
  readonly at: number
  readonly leaf: Buffer
}

const sum = (tables: readonly CopiedTable[]): number => tables.reduce((all, { last }) => all + last, 0)

const moveMark = (before: string, value: string): Step => ({
  statement: replaceSetting,
  values: { key: MADE_FOR, before, value },
  rows: 1,
})

/** What the source was made for is written last. */
const withoutMark = (table: CopiedTable, rows: readonly Row[]): readonly Row[] =>
  table.name === "setting" ? rows.filter((row) => !row.includes(MADE_FOR)) : rows

/** A whole row as one text. */
const spell = (row: readonly Value[]): string =>
  JSON.stringify(
    row.map((value) => (value instanceof Uint8Array ? { hex: Buffer.from(value).toString("hex") } : value)),
  )
