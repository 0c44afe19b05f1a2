// A task's closing statement as a JWS: whoever has the issuer's key set can tell that it is the issuer's and whole. It decides
// the envelope (`typ`, so that nothing else of ours is one) and nothing of the account inside, which the audit room writes.
import { canonicalJson, type JsonMembers } from "./canonical.ts"
import { isEpoch, isText, onlyMembers } from "./claims.ts"
import { isId } from "./id.ts"
import { isJsonObject, type JsonObject } from "./json.ts"
import { digestOf, readJwt, signText, Unreadable } from "./jwt.ts"
import { type IssuingKey, type VerificationKey, verifySignature } from "./signature.ts"

const TASK_STATEMENT_TYP = "task-statement+jwt"
/** Bytes of the compact form that is still read. */
const MAX_STATEMENT_BYTES = 8_388_608

export interface StatementClaims {
  readonly issuer: string
  /** Epoch seconds: when it was made. */
  readonly at: number
  readonly task: string
  /** JSON; members that are undefined are left out. */
  readonly statement: object
}

/** What is signed, as text, and its digest: that is what the ledger's `task.closed` names. */
export function statementClaims({ issuer, at, task, statement }: StatementClaims): {
  readonly text: string
  readonly digest: string
} {
  const members: JsonMembers = JSON.parse(JSON.stringify(statement))
  const text = canonicalJson({ iat: at, iss: issuer, statement: members, txn: task })
  return { text, digest: digestOf(text) }
}

/** Signs what `statementClaims` wrote, by the key that signs task tokens. */
export const signStatement = (text: string, key: IssuingKey): string | Promise<string> =>
  signText({ typ: TASK_STATEMENT_TYP, kid: key.kid }, text, key)

export interface ReadStatement {
  readonly issuer: string
  readonly at: number
  readonly task: string
  readonly statement: JsonObject
  /** Of the payload, as `task.closed` has it. */
  readonly digest: string
  readonly kid: string
}

const MEMBERS = new Set(["iat", "iss", "statement", "txn"])

/**
 * Reads a statement. Guaranteed: the signature, by the key that `keyOf` has for its `kid`, and the envelope's members. Does
 * NOT check whose keys these are, the members of the account, or that the ledger has an entry with this digest.
 */
export function readStatement(
  text: string,
  keyOf: (kid: string) => VerificationKey | undefined,
): ReadStatement | Unreadable {
  const rules = { typ: [TASK_STATEMENT_TYP], header: ["typ", "alg", "kid"], maxLength: MAX_STATEMENT_BYTES }
  const jwt = readJwt(text, rules)
  if (jwt instanceof Unreadable) return jwt
  const { kid, alg } = jwt.header
  const key = kid === undefined ? undefined : keyOf(kid)
  if (kid === undefined || !key) return new Unreadable("kid")
  if (key.alg !== alg) return new Unreadable("alg")
  if (!verifySignature(key, jwt.signingInput, jwt.signature)) return new Unreadable("signature")
  const { iss, iat, txn, statement } = jwt.payload
  const unknown = onlyMembers(jwt.payload, MEMBERS)
  if (unknown !== undefined) return new Unreadable("claims", unknown)
  if (!isText(iss, 512)) return new Unreadable("claims", "iss")
  if (!isEpoch(iat)) return new Unreadable("claims", "iat")
  if (!isId("task", txn)) return new Unreadable("claims", "txn")
  if (!isJsonObject(statement)) return new Unreadable("claims", "statement")
  return { issuer: String(iss), at: Number(iat), task: String(txn), statement, digest: digestIn(text), kid }
}

const digestIn = (text: string): string => digestOf(Buffer.from(text.split(".")[1] ?? "", "base64url"))
