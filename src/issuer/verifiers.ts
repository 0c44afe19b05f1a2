// Which verifier instances report here, and writing one off. It decides nothing: who may ask is in the table, when one may
// be written off is the task room's to say.
import { z } from "@hono/zod-openapi"
import { Refusal } from "../errors.ts"
import type { VerifierSeen } from "../task/verifiers.ts"
import { toInstant } from "../time.ts"
import { type Endpoint, guarded, json, jsonBody } from "./endpoint.ts"
import type { Rooms } from "./rooms.ts"
import { plain } from "./task-schema.ts"

const VerifierAnswer = z
  .strictObject({
    instance: z.uuid(),
    api: z.string(),
    sequence: z.int().openapi({ description: "Of its last batch" }),
    cursor: z.int().optional().openapi({ description: "How far the feed of revocations is applied" }),
    last_seen: z.iso.datetime(),
    closed: z.boolean().openapi({ description: "It said its last word, or was written off" }),
    silent: z.boolean().openapi({ description: "Not closed, and nothing was heard for three heartbeats" }),
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
    run: async () => json(200, { verifiers: (await verifiers.list()).map(onWire) }),
  })

const forget = ({ verifiers }: Rooms): Endpoint =>
  guarded({
    method: "post",
    path: "/verifiers/{instance}/forget",
    summary:
      "Write off an instance whose spool is gone: a gap in the ledger, and nobody waits for it any more",
    group: "uses",
    who: ["operator"],
    body: jsonBody(ForgetBody),
    answers: { 200: { description: "Written off", schema: VerifierAnswer } },
    async run({ parameter, body }, caller) {
      const seen = await verifiers.forget(caller.clientId, parameter("instance"), body.reason)
      return seen instanceof Refusal ? seen : json(200, onWire(seen))
    },
  })

const onWire = ({ instance, api, sequence, cursor, lastSeen, closed, silent }: VerifierSeen) => ({
  instance,
  api,
  sequence,
  ...(cursor !== undefined && { cursor }),
  last_seen: toInstant(lastSeen),
  closed,
  silent,
})
