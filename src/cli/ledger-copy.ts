// `ledger copy`: moves an SQLite database of the issuer to another, usually on PostgreSQL. It decides what the operator is
// told and what wrong use is; what a whole copy is, ledger/copy.ts decides.
import { realpathSync } from "node:fs"
import type { Command } from "commander"
import { NotCopied } from "../database/copy-table.ts"
import { isPostgres, Unavailable } from "../database/database.ts"
import type { CopyProgress, LedgerCopy } from "../ledger/copy.ts"
import { toInstant } from "../time.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { answerIsNo, cannotTell, wrongUse } from "./exit.ts"
import { archiveFolder } from "./ledger-verify.ts"
import { withJson } from "./options.ts"
import { databaseFromFlag, nameOfDatabase, sqlitePath } from "./serve-settings.ts"

interface Flags {
  readonly to?: string
  readonly database?: string
  readonly archive?: string
  readonly json?: boolean
}

/** Where nobody looks on, a line is said so often. */
const SAID_EVERY_MILLISECONDS = 10_000

export function addLedgerCopy(ledger: Command, context: Context): void {
  withJson(ledger.command("copy"))
    .description("move the issuer's SQLite database to another; killed, it goes on where it was")
    .option("--to <address>", "postgres://<user>@<host>/<name> or sqlite:<path> (TASKMINT_COPY_TO)")
    .option("--database <address>", "what to copy: sqlite:<path> (TASKMINT_DATABASE)")
    .option("--archive <folder>", "of entries that were archived to files, which stay (TASKMINT_ARCHIVE)")
    .action((flags: Flags) => copy(context, flags))
}

async function copy(context: Context, flags: Flags): Promise<void> {
  const { terminal, settings } = context
  const to = databaseFromFlag(settings.need("copyTo", flags.to), flags.to, "copyTo")
  const from = sqlitePath(settings.need("database", flags.database))
  if (!isPostgres(to) && pathOf(to) === pathOf(from)) throw wrongUse("--to is the database itself")
  const { copyLedger } = await import("../ledger/copy.ts")
  const telling = tell(context)
  const archive = await archiveFolder(context, flags)
  const copying = copyLedger({ from, to, archive, progress: telling.take }).catch((error: unknown) => {
    if (error instanceof NotCopied) throw answerIsNo(error.message)
    if (error instanceof Unavailable)
      throw cannotTell(
        error.message,
        "Nothing is lost. Run it again when that is mended: it goes on where it was",
      )
    throw error
  })
  show(context, flags, { to, copied: await terminal.progress(telling.line, copying) })
}

function pathOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path // it is not there yet
  }
}

/** For a person a line that changes, else one from time to time. */
function tell({ terminal }: Context) {
  let line = "opening both databases"
  let saidAt = performance.now()
  return {
    line: () => line,
    take({ table, share, rows, rowsPerSecond }: CopyProgress) {
      line = `copying ${table}, ${Math.floor(share * 100)} %, ${rows} rows, ${Math.round(rowsPerSecond)} a second`
      if (process.stderr.isTTY || performance.now() - saidAt < SAID_EVERY_MILLISECONDS) return
      saidAt = performance.now()
      terminal.note(line)
    },
  }
}

function show({ terminal }: Context, { json }: Flags, told: Told): void {
  if (json) {
    terminal.json(forPrograms(told))
    return
  }
  terminal.print(forPeople(told))
  for (const text of NEXT) terminal.note(text)
}

interface Told {
  readonly to: string
  readonly copied: LedgerCopy
}

const perSecond = ({ rows, milliseconds }: LedgerCopy): number => Math.round((rows * 1000) / milliseconds)

const forPrograms = ({ to, copied }: Told) => ({
  to: nameOfDatabase(to),
  rows: copied.rows,
  rows_per_second: perSecond(copied),
  newest: copied.newest ? { seq: copied.newest.seq, at: toInstant(copied.newest.at) } : null,
  resumed: copied.resumed,
})

function forPeople({ to, copied }: Told): string {
  const { rows, newest, resumed, milliseconds } = copied
  const until = newest ? `, entries up to ${newest.seq} at ${toInstant(newest.at)}` : ""
  const rate = `${(milliseconds / 1000).toFixed(1)} s (${perSecond(copied)} a second)`
  const written = `${rows} rows${resumed ? " in this run" : ""}${until}`
  return `${forTerminal(nameOfDatabase(to))}  ${written}; each compared, in ${rate}`
}

const NEXT = [
  "Start the issuer with TASKMINT_DATABASE set to the new one, and everything else as it was.",
  "Move the file away and keep it: an issuer that is started on it again would go on with another ledger of the same name.",
]
