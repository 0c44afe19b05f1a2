// `ledger export`: entries into a file, with a manifest beside it that says what the file holds. It decides that a file is
// there whole or not at all, and that nothing is written over; what an entry looks like is the issuer's.
import { createHash } from "node:crypto"
import { existsSync, statSync } from "node:fs"
import { open, rename, rm, writeFile } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { type Command, Option } from "commander"
import { EXPORT_FORMATS, type ExportFormat } from "../ledger/export.ts"
import { systemClock, toInstant } from "../time.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { cannotTell, wrongUse } from "./exit.ts"
import { openStream } from "./issuer-stream.ts"
import { type FilterFlags, filtersIn, withFilters } from "./ledger-filters.ts"
import { asCaller, type CallerFlags, required } from "./options.ts"
import { type Counted, createRecords, type Records } from "./records.ts"

interface Flags extends CallerFlags, Omit<FilterFlags, "to"> {
  readonly format: ExportFormat
  /** A path, which everywhere else is a time. */
  readonly to: string
  readonly until?: string
}

/** Exports hold personal values. */
const OWNER_ONLY = 0o600

export function addLedgerExport(ledger: Command, context: Context): void {
  withFilters(asCaller(ledger.command("export")), ["to"])
    .description("entries into a file, with a manifest beside it; one query, however many there are")
    .option("--until <value>", "RFC 3339 time: what is --to elsewhere")
    .addOption(
      new Option("--format <format>", "ndjson is exact; csv is for spreadsheets")
        .choices(EXPORT_FORMATS)
        .default("ndjson"),
    )
    .addOption(required("--to <path>", "a folder, or the file, which must not be there yet"))
    .action((flags: Flags) => exportLedger(context, flags))
}

async function exportLedger(context: Context, flags: Flags): Promise<void> {
  const { terminal } = context
  const filters = filtersIn({ ...flags, to: flags.until })
  const asked = new URLSearchParams({ ...filters, format: flags.format })
  checkFree(flags.to)
  const { issuer, answer } = await openStream(context, flags, `/ledger/export?${asked}`)
  const upTo = Number(answer.headers.get("taskmint-up-to"))
  const path = pathFor(flags, upTo)
  checkFree(path)
  const records = createRecords(flags.format)
  const told = () => {
    const { entries, last = 0 } = records.counted()
    return `exporting, ${entries} entries, at place ${last} of ${upTo}`
  }
  const { bytes, sha256 } = await terminal.progress(told, save(answer, path, records))
  const counted = records.counted()
  const manifest = {
    issuer,
    file: basename(path),
    format: flags.format,
    filters,
    exported_at: toInstant(systemClock.now()),
    up_to: upTo,
    ...ofCounted(counted),
    bytes,
    sha256,
    checkpoint: Buffer.from(answer.headers.get("taskmint-checkpoint") ?? "", "base64").toString("utf8"),
  }
  const text = `${JSON.stringify(manifest, undefined, 2)}\n`
  await writeFile(manifestOf(path), text, { mode: OWNER_ONLY, flag: "wx" })
  if (flags.json) return terminal.json({ ...manifest, path })
  const range = counted.first === undefined ? "" : `, from ${counted.first} to ${counted.last}`
  terminal.print(`${forTerminal(path)}  ${counted.entries} entries${range}, ${bytes} bytes`)
  terminal.note(
    `${forTerminal(manifestOf(path))} has its SHA-256 and the checkpoint. Both hold personal values.`,
  )
  if (flags.format === "csv")
    terminal.note(
      "An apostrophe stands before cells that a spreadsheet would run. NDJSON has them as they are.",
    )
}

const ofCounted = ({ entries, first, last }: Counted) => ({
  first: first ?? null,
  last: last ?? null,
  entries,
})

const manifestOf = (path: string): string => `${path}.manifest.json`

const pathFor = ({ to, format }: Flags, upTo: number): string =>
  isFolder(to) ? join(to, `entries-up-to-${upTo}.${format}`) : to

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false

function checkFree(path: string): void {
  if (!isFolder(dirname(path))) throw wrongUse(`${dirname(path)} is no folder`, "Make it, or name another")
  const taken = [path, manifestOf(path)].find((one) => existsSync(one) && !isFolder(one))
  if (taken !== undefined)
    throw wrongUse(`${taken} is there already`, "Nothing is written over: name another")
}

/** Under another name until the last byte is on the disk. */
async function save(answer: Response, path: string, records: Records) {
  const part = `${path}.part`
  const file = await open(part, "wx", OWNER_ONLY).catch((error: unknown) => {
    throw wrongUse(`${part} can't be written (${codeOf(error)})`)
  })
  const digest = createHash("sha256")
  let bytes = 0
  try {
    for await (const chunk of answer.body ?? []) {
      records.take(chunk)
      digest.update(chunk)
      bytes += chunk.byteLength
      await file.writeFile(chunk)
    }
    await file.sync()
    await file.close()
    await rename(part, path)
  } catch (error) {
    await file.close().catch(() => undefined)
    await rm(part, { force: true })
    throw cannotTell(`The export broke off after ${bytes} bytes (${codeOf(error)})`, "Nothing of it was kept")
  }
  return { bytes, sha256: digest.digest("hex") }
}

/** Of the error, or of the one that it was caused by. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown"
  if ("code" in error) return String(error.code)
  return error.cause === undefined ? error.message : codeOf(error.cause)
}
