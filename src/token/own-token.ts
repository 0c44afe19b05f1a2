// The agent's own token: with it and its key an agent renews, delegates and asks at the issuer, so that an API's token can do
// none of these. Same typ as a task token, so the claims tell them apart: its audience is the issuer, and it has a task in it
// and no rights at any API. It decides shape, key and issuer; whether its holder still stands is the task room's.
import { isActors, nestActors, parseActors, parseLineage } from "./actor.ts"
import { isEpoch, isText, onlyMembers, parseScopeTokens } from "./claims.ts"
import { isId } from "./id.ts"
import type { JsonObject, JsonValue } from "./json.ts"
import { Unreadable } from "./jwt.ts"
import type { KnownTexts } from "./known-texts.ts"
import { type Holder, isDigest, isHash, isName } from "./name.ts"
import { type KeyOf, openSigned } from "./signed.ts"
import { isSubject, MAX_TOKEN_BYTES, MAX_TOKEN_SECONDS, parseConfirmation, TASK_TOKEN_TYP } from "./token.ts"

/** What an agent may do with its own token, in the order in which a `scope` names it. */
export const OWN_SCOPES = ["task:renew", "task:delegate", "task:ask"] as const
export type OwnScope = (typeof OWN_SCOPES)[number]

export interface OwnToken {
  readonly iss: string
  /** NumericDates, in epoch seconds. */
  readonly iat: number
  readonly exp: number
  readonly jti: string
  /** The orchestrator. */
  readonly clientId: string
  readonly sub: string
  /** The holder first, then its delegators, innermost first. */
  readonly actors: readonly Holder[]
  /** The task's id. */
  readonly txn: string
  /** Delegation ids, outermost first; empty for the task's own agent. */
  readonly lineage: readonly string[]
  /** At least one. */
  readonly scope: readonly OwnScope[]
  /** The digest of the policy that decided. */
  readonly policy: string
  /** RFC 9449 thumbprint: there is no own token without a key. */
  readonly jkt: string
}

/**
 * The exact payload of an own token as JSON text, to be stored and then signed byte for byte. Throws TypeError where
 * `openOwnToken` would not take it: a mint that gets there has a fault.
 */
export function ownTokenClaims(token: OwnToken): string {
  const { iss, iat, exp, jti, clientId, sub, actors, txn, lineage, scope, policy, jkt } = token
  const fits =
    isText(iss, 512) &&
    isLife(iat, exp) &&
    isId("tok", jti) &&
    isName(clientId) &&
    isSubject(sub) &&
    isActors(actors) &&
    isId("task", txn) &&
    isLineage(lineage, actors) &&
    scope.length > 0 &&
    isDigest(policy) &&
    isHash(jkt)
  if (!fits) throw new TypeError("An own token can't carry this")
  return JSON.stringify({
    iss,
    aud: iss,
    iat,
    nbf: iat,
    exp,
    jti,
    client_id: clientId,
    sub,
    act: nestActors(actors),
    txn,
    lineage: lineage.length > 0 ? lineage : undefined,
    scope: OWN_SCOPES.filter((one) => scope.includes(one)).join(" "),
    policy,
    cnf: { jkt },
  })
}

const isLife = (iat: unknown, exp: unknown): boolean =>
  isEpoch(iat) && isEpoch(exp) && exp > iat && exp - iat <= MAX_TOKEN_SECONDS

const isLineage = (lineage: readonly string[], actors: readonly Holder[]): boolean =>
  parseLineage(lineage.length > 0 ? lineage : undefined, actors.length) !== undefined

const RULES = { typ: [TASK_TOKEN_TYP], header: ["typ", "alg", "kid"], maxLength: MAX_TOKEN_BYTES } as const
const MEMBERS = new Set("iss aud iat nbf exp jti client_id sub act txn lineage scope policy cnf".split(" "))

/**
 * Opens an own token at its issuer: size, form, header, key, signature, claims, issuer. Any other kind of token is refused.
 * The signature of a text that is among `known` is not checked again.
 * Does NOT check time, the proof by its key, or whether its holder still stands.
 */
export function openOwnToken(
  text: string,
  keyOf: KeyOf,
  issuer: string,
  known?: KnownTexts,
): OwnToken | Unreadable {
  const signed = openSigned(text, RULES, keyOf, known)
  if (signed instanceof Unreadable) return signed
  const token = parseOwnToken(signed.payload)
  return token instanceof Unreadable || token.iss === issuer ? token : new Unreadable("iss")
}

/** Every member known and of its one shape. Does NOT check signature, time or issuer. */
export function parseOwnToken(payload: JsonObject): OwnToken | Unreadable {
  const unknown = onlyMembers(payload, MEMBERS)
  if (unknown !== undefined) return new Unreadable("claims", unknown)
  const wrong = CHECKS.find(([name, holds]) => !holds(payload[name], payload))
  if (wrong) return new Unreadable("claims", wrong[0])
  const actors = parseActors(payload.act)
  if (!actors) return new Unreadable("claims", "act")
  const lineage = parseLineage(payload.lineage, actors.length)
  if (!lineage) return new Unreadable("claims", "lineage")
  const scope = readScope(payload.scope)
  if (!scope) return new Unreadable("claims", "scope")
  const jkt = parseConfirmation(payload.cnf)
  if (typeof jkt !== "string") return new Unreadable("claims", "cnf")
  const { iss, iat, exp, jti, client_id, sub, txn, policy } = payload
  return {
    iss: String(iss),
    iat: Number(iat),
    exp: Number(exp),
    jti: String(jti),
    clientId: String(client_id),
    sub: String(sub),
    actors,
    txn: String(txn),
    lineage,
    scope,
    policy: String(policy),
    jkt,
  }
}

type Check = readonly [name: string, holds: (value: JsonValue | undefined, payload: JsonObject) => boolean]

const CHECKS: readonly Check[] = [
  ["iss", (value) => isText(value, 512)],
  ["aud", (value, { iss }) => value === iss],
  ["iat", isEpoch],
  ["nbf", (value, { iat }) => value === iat],
  ["exp", (value, { iat }) => isLife(iat, value)],
  ["jti", (value) => isId("tok", value)],
  ["client_id", isName],
  ["sub", isSubject],
  ["txn", (value) => isId("task", value)],
  ["policy", isDigest],
]

function readScope(value: JsonValue | undefined): readonly OwnScope[] | undefined {
  const tokens = parseScopeTokens(value)
  const known = OWN_SCOPES.filter((one) => tokens?.includes(one))
  return tokens && tokens.length > 0 && known.length === tokens.length ? known : undefined
}
