// Whose request it is, where nothing is used: a protocol's greeting, or a list of what could be asked for. It decides all
// that a check decides except operation and resource, and records nothing, for nothing of the API is touched.
import { Refusal, refuse } from "../errors.ts"
import { judgeToken } from "../token/verify.ts"
import type { VerifierSettings } from "./options.ts"
import type { ReadPresentation } from "./presentation.ts"
import type { Rooms } from "./rooms.ts"

export interface Recognized {
  readonly outcome: "recognized"
  readonly task: string
  /** Every operation that the token grants on some resource. */
  readonly operations: readonly string[]
}

/** Only in observe mode: the caller would have been refused. */
export interface Unrecognized {
  readonly outcome: "observed"
}

export type Recognize = (
  view: { readonly method: string; readonly target: string; readonly rawHeaders: readonly string[] },
  operations: readonly string[],
) => Promise<Recognized | Unrecognized | ReturnType<Rooms["refused"]>>

const OBSERVED: Unrecognized = Object.freeze({ outcome: "observed" })

/** The contract's order, as a check has it. Never rejects: a fault is a refusal with 503. */
export function createRecognize(
  settings: VerifierSettings,
  rooms: Rooms,
  present: ReadPresentation,
): Recognize {
  const { issuer, resource: audience } = settings
  const { possession, revocations, observer, issuerTime, witness } = rooms
  const refused = (...told: Parameters<Rooms["refused"]>) =>
    observer?.active() ? OBSERVED : rooms.refused(...told)
  return async (view, operations) => {
    try {
      const shown = await present(view)
      if ("refusal" in shown) return refused(shown.refusal, shown.scheme, "")
      const { token, kid, scheme } = shown
      const now = issuerTime.epochSeconds()
      const wrong =
        (now instanceof Refusal ? now : judgeToken(token, { issuer, audience, now })) ??
        (await possession.check(token, shown, view)) ??
        revocations.judge(token, kid) ??
        witness.standing() ??
        judgeAge(rooms, operations)
      if (wrong) return refused(wrong, scheme, "")
      return { outcome: "recognized", task: token.txn, operations: token.scope }
    } catch {
      return refused(refuse("temporarily_unavailable", "fault"), "Bearer", "")
    }
  }
}

/**
 * As old as the most patient of the operations lets it be: a list never waits for what some of its calls would not. With
 * none of them it is held to be of high risk, as an operation without a name is.
 */
function judgeAge({ revocations, catalogue }: Rooms, operations: readonly string[]): Refusal | undefined {
  const age = revocations.age()
  if (age === undefined) return refuse("revocations_stale", "never_known")
  const named = operations.length > 0 ? operations : [""]
  const limit = Math.max(...named.map((one) => catalogue.stalenessLimit(one)))
  return age <= limit ? undefined : refuse("revocations_stale", "too_old")
}
