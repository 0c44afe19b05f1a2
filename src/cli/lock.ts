// `lock`: the standing orders that nothing more is minted for a name, as an operator.
import type { Command } from "commander"
import { asRecord } from "../client/issuer-call.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { asCaller, type CallerFlags, issuerOf } from "./options.ts"

export function addLock(program: Command, context: Context): void {
  const lock = program.command("lock").description("names for which nothing more is minted")
  asCaller(lock.command("list"))
    .description("the locks that stand")
    .action((flags: CallerFlags) => list(context, flags))
  asCaller(lock.command("lift"))
    .description("let a name go on, where no other lock on it stands; tasks that were revoked stay revoked")
    .argument("<revocation>", "the id of the revocation that set it, rev_...")
    .action((id: string, flags: CallerFlags) => lift(context, id, flags))
}

async function list({ terminal, ...context }: Context, flags: CallerFlags): Promise<void> {
  const issuer = issuerOf({ terminal, ...context }, flags)
  const { body } = await terminal.progress("asking", issuer.call("GET", "/locks"))
  if (flags.json) return terminal.json(body)
  const { locks } = asRecord(body)
  const found = Array.isArray(locks) ? locks.map(asRecord) : []
  if (found.length === 0) return terminal.note("No locks.")
  terminal.table(["REVOCATION", "KIND", "VALUE", "UNTIL", "BY", "REASON"], found.map(rowOf))
}

const rowOf = ({ id, kind, value, until, set_by, reason }: Readonly<Record<string, unknown>>): string[] =>
  [id, kind, value, until ?? "lifted", set_by, reason].map((cell) => String(cell ?? ""))

async function lift(context: Context, id: string, flags: CallerFlags): Promise<void> {
  const { terminal } = context
  const path = `/revocations/${encodeURIComponent(id)}`
  const { body } = await terminal.progress("asking", issuerOf(context, flags).call("DELETE", path))
  if (flags.json) return terminal.json(body ?? { id, lifted: true })
  terminal.print(`${forTerminal(id)}  ${terminal.colors.bold("lifted")}`)
}
