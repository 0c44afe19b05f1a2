// Which verifier instances report here, what they have not told, and writing one off. It decides nothing: who may ask is in the table, when one may
// be written off is the task room's to say.
import { z } from "@hono/zod-openapi"
import { Refusal } from "../errors.ts"
import { type MissingBatches, VERIFIER_STATES, type VerifierSeen } from "../task/verifiers.ts"
import { toInstant } from "../time.ts"
import { type Endpoint, guarded, json, jsonBody } from "./endpoint.ts"
import type { Rooms } from "./rooms.ts"
import { plain } from "./task-schema.ts"

const instant = z.iso.datetime()

const Missing = z
  .strictObject({
    from: z.int().openapi({ description: "The first number of a batch that was not taken in" }),
    to: z.int(),
    why: z.enum(["missing", "chain_differs"]).openapi({
      description:
        "`chain_differs`: the number was taken in, and the next batch follows another of that number",
    }),
    told_at: instant,
    written_off_at: instant.optional(),
  })
  .openapi("MissingBatches")

export const VerifierAnswer = z
  .strictObject({
    instance: z.uuid(),
    api: z.string(),
    state: z.enum(VERIFIER_STATES).openapi({
      description:
        "`gap`: batches are missing, or it said no last word and another of its API joined since; until written off",
    }),
    complete: z.boolean().openapi({
      description: "It reports or has ended, and nothing that it numbered is missing",
    }),
    sequence: z.int().openapi({ description: "Of its last batch" }),
    cursor: z.int().optional().openapi({ description: "How far the feed of revocations is applied" }),
    joined_at: instant.optional(),
    last_seen: instant.openapi({ description: "Up to when it has reported" }),
    closed: z.boolean().openapi({ description: "It said its last word, or was written off" }),
    silent: z.boolean().openapi({ description: "Not closed, and nothing was heard for three heartbeats" }),
    drift_ms: z.int().optional().openapi({ description: "What its clock was ahead of the issuer's" }),
    drifted_since: instant.optional().openapi({ description: "There while that is more than 5 s" }),
    missing: z.array(Missing),
  })
  .openapi("VerifierInstance")

const VerifiersAnswer = z.strictObject({ verifiers: z.array(VerifierAnswer) }).openapi("VerifierInstances")
const ForgetBody = z.strictObject({ reason: plain(1000) }).openapi("ForgetVerifier")

export const verifierEndpoints = (rooms: Rooms): Endpoint[] => [list(rooms), forget(rooms)]

const list = ({ verifiers }: Rooms): Endpoint =>
  guarded({
    method: "get",
    path: "/verifiers",
    summary: "The verifier instances that have reported, and how far each has come",
    group: "uses",
    who: ["operator", "auditor"],
    answers: { 200: { description: "The last to join first", schema: VerifiersAnswer } },
    run: async () => json(200, { verifiers: (await verifiers.list()).map(verifierOnWire) }),
  })

const forget = ({ verifiers }: Rooms): Endpoint =>
  guarded({
    method: "post",
    path: "/verifiers/{instance}/forget",
    summary:
      "Write off an instance whose spool is gone, and what is missing of it: a gap in the ledger, and nobody waits for it any more",
    group: "uses",
    who: ["operator"],
    body: jsonBody(ForgetBody),
    answers: { 200: { description: "Written off", schema: VerifierAnswer } },
    async run({ parameter, body }, caller) {
      const seen = await verifiers.forget(caller.clientId, parameter("instance"), body.reason)
      return seen instanceof Refusal ? seen : json(200, verifierOnWire(seen))
    },
  })

export const verifierOnWire = (seen: VerifierSeen) => ({
  instance: seen.instance,
  api: seen.api,
  state: seen.state,
  complete: seen.complete,
  sequence: seen.sequence,
  ...(seen.cursor !== undefined && { cursor: seen.cursor }),
  ...(seen.joinedAt !== undefined && { joined_at: toInstant(seen.joinedAt) }),
  last_seen: toInstant(seen.lastSeen),
  closed: seen.closed,
  silent: seen.silent,
  ...(seen.drift !== undefined && { drift_ms: seen.drift }),
  ...(seen.driftedSince !== undefined && { drifted_since: toInstant(seen.driftedSince) }),
  missing: seen.missing.map(missingOnWire),
})

const missingOnWire = ({ from, to, why, toldAt, writtenOffAt }: MissingBatches) => ({
  from,
  to,
  why,
  told_at: toInstant(toldAt),
  ...(writtenOffAt !== undefined && { written_off_at: toInstant(writtenOffAt) }),
})
