// What `task show` says for people: plain members first, then each list under its name; its course as `ledger query` shows
// entries. Whatever else the issuer tells is shown; it decides layout only.
import { asRecord } from "../client/issuer-call.ts"
import type { Context } from "./context.ts"
import { HEADINGS, rowsOfEntries } from "./entry-row.ts"
import { forTerminal } from "./escape.ts"

type Members = Readonly<Record<string, unknown>>

export function showTask({ terminal }: Context, view: Members): void {
  const entries = Object.entries(view)
  const plain = entries.filter(([, value]) => !Array.isArray(value))
  terminal.table(
    ["TASK", ""],
    plain.map(([name, value]) => [name, cellOf(value)]),
  )
  for (const [name, value] of entries) {
    if (!Array.isArray(value) || value.length === 0) continue
    const rows = value.map(asRecord)
    terminal.print(`\n${terminal.colors.bold(forTerminal(name))}`)
    if (name === "timeline") terminal.table(...courseOf(rows, terminal.columns()))
    else terminal.table(...listOf(rows, value))
  }
}

type Laid = [headings: string[], rows: string[][]]

function listOf(rows: readonly Members[], values: readonly unknown[]): Laid {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  if (columns.length === 0) return [["VALUE"], values.map((one) => [cellOf(one)])]
  return [columns.map((one) => one.toUpperCase()), rows.map((row) => columns.map((one) => cellOf(row[one])))]
}

/** Without the task, which is the same in all of them. */
function courseOf(entries: readonly Members[], columns: number | undefined): Laid {
  const others = entries.map((entry) => ({ ...entry, task_id: undefined }))
  const withoutTask = (row: readonly string[]) => row.filter((_cell, at) => HEADINGS[at] !== "TASK")
  return [withoutTask(HEADINGS), rowsOfEntries(others, columns).map(withoutTask)]
}

function cellOf(value: unknown): string {
  if (value === undefined || value === null) return ""
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value.join(" ")
  const { id, instance } = asRecord(value)
  if (typeof id === "string" && typeof instance === "string") return `${id}/${instance}`
  return typeof value === "string" ? value : JSON.stringify(value)
}
