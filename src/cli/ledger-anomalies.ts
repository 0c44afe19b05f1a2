// `ledger anomalies`: what is unusual and stands, in words. It decides nothing; what is unusual is the issuer's to say.
import type { Command } from "commander"
import { asRecord } from "../client/issuer-call.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { asCaller, type CallerFlags, issuerOf } from "./options.ts"

const FILTERS = ["rule", "type", "agent"] as const

type Flags = CallerFlags & { readonly [Name in (typeof FILTERS)[number]]?: string }
type Item = Readonly<Record<string, unknown>>

export function addAnomalies(ledger: Command, context: Context): void {
  asCaller(ledger.command("anomalies"))
    .description("work that is unusual: what was usual, and what happened")
    .option("--rule <name>", "as in unusual_spread")
    .option("--type <name>", "task type")
    .option("--agent <name>", "agent; of a delegation the sub-agent")
    .action((flags: Flags) => report(context, flags))
}

async function report(context: Context, flags: Flags): Promise<void> {
  const { terminal } = context
  const { anomalies, learning } = await terminal.progress("asking", readAll(context, flags))
  if (flags.json) return terminal.json({ anomalies, learning })
  if (anomalies.length === 0) terminal.note("Nothing unusual stands.")
  else terminal.table(HEADINGS, anomalies.map(rowOf))
  const { agents, wanted } = asRecord(learning)
  if (!Array.isArray(agents) || agents.length === 0) return
  const { tasks, days } = asRecord(wanted)
  terminal.note(`\nToo little is known yet (${tasks} tasks on ${days} days are wanted) to tell of:`)
  for (const one of agents.map(asRecord))
    terminal.note(forTerminal(`  ${one.agent} in ${one.type}: ${one.tasks} tasks on ${one.days} days`))
  terminal.note("A task counts from an hour after its end on: what was done in it may be reported late.")
}

async function readAll(context: Context, flags: Flags) {
  const issuer = issuerOf(context, flags)
  const asked = Object.fromEntries(
    FILTERS.flatMap((name) => (flags[name] === undefined ? [] : [[name, flags[name]] as const])),
  )
  const anomalies: Item[] = []
  let learning: unknown
  for (let after: unknown = ""; typeof after === "string"; ) {
    const query = new URLSearchParams(after === "" ? asked : { ...asked, after })
    const { body } = await issuer.call("GET", `/reports/anomalies?${query}`)
    const page = asRecord(body)
    if (Array.isArray(page.anomalies)) anomalies.push(...page.anomalies.map(asRecord))
    learning ??= page.learning
    after = page.next
  }
  return { anomalies, learning }
}

const HEADINGS = ["SINCE", "RULE", "AGENT", "TYPE", "TASK", "HAPPENED", "USUAL"]

const rowOf = ({ since, rule, agent, type, task, happened, usual }: Item): string[] =>
  [since, rule, agent, type, task, happened, usual].map((one) => String(one ?? ""))
