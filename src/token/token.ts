// What a task token is: the claims of RFC 9068 and 9396 that taskmint signs, and the one strict parser of them. It
// decides shape only; whose key signed, what time it is and which API asks is decided in verify.ts.
import { isActors, nestActors, parseActors, parseLineage } from "./actor.ts"
import { type Authority, type Grant, operationsOf } from "./authority.ts"
import { isEpoch, isText, onlyMembers } from "./claims.ts"
import { parseGrants, parseScope } from "./grant.ts"
import { isId } from "./id.ts"
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts"
import { signedLength, signText, Unreadable } from "./jwt.ts"
import { type Holder, isDigest, isHash, isName, isOperation } from "./name.ts"
import { formatResource } from "./resource.ts"
import type { IssuingKey, SigningKey } from "./signature.ts"
import { isStatusReference, parseStatus, type StatusReference } from "./status.ts"

export const TASK_TOKEN_TYP = "at+jwt"
/** A larger token is neither minted nor read. */
export const MAX_TOKEN_BYTES = 6144
/** `exp - iat` of any task token; a cap in code, whatever a policy or an issuer says. */
export const MAX_TOKEN_SECONDS = 1800

export interface TaskToken {
  readonly iss: string
  /** The API's resource URL; one string, never the issuer. */
  readonly aud: string
  /** NumericDates, in epoch seconds. */
  readonly iat: number
  readonly nbf: number
  readonly exp: number
  readonly jti: string
  /** The orchestrator. */
  readonly clientId: string
  /** The principal: `provider/subject` for a user, else the orchestrator's name. */
  readonly sub: string
  /** Who holds it. */
  readonly act: Holder
  /** The holder first, then its delegators, innermost first. */
  readonly actors: readonly Holder[]
  /** The task's id. */
  readonly txn: string
  /** Delegation ids, outermost first; empty for a token of the task itself. */
  readonly lineage: readonly string[]
  /** Exactly the operations of the grants. */
  readonly scope: readonly string[]
  readonly grants: readonly Grant[]
  /** The digest of the policy that decided. */
  readonly policy: string
  /** RFC 9449 thumbprint of the key it is bound to. */
  readonly jkt?: string
  /** Only of an API whose verifier is not ours: ours follow the feed and don't look at it. */
  readonly status?: StatusReference
}

/** What a mint decides; the rest of a token follows from it. */
export interface TaskTokenInput {
  readonly iss: string
  readonly aud: string
  readonly iat: number
  readonly exp: number
  readonly jti: string
  readonly clientId: string
  readonly sub: string
  readonly actors: readonly Holder[]
  readonly txn: string
  readonly lineage: readonly string[]
  /** Grants of the API `aud` alone. */
  readonly grants: Authority
  readonly policy: string
  readonly jkt?: string | undefined
  readonly status?: StatusReference | undefined
}

/**
 * The exact payload of a task token as JSON text, to be stored and then signed byte for byte. Throws TypeError where no
 * verifier would take it (a grant of another API, no actor, a lifetime over 30 minutes): a mint that gets there has a
 * fault. Does NOT check the size: `taskTokenBytes` does.
 */
export function taskTokenClaims(input: TaskTokenInput): string {
  const fault = MINTED.find(([, holds]) => !holds(input))
  if (fault) throw new TypeError(`A task token can't carry this: ${fault[0]}`)
  // JSON leaves out what is undefined.
  return JSON.stringify({
    iss: input.iss,
    aud: input.aud,
    iat: input.iat,
    nbf: input.iat,
    exp: input.exp,
    jti: input.jti,
    client_id: input.clientId,
    sub: input.sub,
    act: nestActors(input.actors),
    txn: input.txn,
    lineage: input.lineage.length > 0 ? input.lineage : undefined,
    scope: operationsOf(input.grants).join(" "),
    authorization_details: authorizationDetails(input.grants),
    policy: input.policy,
    cnf: input.jkt === undefined ? undefined : { jkt: input.jkt },
    status: input.status === undefined ? undefined : { status_list: input.status },
  })
}

/** What parseTaskToken asks of the claims, asked of what they are made from: reading them back would cost as much again. */
const MINTED: readonly (readonly [name: string, holds: (input: TaskTokenInput) => boolean])[] = [
  ["iss", ({ iss }) => isText(iss, 512)],
  ["aud", ({ aud, iss }) => isText(aud, 512) && aud !== iss],
  ["exp", ({ iat, exp }) => isEpoch(iat) && isEpoch(exp) && exp > iat && exp - iat <= MAX_TOKEN_SECONDS],
  ["jti", ({ jti }) => isId("tok", jti)],
  ["client_id", ({ clientId }) => isName(clientId)],
  ["sub", ({ sub }) => isSubject(sub)],
  ["act", ({ actors }) => isActors(actors)],
  ["txn", ({ txn }) => isId("task", txn)],
  [
    "lineage",
    ({ lineage, actors }) => !!parseLineage(lineage.length > 0 ? lineage : undefined, actors.length),
  ],
  [
    "authorization_details",
    ({ grants, aud }) => grants.length > 0 && grants.every((one) => isGrantOf(one, aud)),
  ],
  ["policy", ({ policy }) => isDigest(policy)],
  ["cnf", ({ jkt }) => jkt === undefined || isHash(jkt)],
  ["status", ({ status, iss }) => status === undefined || isStatusReference(status, iss)],
]

