// Entries as lines that other programs read: NDJSON, which is exact, and CSV for spreadsheets. It decides how a line looks;
// which entries there are, and who may have them, others do.
import { type Entry, SHOWN } from "./entry.ts"

export const EXPORT_FORMATS = ["ndjson", "csv"] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

const COLUMNS = ["seq", ...SHOWN] as const

/** What stands before the first entry: of CSV the names of its columns. */
export const headOf = (format: ExportFormat): string => (format === "csv" ? `${COLUMNS.join()}\r\n` : "")

/** These entries, a line (of CSV a record) for each. */
export const linesOf = (entries: readonly Entry[], format: ExportFormat): string =>
  entries.map(format === "csv" ? recordOf : lineOf).join("")

const lineOf = (entry: Entry): string => `${JSON.stringify(entry)}\n`

/** RFC 4180. An absent member is an empty cell; the body and what is left of an erased value are JSON. */
const recordOf = (entry: Entry): string => `${COLUMNS.map((name) => cellOf(entry[name])).join()}\r\n`

function cellOf(value: Entry[keyof Entry]): string {
  if (value === undefined) return ""
  return quoted(disarmed(typeof value === "object" ? JSON.stringify(value) : String(value)))
}

/** Spreadsheets run a cell that begins like this; an apostrophe before it makes them show it instead. */
const disarmed = (text: string): string => (/^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text)

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
