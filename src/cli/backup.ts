// `backup`: a copy of the issuer's database while it runs. It decides what the operator is told; what a good copy is,
// database/backup.ts decides.
import { existsSync } from "node:fs"
import type { Command } from "commander"
import { Unavailable } from "../database/database.ts"
import { toInstant } from "../time.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { cannotTell } from "./exit.ts"
import { required, withJson } from "./options.ts"
import { thereAlready } from "./secret-file.ts"
import { sqlitePath } from "./serve-settings.ts"

interface Flags {
  readonly to: string
  readonly database?: string
  readonly json?: boolean
}

export function addBackup(program: Command, context: Context): void {
  withJson(program.command("backup"))
    .description("copy the issuer's database while it runs, and check the copy")
    .addOption(required("--to <file>", "the copy; it must not be there yet"))
    .option("--database <address>", "sqlite:<path> (TASKMINT_DATABASE)")
    .action((flags: Flags) => backup(context, flags))
}

async function backup({ terminal, settings }: Context, flags: Flags): Promise<void> {
  if (existsSync(flags.to)) throw thereAlready(flags.to)
  const from = sqlitePath(settings.need("database", flags.database))
  const { copyDatabase } = await import("../database/backup.ts")
  let share = 0
  const told = (now: number) => {
    share = now
  }
  const copying = copyDatabase({ from, to: flags.to, progress: told }).catch((error: unknown) => {
    if (!(error instanceof Unavailable)) throw error
    throw cannotTell(error.message, "Run it as the issuer's user, with room for the whole of the database")
  })
  const copied = await terminal.progress(() => `copying ${Math.floor(share * 100)} %`, copying)
  const { bytes, entries, newest } = copied
  if (flags.json)
    return terminal.json({
      file: flags.to,
      bytes,
      entries,
      newest: newest ? { seq: newest.seq, at: toInstant(newest.at) } : null,
    })
  const until = newest ? `, up to ${newest.seq} at ${toInstant(newest.at)}` : ""
  terminal.print(`${forTerminal(flags.to)}  ${bytes} bytes, ${entries} entries${until}; checked`)
  for (const line of BESIDE) terminal.note(line)
}

const BESIDE = [
  "It does not hold the key-encryption key: keep that elsewhere, without it no signing key of the copy opens.",
  "It does not hold the policy files: keep those, and their public keys, beside it. It holds personal values.",
]
