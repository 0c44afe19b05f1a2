// A task's closing statement as a JWS: whoever has the issuer's key set can tell that it is the issuer's and whole. It decides
// the envelope (`typ`, so that nothing else of ours is one) and nothing of the account inside, which the audit room writes.
import { canonicalJson, type JsonMembers } from "./canonical.ts"
import { isEpoch, isText, onlyMembers } from "./claims.ts"
import { isId } from "./id.ts"
import { isJsonObject, type JsonObject } from "./json.ts"
import { digestOf, signText, Unreadable } from "./jwt.ts"
import type { IssuingKey } from "./signature.ts"
import { type KeyOf, openSigned } from "./signed.ts"

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
export function readStatement(text: string, keyOf: KeyOf): ReadStatement | Unreadable {
  const rules = { typ: [TASK_STATEMENT_TYP], header: ["typ", "alg", "kid"], maxLength: MAX_STATEMENT_BYTES }
  const signed = openSigned(text, rules, keyOf)
  if (signed instanceof Unreadable) return signed
  const { kid, payload } = signed
  const { iss, iat, txn, statement } = payload
  const unknown = onlyMembers(payload, MEMBERS)
  if (unknown !== undefined) return new Unreadable("claims", unknown)
  if (!isText(iss, 512)) return new Unreadable("claims", "iss")
  if (!isEpoch(iat)) return new Unreadable("claims", "iat")
  if (!isId("task", txn)) return new Unreadable("claims", "txn")
  if (!isJsonObject(statement)) return new Unreadable("claims", "statement")
  return { issuer: String(iss), at: Number(iat), task: String(txn), statement, digest: digestIn(text), kid }
}

const digestIn = (text: string): string => digestOf(Buffer.from(text.split(".")[1] ?? "", "base64url"))
