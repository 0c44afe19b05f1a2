// What was granted and used in a window of the ledger, as the least-privilege report tells it. It decides whether a
// document is such a report; what follows from it is review-evidence.ts's.
import { z } from "zod"

const count = z.int().min(0)
const time = z.iso.datetime({ offset: true })

/** Tasks of one type that have ended, of which all was read. */
const lasted = z.object({ type: z.string(), tasks: count, longest_seconds: z.number().min(0) })

/** Other members are left alone: the report may tell more than is looked at here. */
const report = z.object({
  from: time,
  to: time,
  /** How many entries of the ledger were looked at. */
  entries: count,
  /** Entries up to this place were counted, and when that one was written. */
  up_to: count.optional(),
  up_to_at: time.nullable().optional(),
  /** The ledger's size and root hash then, as a signed note. */
  checkpoint: z.string().optional(),
  /** Set: only a part of what happened was asked for. */
  only: z.unknown().optional(),
  /** How long tasks went on: of entries (audit/lasting.ts), which the issuer's report does not look at. */
  lasted: z.array(lasted).optional(),
  items: z.array(
    z.object({
      type: z.string(),
      agent: z.string(),
      rule: z.string(),
      api: z.string(),
      operation: z.string(),
      granted: count,
      used: count,
      refused: count,
      last_used: time.nullable(),
      resources: count.nullable(),
    }),
  ),
})

export type Evidence = z.output<typeof report>
export type Lasted = z.output<typeof lasted>
export type EvidenceItem = Evidence["items"][number]

/** The report in a JSON text; else what is wrong with it, in one line. */
export function readEvidence(text: string): Evidence | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return "it is not JSON"
  }
  const read = report.safeParse(value)
  if (read.success) return read.data
  const [issue] = read.error.issues
  return `${issue?.path.length ? `${issue.path.join(".")}: ` : ""}${issue?.message ?? "it is no least-privilege report"}`
}

/** Why something of the report's window may not be in it: then what looks unused may have been used. Undefined where all is. */
export function countingFault(evidence: Evidence): string | undefined {
  const { to, up_to: upTo, up_to_at: at, checkpoint, only } = evidence
  if (only !== undefined) return "it was asked for a part of what happened"
  if (typeof at === "string" && Date.parse(at) >= Date.parse(to)) return undefined
  if (upTo === undefined || checkpoint === undefined) return "it does not say how far it was counted (up_to)"
  const size = sizeIn(checkpoint)
  if (size === undefined) return "its checkpoint is none"
  return upTo < size ? `it was made when ${upTo} of ${size} entries were counted` : undefined
}

/** How many entries a ledger had, by its signed note (C2SP tlog-checkpoint), which is NOT checked. */
export function sizeIn(checkpoint: string): number | undefined {
  const line = checkpoint.split("\n")[1] ?? ""
  return /^(0|[1-9]\d{0,15})$/.test(line) ? Number(line) : undefined
}
