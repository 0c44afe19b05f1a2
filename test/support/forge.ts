// Tokens good and bad: a valid one of each kind, and the means to write any bytes in its place.
import type { JsonObject } from "../../src/token/json.ts"
import { Unreadable } from "../../src/token/jwt.ts"
import {
  generatePrivateJwk,
  importSigningKey,
  publicHalf,
  type SigningKey,
  type VerificationKey,
} from "../../src/token/signature.ts"
import { type TaskTokenInput, taskTokenClaims } from "../../src/token/token.ts"
import { type GenuineToken, openTaskToken } from "../../src/token/verify.ts"

export const ISSUER = "https://taskmint.internal"
export const API = "https://tickets.internal.example"
/** Epoch seconds. */
export const NOW = 1_790_000_000
export const RULE = "support.yaml#/tasks/triage-ticket/grants/0"

export const es256 = importSigningKey(generatePrivateJwk("ES256"))
export const eddsa = importSigningKey(generatePrivateJwk("EdDSA"))
export const stranger = importSigningKey(generatePrivateJwk("ES256"))
const ours = new Map<string, VerificationKey>([es256, eddsa].map((key) => [key.kid, publicHalf(key)]))
export const keyOf = (kid: string) => ours.get(kid)

export const ID = {
  tok: "tok_01a2015d-9a60-72ca-8770-f10852464654",
  task: "task_01a2015d-9a60-7bc1-8d89-654aa2e41021",
  del: "del_01a2015d-9a60-7bc1-8d89-654aa2e41022",
  use: "use_01a2015d-9a60-7bc1-8d89-654aa2e41023",
  uuid: "01a2015d-9a60-7bc1-8d89-654aa2e41024",
} as const

export const DIGEST = `sha-256:${"A".repeat(43)}`

export const input = (changes: Partial<TaskTokenInput> = {}): TaskTokenInput => ({
  iss: ISSUER,
  aud: API,
  iat: NOW,
  exp: NOW + 600,
  jti: ID.tok,
  clientId: "support-orchestrator",
  sub: "support-orchestrator",
  actors: [{ agent: "triage-bot", instance: "pod-7f3c" }],
  txn: ID.task,
  lineage: [],
  grants: [
    {
      api: API,
      operations: ["tickets:read", "tickets:comment"],
      resources: [
        ["tickets", "SUP-1042"],
        ["tickets", "SUP-1042", "comments"],
      ],
      rule: RULE,
    },
  ],
  policy: DIGEST,
  ...changes,
})

/** The payload of a valid task token, with members replaced, or left out where undefined. */
export function claims(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const all: Record<string, unknown> = { ...JSON.parse(taskTokenClaims(input())), ...changes }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

export const asJson = (value: object): JsonObject => JSON.parse(JSON.stringify(value))

const bytesOf = (part: unknown): Buffer =>
  Buffer.isBuffer(part) ? part : Buffer.from(typeof part === "string" ? part : JSON.stringify(part), "utf8")

/** A compact JWS of exactly this header and payload (objects, text or bytes), signed with the key whatever they say. */
export function compact(header: unknown, payload: unknown, key: SigningKey = es256): string {
  const signed = `${bytesOf(header).toString("base64url")}.${bytesOf(payload).toString("base64url")}`
  return `${signed}.${Buffer.from(key.sign(Buffer.from(signed))).toString("base64url")}`
}

export const header = (changes: Record<string, unknown> = {}, key: SigningKey = es256) => {
  const all = { typ: "at+jwt", alg: key.alg, kid: key.kid, ...changes }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

export const validToken = (key: SigningKey = es256): string => compact(header({}, key), claims(), key)

/** The tag of a refusal to read; "accepted" where there was none. */
export function tagOf(opened: object): string {
  return opened instanceof Unreadable ? opened.tag : "accepted"
}

export const open = (text: string): GenuineToken | Unreadable => openTaskToken(text, keyOf)

/** Opens a token that must be genuine. */
export function opened(text: string): GenuineToken {
  const token = open(text)
  if (token instanceof Unreadable) throw new Error(`unreadable: ${token.tag} ${token.member}`)
  return token
}

/** A task token of ours with members replaced, or left out where undefined. */
export const signed = (changes: Record<string, unknown>): string => compact(header(), claims(changes))

/** Why that token is not read: the tag and the member; "accepted" where it is. */
export function wrongMember(changes: Record<string, unknown>): string {
  const read = open(signed(changes))
  return read instanceof Unreadable ? `${read.tag} ${read.member}` : "accepted"
}
