// What nobody authenticated can do to the ledger: nothing. Their failures are counted, and once a minute the counts are
// one entry. It decides which refusals count as such.
import type { Code } from "../errors.ts"
import type { Ledger } from "../ledger/ledger.ts"
import { toInstant } from "../time.ts"

const COUNTED: ReadonlySet<Code> = new Set([
  "invalid_client",
  "service_token_missing",
  "service_token_invalid",
  "proof_invalid",
  "credential_ambiguous",
  "role_missing",
])

export interface Failures {
  count(code: Code): void
  /** Writes the counts since the last time as one entry, when there are any. Throws Unavailable; then they are kept. */
  sum(): Promise<void>
}

export function countFailures(ledger: Ledger): Failures {
  let counts: Record<string, number> = {}
  let since = ledger.at()
  return {
    count(code) {
      if (COUNTED.has(code)) counts[code] = (counts[code] ?? 0) + 1
    },
    async sum() {
      if (Object.keys(counts).length === 0) return
      const [summed, from, at] = [counts, since, ledger.at()]
      counts = {}
      since = at
      try {
        const body = { alarm: "callers_not_authenticated", from: toInstant(from), counts: summed }
        await ledger.append([{ kind: "alarm.raised", at, outcome: "refused", body }])
      } catch (error) {
        for (const [code, count] of Object.entries(summed)) counts[code] = (counts[code] ?? 0) + count
        since = from
        throw error
      }
    },
  }
}
