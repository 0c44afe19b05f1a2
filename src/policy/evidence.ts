// What was granted and used in a window of the ledger, as the least-privilege report tells it. It decides whether a
// document is such a report; what follows from it is review-evidence.ts's.
import { z } from "zod"

const count = z.int().min(0)
const time = z.iso.datetime({ offset: true })

/** Other members are left alone: the report may tell more than is looked at here. */
const report = z.object({
  from: time,
  to: time,
  /** How many entries of the ledger were looked at. */
  entries: count,
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
