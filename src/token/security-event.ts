// What is told outwards: security event tokens (RFC 8417), JWTs of our own that give nobody anything. It decides their shape
// and that nothing else of ours is one (`typ`); what is worth telling, and to whom, is decided where it is sent.
import { signText } from "./jwt.ts"
import type { IssuingKey } from "./signature.ts"

const SECURITY_EVENT_TYP = "secevent+jwt"
/** Section 7.2 of RFC 8417; how it is pushed is RFC 8935. */
export const SECURITY_EVENT_TYPE = "application/secevent+jwt"

/** Before the kind of the entry that it tells of. */
export const EVENT_URI = "urn:taskmint:event:"

interface EventToTell {
  readonly issuer: string
  /** Who it is for. */
  readonly audience: string
  readonly jti: string
  /** Epoch seconds: when it happened, which is when it is written down. */
  readonly at: number
  /** The task that it is about. */
  readonly task?: string
  /** The kind of an entry. */
  readonly kind: string
  /** Ids and codes, which anybody may see. */
  readonly facts: Readonly<Record<string, string | number>>
}

/** The claims (RFC 8417 section 2.2) as they are stored and signed, to the byte. */
export function securityEventClaims(event: EventToTell): string {
  const { issuer, audience, jti, at, task, kind, facts } = event
  return JSON.stringify({
    iss: issuer,
    aud: audience,
    iat: at,
    jti,
    ...(task !== undefined && { txn: task }),
    events: { [`${EVENT_URI}${kind}`]: facts },
  })
}

/** Signs stored claims with the key that signs now: a receiver finds it in the key set. */
export const signSecurityEvent = (claims: string, key: IssuingKey): string | Promise<string> =>
  signText({ typ: SECURITY_EVENT_TYP, kid: key.kid }, claims, key)
