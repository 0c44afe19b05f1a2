// `ledger archive`: packs what is older than a time, as an operator, some thousand entries with each request. It decides how
// a time is spelled and what the operator is told; what may be archived, and into which folder, the issuer decides. Killed, what
// is done stands.
import { resolve } from "node:path"
import type { Command } from "commander"
import { asRecord, type IssuerCalls } from "../client/issuer-call.ts"
import { parseDuration, parseInstant, systemClock, toInstant, withinYears } from "../time.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { answerIsNo, wrongUse } from "./exit.ts"
import { asCaller, type CallerFlags, issuerOf, required } from "./options.ts"

interface Flags extends CallerFlags {
  readonly before: string
  readonly to?: string
}

export function addArchive(ledger: Command, context: Context): void {
  asCaller(ledger.command("archive"))
    .description("pack full tiles of old entries into compressed bundles, or into files; nothing is lost")
    .addOption(required("--before <time>", "how old: 90d, or an RFC 3339 time"))
    .option(
      "--to <folder>",
      "into files there, out of the database: the folder that the issuer was started with (TASKMINT_ARCHIVE)",
    )
    .addHelpText(
      "after",
      "\nQueries, proofs, statements and erasing go on as before. Exit code 1: older entries stay because a task that they tell of\nruns, or its closing statement is owed. An issuer with TASKMINT_RETENTION does this by itself.\nFiles have the paths of the log's tiles (tile/entries/...); keep them with the database's backups, and read only.",
    )
    .action((flags: Flags) => archive(context, flags))
}

interface Sum {
  entries: number
  from?: number
  to?: number
  bytes_before: number
  bytes_after: number
  bytes_in_files?: number
  end?: unknown
  task_id?: unknown
}

async function archive(context: Context, flags: Flags): Promise<void> {
  const { terminal } = context
  const before = readBefore(flags.before)
  const issuer = issuerOf(context, flags)
  const sum: Sum = { entries: 0, bytes_before: 0, bytes_after: 0 }
  const asked = { before, ...(flags.to !== undefined && { to: resolve(flags.to) }) }
  await terminal.progress(() => `archiving, ${sum.entries} entries by now`, archiveAll(issuer, asked, sum))
  if (flags.json) terminal.json(sum)
  else tell(context, sum)
  if (sum.end === "open")
    throw answerIsNo(
      `Entries from before ${before} stay: ${forTerminal(String(sum.task_id))} runs, or its closing statement is owed`,
      "Try again when it is closed: within a day of its end, or as soon as its verifiers have reported",
    )
}

async function archiveAll(issuer: IssuerCalls, asked: object, sum: Sum): Promise<void> {
  for (let more = true; more; ) {
    const { body } = await issuer.call("POST", "/ledger/archive", asked, true)
    const done = asRecord(body)
    sum.entries += Number(done.entries)
    sum.bytes_before += Number(done.bytes_before)
    sum.bytes_after += Number(done.bytes_after)
    if (typeof done.bytes_in_files === "number")
      sum.bytes_in_files = (sum.bytes_in_files ?? 0) + done.bytes_in_files
    if (typeof done.from === "number") sum.from ??= done.from
    if (typeof done.to === "number") sum.to = done.to
    more = done.more === true
    if (more) continue
    sum.end = done.end
    if (done.task_id !== undefined) sum.task_id = done.task_id
  }
}

function tell({ terminal }: Context, sum: Sum): void {
  const { entries, from, to, bytes_before, bytes_after, bytes_in_files, end } = sum
  const inFiles = bytes_in_files === undefined ? "" : `, and ${mebibytes(bytes_in_files)} in files`
  if (entries === 0) terminal.print("Nothing was left to archive.")
  else
    terminal.print(
      `archived  ${entries} entries, ${from} to ${to}: ${mebibytes(bytes_after)} where they took ${mebibytes(bytes_before)}${inFiles}`,
    )
  if (end === "unsigned") terminal.note("The newest stay: 256 at a time are archived, once they are signed.")
}

const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`

/** As an instant by this computer's clock. */
function readBefore(text: string): string {
  const seconds = parseDuration(text)
  if (seconds !== undefined) return toInstant(withinYears(systemClock.now() - seconds * 1000))
  if (parseInstant(text) !== undefined) return text
  throw wrongUse(`${text} is no time`, "Write it as in 90d, or 2026-09-01T00:00:00Z")
}
