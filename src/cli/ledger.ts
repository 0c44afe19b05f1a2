// `ledger query`: what happened, for an auditor. Every query is itself an entry of the ledger. `ledger copy` and
// `ledger verify` are files of their own.
import type { Command } from "commander"
import { asRecord } from "../client/issuer-call.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { addLedgerCopy } from "./ledger-copy.ts"
import { addVerify } from "./ledger-verify.ts"
import { asCaller, type CallerFlags, issuerOf, readCount } from "./options.ts"

/** The filters of GET /ledger/entries, and what they are. */
const FILTERS = [
  ["task", "task id"],
  ["reference", "the orchestrator's own execution id"],
  ["jti", "token id"],
  ["agent", "agent"],
  ["instance", "instance of an agent"],
  ["orchestrator", "orchestrator"],
  ["sub", "the principal"],
  ["api", "the API's name in the policy"],
  ["operation", "operation, as in tickets:read"],
  ["resource", "resource, or how it begins"],
  ["kind", "kind of entry, as in use.refused"],
  ["outcome", "allowed or refused"],
  ["from", "RFC 3339 time"],
  ["to", "RFC 3339 time"],
  ["after", "go on where the last query ended"],
] as const

type Flags = CallerFlags &
  Readonly<Partial<Record<(typeof FILTERS)[number][0], string>>> & { readonly limit?: number }

export function addLedger(program: Command, context: Context): void {
  const ledger = program.command("ledger").description("what happened")
  const query = asCaller(ledger.command("query")).description("entries, the oldest first")
  for (const [name, description] of FILTERS) query.option(`--${name} <value>`, description)
  addVerify(ledger, context)
  query.option("--limit <count>", "how many, up to 1000", readCount, 100).action(async (flags: Flags) => {
    const { body } = await context.terminal.progress(
      "asking",
      issuerOf(context, flags).call("GET", pathOf(flags)),
    )
    if (flags.json) return context.terminal.json(body)
    showEntries(context, asRecord(body))
  })
  addLedgerCopy(ledger, context)
}

function pathOf(flags: Flags): string {
  const filter = new URLSearchParams({ limit: String(flags.limit ?? 100) })
  for (const [name] of FILTERS) if (flags[name] !== undefined) filter.set(name, flags[name])
  return `/ledger/entries?${filter}`
}

function showEntries({ terminal }: Context, answer: Readonly<Record<string, unknown>>): void {
  const entries = Array.isArray(answer.entries) ? answer.entries.map(asRecord) : []
  if (entries.length === 0) terminal.note("No entries.")
  else terminal.table(HEADINGS, entries.map(rowOfEntry))
  if (typeof answer.next === "string") terminal.note(`\nMore: --after ${forTerminal(answer.next)}`)
}

const HEADINGS = ["SEQ", "AT", "KIND", "WHO", "OPERATION", "RESOURCE", "OUTCOME", "CODE"]

/** One entry as a row; who: the agent's instance where there is one, else the orchestrator or the API. */
function rowOfEntry(entry: Readonly<Record<string, unknown>>): string[] {
  const { agent, instance, orchestrator, api } = entry
  const who =
    agent === undefined ? (orchestrator ?? api) : instance === undefined ? agent : `${agent}/${instance}`
  return [
    entry.seq,
    entry.at,
    entry.kind,
    who,
    entry.operation,
    entry.resource,
    entry.outcome,
    entry.code,
  ].map((one) => String(one ?? ""))
}
