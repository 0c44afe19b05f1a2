// The end of the demo: the ledger of one task as a table, and what it was granted against what it used.
import { asRecord } from "../../client/issuer-call.ts"
import type { Terminal } from "../terminal.ts"
import type { Scenery } from "./stage.ts"
import type { Teller } from "./tell.ts"

type Entry = Readonly<Record<string, unknown>>

/** Kinds that must be there, in this order of first appearance. */
const TOLD = ["task.started", "token.issued", "use.allowed", "use.refused", "task.completed"]
const REFUSALS = ["operation_not_granted", "resource_not_granted", "token_invalid", "task_ended"]

export async function showLedger(
  { auditor }: Scenery,
  tell: Teller,
  terminal: Terminal,
  task: string,
): Promise<readonly Entry[]> {
  const { body } = await auditor.call("GET", `/ledger/entries?task=${encodeURIComponent(task)}&limit=1000`)
  const found = asRecord(body).entries
  const entries = Array.isArray(found) ? found.map(asRecord) : []
  for (const kind of TOLD)
    tell.must(
      entries.some((one) => one.kind === kind),
      `the ledger was to hold ${kind}`,
    )
  for (const code of REFUSALS)
    tell.must(
      entries.some((one) => one.code === code),
      `the ledger was to hold ${code}`,
    )
  const rows = entries.map(rowOf).sort((one, other) => (one[0] ?? "").localeCompare(other[0] ?? ""))
  terminal.print()
  terminal.table(["  AT", "WHAT", "API", "OPERATION", "RESOURCE", "WHY"], folded(rows))
  return entries
}

/** A use was served before its API reported it: the time shown is that of the use. */
function rowOf(entry: Entry): string[] {
  const { kind, api, operation, resource, code } = entry
  const at = String(asRecord(entry.body).served_at ?? entry.at).slice(11, 23)
  return [`  ${at}`, ...[kind, api, operation, resource, code].map((cell) => String(cell ?? ""))]
}

/** Rows that say the same one after the other become one with their number. */
function folded(rows: readonly (readonly string[])[]): string[][] {
  const kept: { row: readonly string[]; count: number }[] = []
  for (const row of rows) {
    const last = kept.at(-1)
    if (last && last.row.slice(1).join() === row.slice(1).join()) last.count += 1
    else kept.push({ row, count: 1 })
  }
  return kept.map(({ row, count }) =>
    row.map((cell, at) => (at === 1 && count > 1 ? `${cell} ×${count}` : cell)),
  )
}

export async function showAccount(
  { auditor }: Scenery,
  tell: Teller,
  terminal: Terminal,
  task: string,
  entries: readonly Entry[],
): Promise<void> {
  const { body } = await auditor.call("GET", `/tasks/${encodeURIComponent(task)}`)
  const { grants } = asRecord(body)
  const operations = (Array.isArray(grants) ? grants : []).flatMap((grant) => {
    const named = asRecord(grant).operations
    return Array.isArray(named) ? named.map(String) : []
  })
  const granted = [...new Set(operations)]
  const used = new Set(
    entries.filter((one) => one.kind === "use.allowed").map((one) => String(one.operation)),
  )
  const never = granted.filter((operation) => !used.has(operation))
  const refused = entries.filter((one) => one.kind === "use.refused").length
  tell.must(granted.length > 0 && used.size > 0, "the task was to be granted something and to use some of it")
  tell.must(
    [...used].every((operation) => granted.includes(operation)),
    "nothing was to be used beyond the grant",
  )
  const { bold, yellow, red } = terminal.colors
  const parts = [
    `granted ${bold(granted.join(", "))}`,
    `used ${bold([...used].join(", "))}`,
    `never used ${yellow(never.join(", ") || "none")}`,
    `refused ${red(String(refused))}`,
  ]
  terminal.print(`   ${parts.join("   ")}`)
}
