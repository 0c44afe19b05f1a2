// `ledger erase`: takes what the ledger tells of a person or a task out of it, as an operator who signs in. What goes and
// what stays the issuer decides; the command can be given again until it says that nothing was left.
import type { Command } from "commander"
import { asRecord } from "../client/issuer-call.ts"
import type { Context } from "./context.ts"
import { wrongUse } from "./exit.ts"
import { required } from "./options.ts"
import { asPerson, issuerForPerson, type PersonFlags } from "./person.ts"

interface Flags extends PersonFlags {
  readonly sub?: string
  readonly task?: string
  readonly reason: string
}

/** A long ledger is looked through, and a file is written anew. */
const PATIENCE_MILLISECONDS = 600_000

export function addErase(ledger: Command, context: Context): void {
  asPerson(ledger.command("erase"))
    .description(
      "erase the values of a person or a task, as an operator who signs in; hashes and proofs stay",
    )
    .option("--sub <person>", "a person and every task of theirs, as in people/ana@example.com")
    .option("--task <id>", "one task, task_...")
    .addOption(required("--reason <text>", "why, for the ledger; without the person's name"))
    .addHelpText("after", "\nNothing brings the values back. Tasks that run are not erased: end them first.")
    .action((flags: Flags) => erase(context, flags))
}

async function erase(context: Context, flags: Flags): Promise<void> {
  const { sub, task, reason } = flags
  if ((sub === undefined) === (task === undefined)) throw wrongUse("Give one of --sub and --task")
  const { terminal } = context
  const issuer = await issuerForPerson(context, flags, { timeoutMilliseconds: PATIENCE_MILLISECONDS })
  const asked = sub === undefined ? { task, reason } : { sub, reason }
  const { body } = await terminal.progress("erasing", issuer.call("POST", "/ledger/erase", asked))
  if (flags.json) return terminal.json(body)
  const { tasks, entries, from_files: fromFiles } = asRecord(body)
  if (tasks === 0 && entries === 0) terminal.print("Nothing was left to erase.")
  else terminal.print(`erased  the values of ${entries} entries, of ${tasks} tasks`)
  if (fromFiles !== true)
    terminal.note("Traces may stay in the database's files: docs/ledger.md says how they go.")
  terminal.note("Copies and backups still have the values.")
}