/** Its resources are segments already (`bindTemplate`). */
const isGrantOf = ({ api, operations, resources, parameters }: Grant, aud: string): boolean =>
  api === aud &&
  operations.length > 0 &&
  operations.every(isOperation) &&
  resources.length > 0 &&
  (parameters === undefined || isDigest(parameters))

/** RFC 9396, as the token and the answers of the issuer carry it. */
export const authorizationDetails = (
  grants: Authority,
): readonly {
  readonly type: "task_grant"
  readonly actions: readonly string[]
  readonly resources: readonly string[]
  readonly rule: string
  readonly parameters?: string
  readonly once?: true
}[] =>
  grants.map((grant) => ({
    type: "task_grant",
    actions: once(grant.operations),
    resources: once(grant.resources.map(formatResource)), // two inputs may have the same value
    rule: grant.rule,
    ...(grant.parameters !== undefined && { parameters: grant.parameters }),
    ...(grant.once && { once: grant.once }),
  }))

const once = (texts: readonly string[]): readonly string[] =>
  texts.length < 2 ? texts : texts.filter((text, at) => texts.indexOf(text) === at)

/** How many bytes the token with these claims, as JSON text, will have; over MAX_TOKEN_BYTES it must not be minted. */
export const taskTokenBytes = (claims: string, kid: string): number =>
  signedLength({ typ: TASK_TOKEN_TYP, kid }, claims)

/** Signs the text of claims, as it was stored. Does NOT check it. */
export function signTaskToken(claims: string, key: SigningKey): string
export function signTaskToken(claims: string, key: IssuingKey): string | Promise<string>
export function signTaskToken(claims: string, key: IssuingKey): string | Promise<string> {
  return signText({ typ: TASK_TOKEN_TYP, kid: key.kid }, claims, key)
}

const MEMBERS = new Set(
  "iss aud iat nbf exp jti client_id sub act txn lineage scope authorization_details policy cnf status".split(
    " ",
  ),
)

/**
 * Reads the claims of a task token. Guaranteed: every member known and of its one shape, at most 30 minutes between
 * `iat` and `exp`, `scope` naming the operations of the grants and no other. Does NOT check signature, time, issuer or
 * audience.
 */
export function parseTaskToken(payload: JsonObject): TaskToken | Unreadable {
  const unknown = onlyMembers(payload, MEMBERS)
  if (unknown !== undefined) return new Unreadable("claims", unknown)
  const wrong = CHECKS.find(([name, holds]) => !holds(payload[name], payload))
  if (wrong) return new Unreadable("claims", wrong[0])
  const actors = parseActors(payload.act)
  if (!actors) return new Unreadable("claims", "act")
  const [act] = actors
  const lineage = parseLineage(payload.lineage, actors.length)
  if (!lineage || !act) return new Unreadable("claims", "lineage")
  const grants = parseGrants(payload.authorization_details, String(payload.aud))
  if (!grants) return new Unreadable("claims", "authorization_details")
  const scope = parseScope(payload.scope, grants)
  if (!scope) return new Unreadable("claims", "scope")
  const jkt = parseConfirmation(payload.cnf)
  if (jkt === null) return new Unreadable("claims", "cnf")
  const status = parseStatus(payload.status, String(payload.iss))
  if (status === null) return new Unreadable("claims", "status")
  return {
    ...plainClaims(payload),
    act,
    actors,
    lineage,
    scope,
    grants,
    ...(jkt !== undefined && { jkt }),
    ...(status !== undefined && { status }),
  }
}

type Check = readonly [name: string, holds: (value: JsonValue | undefined, payload: JsonObject) => boolean]

const CHECKS: readonly Check[] = [
  ["iss", (value) => isText(value, 512)],
  ["aud", (value, payload) => isText(value, 512) && value !== payload.iss],
  ["iat", isEpoch],
  ["nbf", (value, { iat }) => isEpoch(value) && isEpoch(iat) && value >= iat],
  [
    "exp",
    (value, { iat, nbf }) =>
      isEpoch(value) && isEpoch(iat) && isEpoch(nbf) && value > nbf && value - iat <= MAX_TOKEN_SECONDS,
  ],
  ["jti", (value) => isId("tok", value)],
  ["client_id", isName],
  ["sub", isSubject],
  ["txn", (value) => isId("task", value)],
  ["policy", isDigest],
]

/** What CHECKS has found to be there. */
function plainClaims(payload: JsonObject) {
  const { iss, aud, iat, nbf, exp, jti, client_id, sub, txn, policy } = payload
  return {
    iss: String(iss),
    aud: String(aud),
    iat: Number(iat),
    nbf: Number(nbf),
    exp: Number(exp),
    jti: String(jti),
    clientId: String(client_id),
    sub: String(sub),
    txn: String(txn),
    policy: String(policy),
  }
}

/** The orchestrator's name, or a provider's name, a slash and that provider's own subject. */
export function isSubject(value: unknown): boolean {
  if (!isText(value, 320)) return false
  const slash = value.indexOf("/")
  return slash < 0 ? isName(value) : isName(value.slice(0, slash)) && value.length > slash + 1
}

/** The thumbprint; undefined without `cnf`, null for any confirmation that is not exactly one `jkt`. */
export function parseConfirmation(value: JsonValue | undefined): string | undefined | null {
  if (value === undefined) return undefined
  if (!isJsonObject(value) || Object.keys(value).length !== 1) return null
  return isHash(value.jkt) ? value.jkt : null
}
