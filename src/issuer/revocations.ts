// The endpoints of revocations and locks: operators set, list and lift them, an API reads what ends live tokens of its
// own. They translate and decide nothing; what a kind covers is the task room's to say.
import { z } from "@hono/zod-openapi"
import { Refusal, refuse } from "../errors.ts"
import type { Revocation } from "../task/revocation.ts"
import { parseInstant, toInstant } from "../time.ts"
import { REVOCATION_KINDS } from "../token/revocation.ts"
import { type Endpoint, guarded, json, jsonBody } from "./endpoint.ts"
import type { Rooms } from "./rooms.ts"
import { plain } from "./task-schema.ts"

const FEED_LIMIT = 1000

const RevokeBody = z
  .strictObject({
    kind: z.enum(REVOCATION_KINDS),
    value: plain(256),
    reason: plain(1000),
    until: z.string().optional().openapi({ format: "date-time" }),
  })
  .openapi("Revoke")

const instant = z.string().openapi({ format: "date-time" })

const RevocationAnswer = z
  .strictObject({
    id: z.string(),
    kind: z.enum(REVOCATION_KINDS),
    value: z.string(),
    before: instant,
    until: instant.optional(),
    reason: z.string().optional(),
    set_by: z.string(),
    at: instant,
    tokens_ended: z.int(),
    lock: z.boolean(),
    lifted_at: instant.optional(),
    instances: z.array(
      z.strictObject({ instance: z.string(), api: z.string(), applied_at: instant.optional() }),
    ),
  })
  .openapi("Revocation")

const FeedQuery = z.strictObject({
  after: z
    .string()
    .regex(/^(0|[1-9]\d{0,14})$/, "the cursor of an earlier answer")
    .transform(Number)
    .optional(),
})

const FeedAnswer = z
  .strictObject({
    items: z.array(
      z.strictObject({
        cursor: z.int(),
        kind: z.enum(REVOCATION_KINDS),
        value: z.string(),
        before: z
          .int()
          .openapi({ description: "Epoch seconds, as `iat`: tokens issued up to it have ended" }),
        until: z.int().openapi({ description: "Epoch seconds: when the last of them runs out by itself" }),
        code: z.string(),
      }),
    ),
    cursor: z.int(),
  })
  .openapi("RevocationFeed")

const LocksAnswer = z.strictObject({ locks: z.array(RevocationAnswer) }).openapi("Locks")

export const revocationEndpoints = (rooms: Rooms): Endpoint[] => [
  revoke(rooms),
  show(rooms),
  lift(rooms),
  feed(rooms),
  locks(rooms),
]

const revoke = ({ revocations }: Rooms): Endpoint =>
  guarded({
    method: "post",
    path: "/revocations",
    summary: "End tokens now; for names also a lock until it is lifted",
    group: "revocations",
    who: ["operator"],
    body: jsonBody(RevokeBody),
    answers: { 201: { description: "Ended", schema: RevocationAnswer } },
    async run({ body: { until, ...asked } }, caller) {
      const milliseconds = until === undefined ? undefined : parseInstant(until)
      if (until !== undefined && milliseconds === undefined)
        return refuse("invalid_request", "[until]", {
          errors: [{ pointer: "/until", expected: "an RFC 3339 time" }],
        })
      const set = await revocations.revoke(caller.clientId, {
        ...asked,
        ...(milliseconds !== undefined && { until: milliseconds }),
      })
      return set instanceof Refusal ? set : json(201, revocationOnWire(set))
    },
  })

const show = ({ revocations }: Rooms): Endpoint =>
  guarded({
    method: "get",
    path: "/revocations/{id}",
    summary: "How many tokens it ended, which verifier instances have applied it and when",
    group: "revocations",
    who: ["operator"],
    answers: { 200: { description: "The revocation", schema: RevocationAnswer } },
    async run({ parameter }) {
      const found = await revocations.show(parameter("id"))
      return found instanceof Refusal ? found : json(200, revocationOnWire(found))
    },
  })

const lift = ({ revocations }: Rooms): Endpoint =>
  guarded({
    method: "delete",
    path: "/revocations/{id}",
    summary: "Lift a lock; tokens that it ended stay ended",
    group: "revocations",
    who: ["operator"],
    answers: { 200: { description: "Lifted", schema: RevocationAnswer } },
    async run({ parameter }, caller) {
      const lifted = await revocations.lift(caller.clientId, parameter("id"))
      return lifted instanceof Refusal ? lifted : json(200, revocationOnWire(lifted))
    },
  })

const feed = ({ revocations }: Rooms): Endpoint =>
  guarded({
    method: "get",
    path: "/revocations",
    summary: "What ends live tokens of the API that asks, after a cursor",
    group: "revocations",
    who: ["api"],
    query: FeedQuery,
    answers: { 200: { description: "Items in the order they were set", schema: FeedAnswer } },
    async run({ query: { after } }, caller) {
      const { items, cursor } = await revocations.feed(caller.clientId, after ?? 0, FEED_LIMIT)
      return json(200, { items, cursor })
    },
  })

const locks = ({ revocations }: Rooms): Endpoint =>
  guarded({
    method: "get",
    path: "/locks",
    summary: "The locks that stand: names for which nothing more is minted",
    group: "revocations",
    who: ["operator"],
    answers: { 200: { description: "The newest first", schema: LocksAnswer } },
    run: async () => json(200, { locks: (await revocations.locks()).map(revocationOnWire) }),
  })

const revocationOnWire = (set: Revocation) => ({
  id: set.id,
  kind: set.kind,
  value: set.value,
  before: toInstant(set.before * 1000),
  ...(set.until !== undefined && { until: toInstant(set.until) }),
  ...(set.reason !== undefined && { reason: set.reason }),
  set_by: set.setBy,
  at: toInstant(set.at),
  tokens_ended: set.tokensEnded,
  lock: set.lock,
  ...(set.liftedAt !== undefined && { lifted_at: toInstant(set.liftedAt) }),
  instances: set.instances.map(({ instance, api, appliedAt }) => ({
    instance,
    api,
    ...(appliedAt !== undefined && { applied_at: toInstant(appliedAt) }),
  })),
})
