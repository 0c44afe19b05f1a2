// Whether a task token stands at this moment, for those who ask instead of checking (RFC 7662): an API about tokens of its
// own, an orchestrator about those of its tasks, staff about all. It decides who is told, and records every answer that an
// API gets: statements name the APIs that ask and don't record.
import type { CallerKind } from "../policy/callers.ts"
import { toEpochSeconds } from "../time.ts"
import type { JsonObject } from "../token/json.ts"
import { Unreadable } from "../token/jwt.ts"
import { type OwnToken, openOwnToken } from "../token/own-token.ts"
import type { TaskToken } from "../token/token.ts"
import { openTaskToken } from "../token/verify.ts"
import { assembleParts, type Parts, type TaskOptions } from "./parts.ts"
import { tokenStanding } from "./statements.ts"

export interface Asker {
  readonly clientId: string
  readonly kind: CallerKind
}

/** A task token, or an agent's own: that one is no API's business. */
type Known = TaskToken | OwnToken

/** A genuine token of ours that the asker may know about. */
export interface Introspected {
  readonly token: Known
  /** The claims as they were signed. */
  readonly claims: JsonObject
  /** Not expired, not ended, and its task is active. */
  readonly active: boolean
}

export interface Introspections {
  /** Undefined: not a token of ours, or none of the asker's business; the two answer alike. Throws Unavailable. */
  introspect(asker: Asker, text: string): Promise<Introspected | undefined>
  /** The same for who wants to end it: nothing is recorded. */
  find(asker: Asker, text: string): Promise<Introspected | undefined>
}

export function createIntrospections(options: TaskOptions): Introspections {
  const parts = assembleParts(options)
  return {
    async introspect(asker, text) {
      const found = await find(parts, asker, text)
      if (asker.kind === "api") await record(parts, asker, found)
      return found
    },
    find: (asker, text) => find(parts, asker, text),
  }
}

async function find(parts: Parts, asker: Asker, text: string): Promise<Introspected | undefined> {
  const token = open(parts, text)
  if (!token) return undefined
  if (token.iss !== parts.issuer || !mayKnow(parts, asker, token)) return undefined
  const now = parts.ledger.at()
  const [row] = await parts.engine.query(tokenStanding, { jti: token.jti })
  const stands = row !== undefined && row.ended_at === null && row.state === "active"
  return { token, claims: claimsIn(text), active: stands && token.exp > toEpochSeconds(now) }
}

function open(parts: Parts, text: string): Known | undefined {
  const genuine = openTaskToken(text, parts.keyring.keyOf)
  if (!(genuine instanceof Unreadable)) return genuine.token
  const own = openOwnToken(text, parts.keyring.keyOf, parts.issuer)
  return own instanceof Unreadable ? undefined : own
}

/** Of a token that was opened: there is one way to read it, and it has been read. */
const claimsIn = (text: string): JsonObject =>
  JSON.parse(Buffer.from(text.split(".")[1] ?? "", "base64url").toString("utf8"))

function mayKnow(parts: Parts, { kind, clientId }: Asker, token: Known): boolean {
  if (kind === "orchestrator") return token.clientId === clientId
  if (kind === "api")
    return "aud" in token && parts.policies.inForce().apis.get(clientId)?.resource === token.aud
  return kind === "staff"
}

/** An answer about nothing is one too: an API that guesses is to be seen. */
function record(parts: Parts, { clientId }: Asker, found: Introspected | undefined): Promise<void> {
  const { token } = found ?? {}
  return parts.ledger.append([
    {
      kind: "token.introspected",
      at: parts.ledger.at(),
      api: clientId,
      ...(token && {
        task: token.txn,
        jti: token.jti,
        ...token.actors[0],
        orchestrator: token.clientId,
        sub: token.sub,
      }),
      outcome: found?.active ? "allowed" : "refused",
    },
  ])
}
