// Observe mode: requests that a guard would refuse go on to their handlers, said in the answer and in the ledger, until an
// end date. It decides when that is over, and that the handler still sees no token of ours; what would be refused, the
// check decides.
import { type Code, Refusal } from "../errors.ts"
import type { Recorder } from "../spool/recorder.ts"
import { type Clock, toInstant } from "../time.ts"
import type { UseRecord } from "../token/batch.ts"
import { NOT_SHARED } from "./challenge.ts"
import { namesIssuer } from "./credential.ts"

export interface Observer {
  /** Whether refusals are let through now. */
  active(): boolean
  /** For an operator, in words. */
  readonly notice: string
  /** What the answer to a request says that would have been allowed. */
  readonly headers: Readonly<Record<string, string>>
  /** Lets a refused request through; with a genuine token its use is durable first, where the spool takes it, or is already. */
  letThrough(
    refusal: Refusal,
    request: { readonly rawHeaders: readonly string[]; readonly target: string },
    use: UseRecord | undefined,
  ): Promise<LetThrough>
}

export interface LetThrough {
  readonly outcome: "observed" | "not_ours"
  readonly observed: true
  readonly headers: Readonly<Record<string, string>>
  finished(status: number): void
  /** Why it would be refused, once nothing is let through any more. */
  stands(): Code | undefined
}

/** At most so far ahead: a guard that never refuses is not to be forgotten. */
export const MAX_OBSERVE_MILLISECONDS = 30 * 86_400_000

const unrecorded = () => undefined

/** `until`: epoch milliseconds. */
export function createObserver(options: {
  readonly until: number
  readonly issuer: string
  readonly recorder: Pick<Recorder, "allow">
  readonly clock: Clock
}): Observer {
  const { until, issuer, recorder, clock } = options
  const say = (code: string) => ({
    ...NOT_SHARED,
    "Taskmint-Observed": `${code}; until="${toInstant(until)}"`,
  })
  const active = () => clock.now() < until
  return {
    active,
    notice:
      clock.now() < until
        ? `observe mode: nothing is refused until ${toInstant(until)}`
        : `observe mode is over since ${toInstant(until)}: requests are refused`,
    headers: Object.freeze(say("allowed")),
    async letThrough({ code }, { rawHeaders, target }, use) {
      const headers = say(code)
      const stands = () => (active() ? undefined : code)
      // Refused when it was to be recorded: the issuer has it and counts it beyond a limit, or there was no place for it.
      if (use?.decision === "allowed")
        return { outcome: "observed", observed: true, headers, finished: unrecorded, stands }
      if (use) {
        const recorded = await recorder.allow({ ...use, decision: "observed", code, status: undefined })
        const finished = recorded instanceof Refusal ? unrecorded : recorded.finished
        return { outcome: "observed", observed: true, headers, finished, stands }
      }
      // A token that only says that it is ours may be: then it is taken off, for handlers see none.
      const outcome = namesIssuer(rawHeaders, target, issuer) ? "observed" : "not_ours"
      return { outcome, observed: true, headers, finished: unrecorded, stands }
    },
  }
}
