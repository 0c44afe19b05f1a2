// Whether a task token stands at this moment, for those who ask instead of checking (RFC 7662): an API about tokens of its
// own, an orchestrator about those of its tasks, staff about all. It decides who is told, and records every answer that an
// API gets: statements name the APIs that ask and don't record.
import { committed } from "../database/database.ts"
import type { TaskKey } from "../ledger/entry.ts"
import type { Event } from "../ledger/event.ts"
import type { CallerKind } from "../policy/callers.ts"
import { toEpochSeconds } from "../time.ts"
import type { JsonObject } from "../token/json.ts"
import { Unreadable } from "../token/jwt.ts"
import { type OwnToken, openOwnToken } from "../token/own-token.ts"
import type { TaskToken } from "../token/token.ts"
import { openTaskToken } from "../token/verify.ts"
import type { Canaries } from "./canary.ts"
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

export function createIntrospections(
  options: TaskOptions & { readonly canaries: Pick<Canaries, "shown"> },
): Introspections {
  const parts = assembleParts(options)
  const find = async (asker: Asker, text: string) => {
    const found = await look(parts, asker, text)
    if (!found?.told.active) options.canaries.shown(text, "introspection", asker.clientId)
    return found
  }
  return {
    async introspect(asker, text) {
      for (;;) {
        const found = await find(asker, text)
        if (asker.kind !== "api" || (await record(parts, asker, found))) return found?.told
      }
    },
    find: async (asker, text) => (await find(asker, text))?.told,
  }
}

interface Found {
  readonly told: Introspected
  /** Of its task's commitments; undefined where the token is in no row. */
  readonly taskKey: TaskKey | undefined
}

async function look(parts: Parts, asker: Asker, text: string): Promise<Found | undefined> {
  const token = open(parts, text)
  if (!token) return undefined
  if (token.iss !== parts.issuer || !mayKnow(parts, asker, token)) return undefined
  const now = parts.ledger.at()
  const [row] = await parts.engine.query(tokenStanding, { jti: token.jti })
  const stands = row !== undefined && row.ended_at === null && row.state === "active"
  const told = { token, claims: claimsIn(text), active: stands && token.exp > toEpochSeconds(now) }
  return { told, taskKey: row && (row.key ?? "erased") }
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

/**
 * An answer about nothing is one too: an API that guesses is to be seen. False where the task was erased meanwhile: then
 * nothing was written, and its person's name must not rest anywhere any more.
 */
async function record(parts: Parts, { clientId }: Asker, found: Found | undefined): Promise<boolean> {
  const { told, taskKey } = found ?? {}
  const { token } = told ?? {}
  const event: Event = {
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
    outcome: told?.active ? "allowed" : "refused",
  }
  return committed(parts.engine, parts.ledger.steps(event, taskKey))
}
