// `ledger least-privilege`: what was granted against what was used, as a table for people and as evidence for `policy`. It
// decides what stands out; what counts is the issuer's.
import type { Command } from "commander"
import { asRecord } from "../client/issuer-call.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { asCaller, type CallerFlags, issuerOf } from "./options.ts"

const FILTERS = ["type", "agent", "rule", "from", "to"] as const

type Flags = CallerFlags & { readonly [Name in (typeof FILTERS)[number]]?: string } & {
  readonly unused?: boolean
}
type Item = Readonly<Record<string, unknown>>

export function addLeastPrivilege(ledger: Command, context: Context): void {
  asCaller(ledger.command("least-privilege"))
    .description("what was granted against what was used; --json is evidence for `policy`")
    .option("--type <name>", "task type")
    .option("--agent <name>", "agent; of a delegation the sub-agent")
    .option("--rule <rule>", "as in support.yaml#/tasks/triage-ticket/grants/0")
    .option("--from <value>", "RFC 3339 time, whole days; default: 30 days before --to")
    .option("--to <value>", "RFC 3339 time; default: now")
    .option("--unused", "only what was granted and never used")
    .action((flags: Flags) => report(context, flags))
  asCaller(ledger.command("rebuild"))
    .description("count what `least-privilege` and `anomalies` report anew, from the ledger, as an operator")
    .action((flags: CallerFlags) => rebuild(context, flags))
}

async function report(context: Context, flags: Flags): Promise<void> {
  const { terminal } = context
  const { items, ...rest } = await terminal.progress("asking", readAll(context, flags))
  const found = flags.unused ? items.filter(isUnused) : items
  if (flags.json) return terminal.json({ ...rest, ...partOf(flags), items: found })
  if (found.length === 0) terminal.note(flags.unused ? "Everything that was granted was used." : "Nothing.")
  else terminal.table(HEADINGS, found.map(rowOf))
  const { agents, types } = asRecord(rest.dormant)
  const { from, to, entries } = rest
  terminal.note(`\n${forTerminal(`${entries} entries from ${from} to ${to}.`)}`)
  for (const [what, names] of [["agents", agents] as const, ["task types", types] as const])
    if (Array.isArray(names) && names.length > 0)
      terminal.note(forTerminal(`Dormant ${what}, given and using nothing: ${names.join(", ")}`))
}

/** What a report is that does not tell everything of its days. */
function partOf({ type, agent, rule, unused }: Flags) {
  const only = { type, agent, rule, unused }
  return Object.values(only).some((one) => one !== undefined) ? { only } : {}
}

/** Page by page. What was counted meanwhile may be in the later ones: the place is that of the first. */
async function readAll(context: Context, flags: Flags): Promise<Item & { readonly items: readonly Item[] }> {
  const issuer = issuerOf(context, flags)
  const asked = Object.fromEntries(
    FILTERS.flatMap((name) => (flags[name] === undefined ? [] : [[name, flags[name]] as const])),
  )
  const items: Item[] = []
  let first: Item | undefined
  for (let after: unknown = ""; typeof after === "string"; ) {
    const query = new URLSearchParams(after === "" ? asked : { ...asked, after })
    const { body } = await issuer.call("GET", `/reports/least-privilege?${query}`)
    const { next, ...page } = asRecord(body)
    if (Array.isArray(page.items)) items.push(...page.items.map(asRecord))
    first ??= page
    after = next
  }
  return { ...first, items }
}

const isUnused = ({ granted, used }: Item): boolean => Number(granted) > 0 && used === 0

const HEADINGS = ["TYPE", "AGENT", "OPERATION", "GRANTED", "USED", "REFUSED", "LAST USED", "RULE"]

const rowOf = (item: Item): string[] => {
  const { type, agent, operation, granted, used, refused, last_used, rule } = item
  const last = last_used ?? (isUnused(item) ? "never" : "")
  return [type, agent, operation, granted, used, refused, last, rule || "(none)"].map((one) =>
    String(one ?? ""),
  )
}

async function rebuild(context: Context, flags: CallerFlags): Promise<void> {
  const { terminal } = context
  await terminal.progress("asking", issuerOf(context, flags).call("POST", "/reports/least-privilege/rebuild"))
  if (flags.json) return terminal.json({ rebuilding: true })
  terminal.print(
    "Counted anew from now on; `up_to` of `ledger least-privilege --json` says how far it has come.",
  )
}
