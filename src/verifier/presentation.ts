// What a request presents: one credential, opened to a genuine token, in the contract's order. It decides nothing about
// time, audience, possession or revocation, and records nothing: that is for those who ask.
import { Refusal, refuse } from "../errors.ts"
import type { TaskToken } from "../token/token.ts"
import type { Scheme } from "./challenge.ts"
import { type Credential, findCredential, type Presented } from "./credential.ts"
import type { OpenCredential, Opened } from "./genuine.ts"
import type { HeadOf } from "./use.ts"

/** The genuine token of a request. */
export interface Presentation {
  readonly token: TaskToken
  readonly kid: string
  readonly headOf: HeadOf
  readonly credential: Credential
  readonly proof: string | undefined
  /** What a refusal challenges for: whoever holds a bound token is told to prove it. */
  readonly scheme: Scheme
}

/** No genuine token, and why. */
export interface NoPresentation {
  readonly refusal: Refusal
  readonly scheme: Scheme
}

type Read = Presentation | NoPresentation
/** Answers at once for a token that is remembered; for a new one when it is opened, which may take asking for a key. */
export type ReadPresentation = (view: {
  readonly target: string
  readonly rawHeaders: readonly string[]
}) => Promise<Read> | Read

export function createPresentation(open: OpenCredential, isClosed: () => boolean): ReadPresentation {
  return ({ rawHeaders, target }) => {
    if (isClosed()) return none(refuse("temporarily_unavailable", "closed"))
    const presented = findCredential(rawHeaders, target)
    if (presented === "absent") return none(refuse("token_missing", "absent"))
    if (presented instanceof Refusal) return none(presented)
    const opened = open(presented.authorization)
    return opened instanceof Promise
      ? opened.then((one) => present(presented, one))
      : present(presented, opened)
  }
}

const none = (refusal: Refusal, scheme: Scheme = "Bearer"): NoPresentation => ({ refusal, scheme })

function present({ proof }: Presented, opened: Opened | Refusal | "absent"): Read {
  if (opened === "absent") return none(refuse("token_missing", "absent"))
  if (opened instanceof Refusal) return none(opened)
  const { credential, genuine } = opened
  if (genuine instanceof Refusal) return none(genuine, credential.scheme)
  const { token, kid, headOf } = genuine
  return {
    token,
    kid,
    headOf,
    credential,
    proof,
    scheme: token.jkt === undefined ? credential.scheme : "DPoP",
  }
}
