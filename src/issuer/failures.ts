// What nobody authenticated can do to the ledger: nothing. Their failures are counted, and once a minute the counts are
// one entry; what callers lack a role for is counted apart, for those were authenticated. It decides which refusals count.
import type { Code } from "../errors.ts"
import type { Ledger } from "../ledger/ledger.ts"
import { toInstant } from "../time.ts"

const ALARMS = {
  callers_not_authenticated: [
    "invalid_client",
    "service_token_missing",
    "service_token_invalid",
    "proof_invalid",
    "credential_ambiguous",
    "form_foreign",
  ],
  callers_without_role: ["role_missing"],
} as const satisfies Readonly<Record<string, readonly Code[]>>

export interface Failures {
  count(code: Code): void
  /** Writes the counts since the last time as one entry an alarm, when there are any. Throws Unavailable; then they are kept. */
  sum(): Promise<void>
}

export function countFailures(ledger: Ledger): Failures {
  const counted: ReadonlySet<string> = new Set(Object.values(ALARMS).flat())
  let counts = new Map<string, number>()
  let since = ledger.at()
  return {
    count(code) {
      if (counted.has(code)) counts.set(code, (counts.get(code) ?? 0) + 1)
    },
    async sum() {
      if (counts.size === 0) return
      const [summed, from, at] = [counts, since, ledger.at()]
      counts = new Map()
      since = at
      try {
        await ledger.append(
          Object.entries(ALARMS).flatMap(([alarm, codes]) => {
            const own = codes.flatMap((code) => {
              const count = summed.get(code)
              return count === undefined ? [] : [[code, count] as const]
            })
            if (own.length === 0) return []
            const body = { alarm, from: toInstant(from), counts: Object.fromEntries(own) }
            return [{ kind: "alarm.raised", at, outcome: "refused", code: alarm, body } as const]
          }),
        )
      } catch (error) {
        for (const [code, count] of summed) counts.set(code, (counts.get(code) ?? 0) + count)
        since = from
        throw error
      }
    },
  }
}
