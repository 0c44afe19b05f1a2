// What verifiers say they serve, and the report of how the installation stands. It decides nothing: whose word is kept is the
// task room's to say, what is found is the audit room's. Each report that is read is itself an entry.
import { z } from "@hono/zod-openapi"
import type { Age } from "../audit/living.ts"
import type { Finding, KeyAge } from "../audit/posture/report.ts"
import { TOPICS } from "../audit/posture/standing-rules.ts"
import { refuse } from "../errors.ts"
import { SEVERITIES } from "../policy/review-rule.ts"
import { toInstant } from "../time.ts"
import { MOST_OPERATIONS, MOST_SHAPES, parseShape } from "../token/declaration.ts"
import { isOperation } from "../token/name.ts"
import { type Endpoint, guarded, json, jsonBody } from "./endpoint.ts"
import { recordReading } from "./reading.ts"
import type { Rooms } from "./rooms.ts"

const Shape = z
  .string()
  .max(2048)
  .refine((text) => parseShape(text) !== undefined, "a shape, such as tickets/{id}")
  .openapi({
    description: "Literals; `{id}` or `*` for any one segment, a last `**` for one or more",
    example: "tickets/{id}",
  })

const DeclareBody = z
  .strictObject({
    instance: z.uuid().openapi({ description: "Of the verifier instance whose key the token is bound to" }),
    operations: z
      .array(
        z.strictObject({
          operation: z
            .string()
            .refine(isOperation, "an operation, such as tickets:read")
            .openapi({ example: "tickets:read" }),
          resources: z.array(Shape).min(1).max(MOST_SHAPES),
        }),
      )
      .max(MOST_OPERATIONS),
  })
  .openapi("DeclareServed")

const DeclaredAnswer = z
  .strictObject({ operations: z.int().openapi({ description: "How many are kept of this instance now" }) })
  .openapi("DeclaredServed")

const text = z.string()
const count = z.int().min(0)
/** What is left out are the lightest. */
const MOST_FINDINGS = 2000

const instant = z.iso.datetime()

const ages = (what: string) =>
  z
    .array(
      z.strictObject({
        within_seconds: count
          .nullable()
          .openapi({ description: "And not within the bound before; null: longer ago" }),
        count,
      }),
    )
    .openapi({ description: what })

const PostureAnswer = z
  .strictObject({
    policy: text.openapi({ description: "The digest of the policy in force, which was compared" }),
    findings: z.array(
      z.strictObject({
        rule: text.openapi({ description: "Stable" }),
        topic: z.enum(TOPICS).openapi({ description: "What it is about" }),
        severity: z.enum([...SEVERITIES]),
        api: text.optional(),
        agent: text.optional(),
        type: text.optional(),
        operation: text.optional(),
        resource: text.optional(),
        place: z
          .strictObject({ file: text, line: count, column: count })
          .optional()
          .openapi({ description: "In the policy" }),
        message: text,
        fix: text.openapi({ description: "What to do" }),
      }),
    ),
    more: z.boolean().openapi({ description: `There are more than ${MOST_FINDINGS}; the gravest are here` }),
    apis: z
      .array(
        z.strictObject({
          api: text,
          instances: count.openapi({ description: "Which have not said their last word" }),
          heard: count.openapi({ description: "Of these, within three heartbeats" }),
          declaring: count.openapi({ description: "Of those heard, which say what they serve" }),
          operations: count.openapi({ description: "Of all that declare together" }),
        }),
      )
      .openapi({ description: "Enabled in the policy" }),
    tasks: ages("Tasks that have not ended, by when they were started"),
    tokens: ages("Live tokens, by when they were issued"),
    keys: z
      .array(
        z.strictObject({
          key: text.openapi({ description: "The kid of a signing key, the vkey of the ledger's" }),
          signs: z.enum(["tokens", "ledger"]),
          state: text,
          created_at: instant,
          activated_at: instant.optional(),
          waits_for: z.strictObject({ what: text, until: instant.optional() }).optional(),
        }),
      )
      .openapi({ description: "That are not retired" }),
  })
  .openapi("Posture", {
    description: "How the installation stands, and what should be otherwise, the gravest first",
  })

export const postureEndpoints = (rooms: Rooms): Endpoint[] => [declare(rooms), report(rooms)]

const declare = ({ declarations }: Rooms): Endpoint =>
  guarded({
    method: "post",
    path: "/catalogue",
    lane: "later",
    summary: "What a verifier instance serves, in place of what it said before; it has reported already",
    group: "uses",
    who: ["api"],
    body: jsonBody(DeclareBody),
    answers: { 200: { description: "Kept", schema: DeclaredAnswer } },
    async run({ body }, caller) {
      const { clientId: api, proofKey: key } = caller
      if (!key) return refuse("proof_invalid", "[binding] a declaration needs a token bound to the key")
      const kept = await declarations.take({ api, key }, body.instance, body.operations)
      return typeof kept === "number" ? json(200, { operations: kept }) : kept
    },
  })

const report = (rooms: Rooms): Endpoint =>
  guarded({
    method: "get",
    path: "/reports/posture",
    lane: "later",
    summary:
      "How the installation stands: rights nobody uses, names nobody knows, keys, verifiers, approvals, and where the policy and what is served differ",
    group: "ledger",
    who: ["auditor"],
    answers: { 200: { description: "As of now", schema: PostureAnswer } },
    async run(_call, caller) {
      await recordReading(rooms, caller, { report: "posture" })
      const { policy, findings, tasks, tokens, keys } = await rooms.posture.read()
      return json(200, {
        policy,
        findings: findings.slice(0, MOST_FINDINGS).map(findingOnWire),
        more: findings.length > MOST_FINDINGS,
        apis: await servedBy(rooms),
        tasks: tasks.map(ageOnWire),
        tokens: tokens.map(ageOnWire),
        keys: keys.map(keyOnWire),
      })
    },
  })

/** How many instances stand for each API of the policy, and what they say. */
export async function servedBy({ declarations, policies }: Rooms) {
  const served = new Map((await declarations.list()).map((one) => [one.api, one]))
  return [...policies.inForce().apis.values()]
    .filter(({ enabled }) => enabled)
    .map(({ name: api }) => {
      const { open = 0, heard = 0, declaring = 0, said = [] } = served.get(api) ?? {}
      const operations = new Set(said.flatMap((one) => one.operations.map(({ operation }) => operation)))
      return { api, instances: open, heard, declaring, operations: operations.size }
    })
}

/** Members are spelled alike here and there; a policy's place has no more than these. */
const findingOnWire = ({ place, ...finding }: Finding) => ({
  ...finding,
  ...(place && { place: { file: place.file, line: place.line, column: place.column } }),
})

const ageOnWire = ({ withinSeconds, count }: Age) => ({ within_seconds: withinSeconds, count })

const keyOnWire = ({ key, signs, state, createdAt, activatedAt, waitsFor }: KeyAge) => ({
  ...{ key, signs, state, created_at: toInstant(createdAt) },
  ...(activatedAt !== undefined && { activated_at: toInstant(activatedAt) }),
  ...(waitsFor && {
    waits_for: {
      what: waitsFor.what,
      ...(waitsFor.until !== undefined && { until: toInstant(waitsFor.until) }),
    },
  }),
})
