// What verifiers say they serve, and how that differs from the policy in force. It decides nothing: whose word is kept is the
// task room's to say, what differs is the audit room's. Each report that is read is itself an entry.
import { z } from "@hono/zod-openapi"
import { comparePosture } from "../audit/posture.ts"
import { refuse } from "../errors.ts"
import { SEVERITIES } from "../policy/review-rule.ts"
import { MOST_OPERATIONS, MOST_SHAPES, parseShape } from "../token/declaration.ts"
import { isOperation } from "../token/name.ts"
import { type Endpoint, guarded, json, jsonBody } from "./endpoint.ts"
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

const PostureAnswer = z
  .strictObject({
    policy: text.openapi({ description: "The digest of the policy in force, which was compared" }),
    findings: z.array(
      z.strictObject({
        rule: text.openapi({ description: "Stable" }),
        severity: z.enum([...SEVERITIES]),
        api: text,
        operation: text.optional(),
        resource: text.optional(),
        place: z.strictObject({ file: text, line: count, column: count }),
        message: text,
        fix: text,
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
  })
  .openapi("Posture", {
    description: "Where the policy in force and what verifiers serve differ, the gravest first",
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

const report = ({ declarations, ledger, policies }: Rooms): Endpoint =>
  guarded({
    method: "get",
    path: "/reports/posture",
    lane: "later",
    summary: "Where the policy in force and what verifiers say they serve differ, both ways",
    group: "ledger",
    who: ["auditor"],
    answers: { 200: { description: "As of now", schema: PostureAnswer } },
    async run(_call, caller) {
      const body = { by: caller.clientId, report: "posture" }
      await ledger.append([{ kind: "access.read", at: ledger.at(), body }])
      const served = new Map((await declarations.list()).map((one) => [one.api, one]))
      const policy = policies.inForce()
      const findings = comparePosture(policy, served)
      const apis = [...policy.apis.values()]
        .filter(({ enabled }) => enabled)
        .map(({ name: api }) => {
          const { open = 0, heard = 0, declaring = 0, said = [] } = served.get(api) ?? {}
          const operations = new Set(said.flatMap((one) => one.operations.map(({ operation }) => operation)))
          return { api, instances: open, heard, declaring, operations: operations.size }
        })
      return json(200, {
        policy: policy.digest,
        findings: findings.slice(0, MOST_FINDINGS),
        more: findings.length > MOST_FINDINGS,
        apis,
      })
    },
  })
