// `policy inventory`: which agents there are, whose they are and what they reach, as a table, JSON or CSV. What an agent
// reaches is the policy room's (inventory.ts).
import { type Command, Option } from "commander"
import { type InventoryAgent, type InventoryLine, inventoryOf } from "../policy/inventory.ts"
import type { Context } from "./context.ts"
import { withJson } from "./options.ts"
import { type FolderFlags, loadFolder } from "./policy-folder.ts"

interface InventoryFlags extends FolderFlags {
  readonly csv?: boolean
}

export function addInventory(policy: Command, context: Context): void {
  withJson(policy.command("inventory"))
    .description("which agents there are, whose they are, and the most that each may reach")
    .argument("[folder]", "the policy folder (TASKMINT_POLICIES)")
    .addOption(new Option("--csv", "for spreadsheets (RFC 4180)").conflicts("json"))
    .option("--dev", "as `serve --dev` would read it")
    .action((folder: string | undefined, flags: InventoryFlags) => show(context, folder, flags))
}

const COLUMNS = [
  "agent",
  "owner",
  "risk",
  "api",
  "operations",
  "task",
  "through",
  "started by",
  "on behalf of",
  "approved by",
  "conditional",
] as const

async function show(context: Context, given: string | undefined, flags: InventoryFlags): Promise<void> {
  const { terminal, settings } = context
  const policy = await loadFolder(context, settings.need("policies", given), flags)
  const agents = inventoryOf(policy)
  const rows = agents.flatMap(rowsOf)
  if (flags.json) terminal.json({ digest: policy.digest, agents })
  else if (flags.csv) terminal.print([COLUMNS, ...rows].map((row) => row.map(forCsv).join(",")).join("\r\n"))
  else
    terminal.table(
      COLUMNS.map((name) => name.toUpperCase()),
      rows.map((row) => row.map((cell) => (cell === "" ? "-" : cell))),
    )
}

const rowsOf = ({ agent, owner, enabled, reaches }: InventoryAgent): string[][] =>
  reaches.length > 0
    ? reaches.map(rowOf)
    : [[agent, owner, enabled ? "none" : "disabled", ...COLUMNS.slice(3).map(() => "")]]

const rowOf = (line: InventoryLine): string[] => [
  line.agent,
  line.owner,
  line.risk,
  line.api,
  line.operations.join(" "),
  line.task,
  line.through.join(" "),
  line.startedBy.join(" "),
  line.onBehalfOf.join(" "),
  line.approvedBy.join(" "),
  line.conditions.length > 0 ? "yes" : "",
]

/** Quoted where it must be; what a spreadsheet would take for a formula is told to be text. */
function forCsv(cell: string): string {
  const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell
  return /[",\r\n']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
