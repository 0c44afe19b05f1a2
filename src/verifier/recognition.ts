// Whose request it is, where nothing is used: a protocol's greeting, or a list of what could be asked for. It decides all
// that a check decides except operation and resource, and records nothing, for nothing of the API is touched.
import { Refusal, refuse } from "../errors.ts"
import { judgeToken } from "../token/verify.ts"
import { findCredential } from "./credential.ts"
import type { VerifierSettings } from "./options.ts"
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
  isClosed: () => boolean,
): Recognize {
  const { issuer, resource: audience } = settings
  const { possession, revocations, observer, issuerTime } = rooms
  const refused = (...told: Parameters<Rooms["refused"]>) =>
    observer?.active() ? OBSERVED : rooms.refused(...told)
  return async (view, operations) => {
    try {
      if (isClosed()) return refused(refuse("temporarily_unavailable", "closed"), "Bearer", "")
      const credential = findCredential(view.rawHeaders, view.target)
      if (credential === "absent") return refused(refuse("token_missing", "absent"), "Bearer", "")
      if (credential instanceof Refusal) return refused(credential, "Bearer", "")
      const genuine = await rooms.open(credential.token)
      if (genuine instanceof Refusal) return refused(genuine, credential.scheme, "")
      const { token, kid } = genuine
      const wrong =
        issuerTime.judge() ??
        judgeToken(token, { issuer, audience, now: issuerTime.epochSeconds() }) ??
        (await possession.check(token, credential, view)) ??
        revocations.judge(token, kid) ??
        judgeAge(rooms, operations)
      if (wrong) return refused(wrong, token.jkt === undefined ? credential.scheme : "DPoP", "")
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
