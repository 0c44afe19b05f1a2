// Where verifiers deliver what they allowed and refused, and what an API may know of itself. It decides only that the
// caller holds the key its token is bound to; what a batch says is the task room's to judge.
import { z } from "@hono/zod-openapi"
import { Refusal, refuse } from "../errors.ts"
import { STALE_SECONDS } from "../task/misuse.ts"
import { isId } from "../token/id.ts"
import { BATCH_LIMIT } from "./body.ts"
import { type Endpoint, guarded, json, jsonBody } from "./endpoint.ts"
import type { Rooms } from "./rooms.ts"

const Batch = z.string().openapi({ description: "Compact JWS, `typ: use-batch+jwt`, by the instance's key" })

const hashes = z.array(z.string().openapi({ description: "A hash in base64" }))
const Acknowledged = z
  .strictObject({
    acknowledged: z.int(),
    beyond: z
      .record(z.string(), z.enum(["task_paused", "token_revoked"]))
      .optional()
      .openapi({
        description:
          "Uses of the batch that came when a limit of their task was reached, and what to answer at an API that records before it serves",
      }),
    checkpoint: z.string().optional(),
    handovers: z.array(z.strictObject({ checkpoint: z.string(), key: z.string() })).optional(),
    consistency: hashes.optional(),
    index: z.int().nullable().optional(),
    inclusion: hashes.optional(),
    entry: z.string().nullable().optional(),
  })
  .openapi("Acknowledged", {
    description:
      "`checkpoint`: the newest. Where the instance holds one: a proof that this continues it, and for a batch with uses the entry that tells of it, its place from 0 and a proof that it is there (RFC 6962). `handovers`: where the ledger's key changed since, the checkpoints that the key before signed too, and the key (a vkey) of each",
  })

const HELD = "taskmint-checkpoint"
const Held = z.object({
  "Taskmint-Checkpoint": z.string().optional().openapi({
    description:
      "The newest checkpoint that the instance holds, base64url of the note, where the batch was signed before it knew it",
  }),
})

/** Undefined: there is none. What it says, the task room judges. */
const heldIn = ({ headers }: Request): string | undefined => {
  const text = headers.get(HELD)
  return text === null ? undefined : Buffer.from(text, "base64url").toString("utf8")
}

const seconds = z.int().nullable()
const Catalogue = z
  .strictObject({
    api: z.string(),
    resource: z.string(),
    operations: z.array(z.strictObject({ operation: z.string(), risk: z.enum(["low", "moderate", "high"]) })),
    staleness_seconds: z.strictObject({ high: seconds, moderate: seconds, low: seconds }),
  })
  .openapi("Catalogue")

export const useEndpoints = (rooms: Rooms): Endpoint[] => [
  takeBatch(rooms),
  claim(rooms),
  showCatalogue(rooms),
]

const takeBatch = ({ uses }: Rooms): Endpoint =>
  guarded({
    method: "post",
    path: "/uses",
    lane: "later",
    summary: "One batch of uses, signed by the verifier instance whose key the token is bound to",
    group: "uses",
    who: ["api"],
    headers: Held,
    body: { type: "application/jwt", limit: BATCH_LIMIT, schema: Batch },
    answers: { 200: { description: "Durable in the ledger", schema: Acknowledged } },
    async run({ request, body }, caller) {
      if (!caller.proofKey) return refuse("proof_invalid", "[binding] batches need a token bound to the key")
      const reporter = { api: caller.clientId, key: caller.proofKey, sentAt: caller.proofAt }
      const taken = await uses.take(reporter, body, heldIn(request))
      if (taken instanceof Refusal) return taken
      const { acknowledged, beyond, attested = uses.newest } = taken
      const told = { acknowledged, ...(beyond && { beyond: Object.fromEntries(beyond) }) }
      return async () => json(200, { ...told, ...(await attested()) })
    },
  })

const ClaimBody = z
  .strictObject({
    jti: z.string().refine((text) => isId("tok", text), "the jti of a task token"),
    use: z.string().refine((text) => isId("use", text), "the id of the use"),
  })
  .openapi("ClaimUse")

const Claimed = z
  .strictObject({
    claimed: z.boolean(),
    code: z.string().optional().openapi({ description: "Not claimed: what to answer at the API" }),
  })
  .openapi("ClaimedUse")

const claim = ({ approvals }: Rooms): Endpoint =>
  guarded({
    method: "post",
    path: "/uses/claims",
    summary: "The one use of a token that is for one use, before it is served; the same use may ask again",
    group: "uses",
    who: ["api"],
    body: jsonBody(ClaimBody),
    answers: { 200: { description: "Whether it is this use's", schema: Claimed } },
    async run({ body }, caller) {
      const code = await approvals.claim(caller.clientId, body)
      return json(200, code === undefined ? { claimed: true } : { claimed: false, code })
    },
  })

const showCatalogue = ({ policies }: Rooms): Endpoint =>
  guarded({
    method: "get",
    path: "/catalogue",
    summary: "The calling API's operations with their risk",
    group: "uses",
    who: ["api"],
    answers: { 200: { description: "The catalogue", schema: Catalogue } },
    async run(_call, caller) {
      const api = policies.inForce().apis.get(caller.clientId)
      if (!api) return refuse("not_found", "[api] left the policy meanwhile")
      const operations = [...api.operations].map(([operation, { risk }]) => ({ operation, risk }))
      return json(200, {
        api: api.name,
        resource: api.resource,
        operations,
        staleness_seconds: STALE_SECONDS,
      })
    },
  })
