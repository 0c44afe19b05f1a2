// The issuer's own access tokens: with one, a caller uses the issuer's HTTP surface for five minutes. Same typ as a task
// token, so the claims tell them apart: a service token is for the issuer and never has a task in it.
import { SKEW_SECONDS } from "../time.ts"
import { isEpoch, isText, onlyMembers, parseScopeTokens } from "./claims.ts"
import { isId } from "./id.ts"
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts"
import { signJwt, Unreadable } from "./jwt.ts"
import { isHash, isName } from "./name.ts"
import type { IssuingKey, SigningKey } from "./signature.ts"
import { type KeyOf, openSigned } from "./signed.ts"
import { isSubject, TASK_TOKEN_TYP } from "./token.ts"

/** How long a service token lives. */
const SERVICE_TOKEN_SECONDS = 300

export interface ServiceToken {
  readonly iss: string
  readonly clientId: string
  readonly jti: string
  readonly iat: number
  readonly exp: number
  readonly scope: readonly string[]
  readonly jkt?: string
  /** Who signed in as the client, `provider/subject`; always bound to a key. */
  readonly person?: string
}

export interface ServiceTokenInput {
  readonly iss: string
  readonly clientId: string
  readonly jti: string
  readonly iat: number
  /** May be empty: then the claim is left out. */
  readonly scope: readonly string[]
  readonly jkt?: string | undefined
  /** A person who signed in: who, and the epoch second at which they would have to sign in again. */
  readonly person?: { readonly name: string; readonly until: number } | undefined
}

/** The exact payload of a service token. Does NOT check that the caller may have these scopes. */
export const serviceTokenClaims = (input: ServiceTokenInput) => ({
  iss: input.iss,
  aud: input.iss,
  sub: input.clientId,
  client_id: input.clientId,
  jti: input.jti,
  iat: input.iat,
  exp: input.iat + lifeOf(input),
  ...(input.scope.length > 0 && { scope: input.scope.join(" ") }),
  ...(input.jkt !== undefined && { cnf: { jkt: input.jkt } }),
  ...(input.person && { person: input.person.name }),
})

/** Five minutes, or until a person would have to sign in again; a second at least, for a token has an end after its start. */
function lifeOf({ iat, person }: ServiceTokenInput): number {
  return Math.min(SERVICE_TOKEN_SECONDS, Math.max(1, (person?.until ?? Infinity) - iat))
}

/** Signs a service token. */
export function signServiceToken(claims: object, key: SigningKey): string
export function signServiceToken(claims: object, key: IssuingKey): string | Promise<string>
export function signServiceToken(claims: object, key: IssuingKey): string | Promise<string> {
  return signJwt({ typ: TASK_TOKEN_TYP, kid: key.kid }, claims, key)
}

const RULES = { typ: [TASK_TOKEN_TYP], header: ["typ", "alg", "kid"], maxLength: 4096 } as const
const MEMBERS = new Set("iss aud sub client_id jti iat exp scope cnf person".split(" "))

/**
 * Opens a service token at the issuer: form, key, signature, claims, issuer, time (epoch seconds, 5 s of skew). Any
 * other kind of token is refused. Does NOT check that the caller still exists, nor the proof where `jkt` is there.
 */
export function openServiceToken(
  text: string,
  keyOf: KeyOf,
  here: { readonly issuer: string; readonly now: number },
): ServiceToken | Unreadable {
  const signed = openSigned(text, RULES, keyOf)
  if (signed instanceof Unreadable) return signed
  const token = parseServiceToken(signed.payload)
  return token instanceof Unreadable ? token : (wrongHere(token, here) ?? token)
}

function wrongHere(token: ServiceToken, here: { readonly issuer: string; readonly now: number }) {
  if (token.iss !== here.issuer) return new Unreadable("iss")
  if (token.iat > here.now + SKEW_SECONDS) return new Unreadable("not_yet")
  return token.exp < here.now - SKEW_SECONDS ? new Unreadable("expired") : undefined
}

function parseServiceToken(payload: JsonObject): ServiceToken | Unreadable {
  const unknown = onlyMembers(payload, MEMBERS)
  if (unknown !== undefined) return new Unreadable("claims", unknown)
  const { iss, aud, sub, client_id: clientId, jti, iat, exp, cnf } = payload
  if (!isText(iss, 512)) return new Unreadable("claims", "iss")
  if (aud !== iss) return new Unreadable("claims", "aud")
  if (!isName(clientId) || sub !== clientId) return new Unreadable("claims", "client_id")
  if (!isId("tok", jti)) return new Unreadable("claims", "jti")
  if (!isEpoch(iat)) return new Unreadable("claims", "iat")
  if (!isEpoch(exp) || exp <= iat || exp - iat > SERVICE_TOKEN_SECONDS) return new Unreadable("claims", "exp")
  const scope = payload.scope === undefined ? [] : parseScopeTokens(payload.scope)
  if (!scope) return new Unreadable("claims", "scope")
  const token = { iss, clientId, jti, iat, exp, scope }
  const { person } = payload
  if (cnf === undefined) return person === undefined ? token : new Unreadable("claims", "person")
  const jkt = isJsonObject(cnf) && Object.keys(cnf).length === 1 && isHash(cnf.jkt) ? cnf.jkt : undefined
  if (jkt === undefined) return new Unreadable("claims", "cnf")
  if (person === undefined) return { ...token, jkt }
  return isPerson(person) ? { ...token, jkt, person } : new Unreadable("claims", "person")
}

/** Always of a provider: a name alone is a caller's. */
const isPerson = (value: JsonValue): value is string =>
  typeof value === "string" && value.includes("/") && isSubject(value)
