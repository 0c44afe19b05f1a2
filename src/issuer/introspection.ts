// Asking about a token and ending it, for APIs and clients that speak OAuth and nothing of ours (RFC 7662, RFC 7009). It
// translates; who may know of which token is decided in the task room.
import { z } from "@hono/zod-openapi"
import { Refusal, refuse } from "../errors.ts"
import type { Asker } from "../task/introspection.ts"
import type { Caller } from "./caller.ts"
import { type Endpoint, formBody, guarded, json } from "./endpoint.ts"
import { limitPerMinute } from "./rate.ts"
import type { Rooms } from "./rooms.ts"

export const INTROSPECTION_PATH = "/introspect"
export const REVOCATION_PATH = "/revoke"

/**
 * Tokens that one caller ends per minute, each of which every verifier of their API remembers until they would have run
 * out. Whoever has more to end ends tasks: a task is one thing to remember. Staff end what they must.
 */
const MOST_PER_MINUTE = 600

/** Other parameters are ignored, the hint too: there is one kind of token to ask about. */
const TokenForm = z
  .object({ token: z.string().min(1, "the token"), token_type_hint: z.string().optional() })
  .openapi("TokenToJudge")

const Introspection = z
  .looseObject({ active: z.boolean() })
  .openapi("Introspection", { description: "`active: false` alone, or the token's claims beside it" })

export const introspectionEndpoints = (rooms: Rooms): Endpoint[] => [introspect(rooms), revoke(rooms)]

const introspect = ({ introspections }: Rooms): Endpoint =>
  guarded({
    method: "post",
    path: INTROSPECTION_PATH,
    summary: "Whether a task token stands now (RFC 7662); what an API is told is recorded",
    group: "token",
    who: ["api", "orchestrator", "auditor", "operator"],
    body: formBody(TokenForm),
    answers: { 200: { description: "RFC 7662 section 2.2", schema: Introspection } },
    async run({ body }, caller) {
      const found = await introspections.introspect(askerOf(caller), body.token)
      if (!found?.active) return json(200, { active: false })
      const type = found.token.jkt === undefined ? "Bearer" : "DPoP"
      return json(200, { active: true, token_type: type, ...found.claims })
    },
  })

const revoke = ({ introspections, revocations, clock }: Rooms): Endpoint => {
  const crowded = limitPerMinute(MOST_PER_MINUTE)
  return guarded({
    method: "post",
    path: REVOCATION_PATH,
    summary: "Ends one task token (RFC 7009); 200 for a token that is not there or has ended",
    group: "token",
    who: ["api", "orchestrator", "operator"],
    body: formBody(TokenForm),
    answers: { 200: { description: "It has ended, or there is no such token of yours" } },
    async run({ body }, caller) {
      const found = await introspections.find(askerOf(caller), body.token)
      if (found?.active) {
        if (caller.kind !== "staff" && crowded(caller.clientId, clock.now()))
          return refuse("too_many_requests", "[rate] revoked tokens", { retryAfterSeconds: 60 })
        const order = { kind: "token", value: found.token.jti, reason: "RFC 7009 revocation" } as const
        const revoked = await revocations.revoke(caller.clientId, order)
        if (revoked instanceof Refusal) return revoked
      }
      return new Response(null, { status: 200, headers: { "cache-control": "no-store" } })
    },
  })
}

const askerOf = ({ clientId, kind }: Caller): Asker => ({ clientId, kind })
