// The endpoints of revocations and locks: operators set, list and lift them, an API reads what ends live tokens of its
// own. They translate and decide nothing; what a kind covers is the task room's to say.
import { z } from "@hono/zod-openapi"
import { Refusal, refuse } from "../errors.ts"
import type { Revocation } from "../task/revocation-view.ts"
import { parseInstant, toInstant } from "../time.ts"
import { REVOCATION_KINDS } from "../token/revocation.ts"
import { type Endpoint, guarded, json, jsonBody, readAs } from "./endpoint.ts"
import { EVENT_STREAM } from "./feed-stream.ts"
import type { Rooms } from "./rooms.ts"
import { plain } from "./task-schema.ts"

const FEED_LIMIT = 1000

const RevokeBody = z
  .strictObject({
    kind: z.enum(REVOCATION_KINDS),
    value: plain(256).openapi({
      description: "The id or the name; of an instance `agent/instance`, of a person `provider/subject`",
    }),
    reason: plain(1000),
    until: z.string().optional().openapi({
      format: "date-time",
      description: "When a lock lifts by itself: to come, and for no other kind",
    }),
  })
  .openapi("Revoke")

const instant = z.string().openapi({ format: "date-time" })

export const RevocationAnswer = z
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
    applied_in_ms: z.int().optional().openapi({
      description: "From the order to the last verifier instance that told that it applied it",
    }),
    instances: z.array(
      z.strictObject({
        instance: z.string(),
        api: z.string(),
        applied_at: instant.optional().openapi({ description: "Absent: it has not told that it applied it" }),
        last_seen: instant,
        closed: z.boolean().openapi({
          description: "It was closed in order, and reads the feed before it lets anything through again",
        }),
      }),
    ),
  })
  .openapi("Revocation")

const cursor = z
  .string()
  .regex(/^(0|[1-9]\d{0,14})$/, "the cursor of an earlier answer")
  .transform(Number)
  .optional()

const FeedQuery = z.strictObject({ after: cursor })

const FeedHeaders = z.object({
  "last-event-id": cursor.openapi({ description: "Of a stream that broke: goes before `after`" }),
})

const FeedEvents = z.string().openapi("RevocationEvents", {
  description:
    "Server-Sent Events, where `Accept` names them. Of each item one event: `id` is its cursor, `data` the item as in " +
    "the JSON answer. After the last one, and then every two seconds, a comment `head <cursor> at <milliseconds>`: " +
    "everything up to that cursor was told, as of so long after the stream was opened; and one `clock <epoch " +
    "milliseconds> at <milliseconds>`, what the issuer's clock read then. The stream ends when the " +
    "service token expires, when the policy does not name the caller any more, when it is read too slowly, and when " +
    "the issuer stops. 503 with Retry-After when there are too many.",
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
        successor: z.string().optional().openapi({
          description:
            "Of a signing key: the RFC 7638 thumbprint, and `kid`, of the one that signs from now on",
        }),
      }),
    ),
    cursor: z.int(),
    now: z.int().openapi({ description: "Epoch milliseconds: what the issuer's clock read" }),
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

const feed = ({ revocations, streams, clock }: Rooms): Endpoint =>
  guarded({
    method: "get",
    path: "/revocations",
    summary: "What ends live tokens of the API that asks, after a cursor, at once or as it comes",
    group: "revocations",
    who: ["api"],
    query: FeedQuery,
    headers: FeedHeaders,
    answers: {
      200: {
        description: "Items in the order they were set",
        schema: FeedAnswer,
        others: { [EVENT_STREAM]: FeedEvents },
      },
    },
    async run({ request, query }, caller) {
      const asked = readAs(FeedHeaders, {
        "last-event-id": request.headers.get("last-event-id") ?? undefined,
      })
      if (asked instanceof Refusal) return asked
      const after = asked["last-event-id"] ?? query.after ?? 0
      // HEAD is answered by the same code, and nobody would read its stream.
      if (wantsEvents(request.headers) && request.method === "GET") return streams.open(caller, after)
      const { items, cursor } = await revocations.feed(caller.clientId, after, FEED_LIMIT)
      return json(200, { items, cursor, now: clock.now() })
    },
  })

/** RFC 9110 section 12.5.1, as far as it matters here: the type is named and not excluded. */
const wantsEvents = (headers: Headers): boolean =>
  (headers.get("accept") ?? "").split(",").some((range) => {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase())
    return type === EVENT_STREAM && !parameters.some((one) => /^q=0(\.0{0,3})?$/.test(one))
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

export const revocationOnWire = (set: Revocation) => ({
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
  ...(set.appliedInMilliseconds !== undefined && { applied_in_ms: set.appliedInMilliseconds }),
  instances: set.instances.map(({ instance, api, appliedAt, lastSeen, closed }) => ({
    instance,
    api,
    ...(appliedAt !== undefined && { applied_at: toInstant(appliedAt) }),
    last_seen: toInstant(lastSeen),
    closed,
  })),
})
