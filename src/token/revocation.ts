// What ends tokens before their time, as the issuer's feed tells it and a verifier applies it: the kinds there are, and
// which names of a token each kind looks at. It decides nothing about who may revoke, or how fresh a verifier's feed is.
import { formatHolder } from "./name.ts"
import type { TaskToken } from "./token.ts"

export const REVOCATION_KINDS = [
  "token",
  "delegation",
  "task",
  "instance",
  "agent",
  "orchestrator",
  "subject",
  "api",
  "key",
] as const

export type RevocationKind = (typeof REVOCATION_KINDS)[number]

/** One item of the feed: ends tokens with `iat <= before`. Nothing that it ends lives past `until`. Epoch seconds. */
export interface RevocationItem {
  readonly cursor: number
  readonly kind: RevocationKind
  readonly value: string
  readonly before: number
  readonly until: number
  readonly code: "token_revoked" | "task_paused" | "task_ended"
  /** Of a signing key: the RFC 7638 thumbprint of the one that signs from now on. */
  readonly successor?: string
}

/** The names of a token that a revocation of each kind looks at; `kid` is of the key that signed it. */
export function revocableNames(token: TaskToken, kid: string, kind: RevocationKind): readonly string[] {
  switch (kind) {
    case "token":
      return [token.jti]
    case "task":
      return [token.txn]
    case "delegation":
      return token.lineage
    case "instance":
      return token.actors.map(formatHolder)
    case "agent":
      return token.actors.map((one) => one.agent)
    case "orchestrator":
      return [token.clientId]
    case "subject":
      return [token.sub]
    case "api":
      return [token.aud]
    case "key":
      return [kid]
  }
}
