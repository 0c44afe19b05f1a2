// `ledger query`: what happened, for an auditor. Every query is itself an entry of the ledger. The other
// commands of the noun are files of their own.
import type { Command } from "commander"
import { asRecord } from "../client/issuer-call.ts"
import type { Context } from "./context.ts"
import { HEADINGS, rowsOfEntries } from "./entry-row.ts"
import { forTerminal } from "./escape.ts"
import { addLeastPrivilege } from "./least-privilege.ts"
import { addAnomalies } from "./ledger-anomalies.ts"
import { addArchive } from "./ledger-archive.ts"
import { addLedgerAsk } from "./ledger-ask.ts"
import { addLedgerCopy } from "./ledger-copy.ts"
import { addErase } from "./ledger-erase.ts"
import { addLedgerExport } from "./ledger-export.ts"
import { type FilterFlags, filtersIn, withFilters } from "./ledger-filters.ts"
import { addFollow } from "./ledger-follow.ts"
import { addVerify } from "./ledger-verify.ts"
import { asCaller, type CallerFlags, issuerOf, readCount } from "./options.ts"

interface Flags extends CallerFlags, FilterFlags {
  readonly database?: string
  readonly after?: string
  readonly limit: number
}

export function addLedger(program: Command, context: Context): void {
  const ledger = program.command("ledger").description("what happened")
  withFilters(asCaller(ledger.command("query")))
    .description("entries, the oldest first")
    .option("--after <cursor>", "go on where the last query ended")
    .option("--limit <count>", "how many, up to 1000", readCount, 100)
    .option("--database <address>", "instead of the issuer: an auditor's copy, sqlite:<path>")
    .action((flags: Flags) => query(context, flags))
  addLedgerAsk(ledger, context)
  addLeastPrivilege(ledger, context)
  addAnomalies(ledger, context)
  addLedgerExport(ledger, context)
  addVerify(ledger, context)
  addLedgerCopy(ledger, context)
  addArchive(ledger, context)
  addErase(ledger, context)
  addFollow(ledger, context)
}

async function query(context: Context, flags: Flags): Promise<void> {
  const body = flags.database === undefined ? await ask(context, flags) : await askCopy(context, flags)
  if (flags.json) return context.terminal.json(body)
  showEntries(context, asRecord(body))
}

const askCopy = async (context: Context, { database = "", ...flags }: Flags): Promise<unknown> =>
  (await import("./ledger-query-copy.ts")).queryCopy(context, { ...flags, database })

async function ask(context: Context, flags: Flags): Promise<unknown> {
  const { after, limit } = flags
  const asked = { ...filtersIn(flags), limit: String(limit), ...(after !== undefined && { after }) }
  const path = `/ledger/entries?${new URLSearchParams(asked)}`
  return (await context.terminal.progress("asking", issuerOf(context, flags).call("GET", path))).body
}

function showEntries({ terminal }: Context, answer: Readonly<Record<string, unknown>>): void {
  const entries = Array.isArray(answer.entries) ? answer.entries.map(asRecord) : []
  if (entries.length === 0) terminal.note("No entries.")
  else terminal.table(HEADINGS, rowsOfEntries(entries, terminal.columns()))
  if (typeof answer.next === "string") terminal.note(`\nMore: --after ${forTerminal(answer.next)}`)
}
