// The wire's words for tasks: what may be asked and what is answered, in snake_case. These schemas both validate and
// document. They decide shapes only; whether a type, an agent or an operation exists is policy's to say.
import { z } from "@hono/zod-openapi"
import { TASK_STATES } from "../task/states.ts"
import { isJsonObject, type JsonObject } from "../token/json.ts"
import { HASH, INSTANCE } from "../token/name.ts"
import { ApprovableAnswer, ApprovalAnswer } from "./approval-schema.ts"
import { EntryAnswer } from "./ledger.ts"

/** No control characters and nothing that turns the direction of text: what people read must be what was sent. */
const PLAIN = /^[^\p{Cc}\p{Cs}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]*$/u
export const plain = (most: number) =>
  z
    .string()
    .min(1, `1 to ${most} characters`)
    .max(most, `1 to ${most} characters`)
    .refine((text) => PLAIN.test(text), "text without control or bidirectional characters")

/** Of the policy. Any case is taken here, so that a name that is misspelled answers like one that is forbidden. */
const name = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,63}$/, "a name of the policy, up to 63 characters")
  .openapi({ example: "triage-ticket" })
const instance = z
  .string()
  .regex(INSTANCE, "1 to 128 of A-Z a-z 0-9 . _ : -")
  .openapi({ example: "pod-7f3c" })
const operation = z.string().regex(/^[!-~]{1,128}$/, "an operation, such as tickets:read")
const resource = z.string().regex(/^[!-~]{1,512}$/, "the URL of an API")
const thumbprint = z.string().regex(HASH, "an RFC 7638 thumbprint: 43 characters of base64url")

/** Values are policy's to judge; what is not a string is refused there with its pointer. */
const inputs = z
  .custom<JsonObject>(isJsonObject, "an object of strings")
  .openapi({ type: "object", additionalProperties: { type: "string" }, example: { ticket: "SUP-1042" } })

const subjectToken = z.string().min(1, "1 to 16384 characters").max(16_384, "1 to 16384 characters").openapi({
  description:
    "The ID token, or a JWT access token, of the user that the task runs for: of an identity provider of the policy, fresh, used once",
})

export const StartBody = z
  .strictObject({
    type: name,
    agent: z.strictObject({ id: name, instance }),
    purpose: plain(1000),
    inputs: inputs.default({}),
    reference: plain(200).optional(),
    operations: z.array(operation).min(1).max(256).optional(),
    resources: z.array(resource).min(1).max(64).optional(),
    dpop_jkt: thumbprint.optional(),
    subject_token: subjectToken.optional(),
    deliver: z
      .literal("agent")
      .optional()
      .openapi({ description: "No token is answered: the agent collects them, authenticated as itself" }),
  })
  .refine((body) => body.deliver === undefined || body.resources === undefined, {
    path: ["resources"],
    message: "none with deliver: the agent says which when it collects",
  })
  .openapi("StartTask")

export const RenewBody = z
  .strictObject({
    resource: resource.optional(),
    operations: z.array(operation).min(1).max(256).optional(),
    instance: instance.optional(),
    dpop_jkt: thumbprint.optional(),
    approval: z
      .string()
      .regex(/^apr_[0-9a-f-]{36}$/, "an approval id")
      .optional()
      .openapi({ description: "Collects the token of a granted approval; stands alone" }),
  })
  .refine(
    ({ approval, ...others }) =>
      approval === undefined || Object.values(others).every((one) => one === undefined),
    "an approval without other members",
  )
  .openapi("RenewTask")

export const ChangeBody = z.strictObject({ reason: plain(1000).optional() }).openapi("ChangeTask")

/** Where a page begins, behind an id of this form, and how long it is. `what`: as an error calls the id. */
export const pageOf = (id: RegExp, what: string) => ({
  after: z.string().regex(id, `${what}, as \`next\` answered it`).optional(),
  limit: z
    .string()
    .regex(/^([1-9]\d?|1\d\d|200)$/, "1 to 200")
    .transform(Number)
    .optional(),
})

export const ListQuery = z.strictObject({
  state: z.enum(TASK_STATES).optional(),
  ...pageOf(/^task_[0-9a-f-]{36}$/, "a task id"),
})

const state = z.enum(TASK_STATES)
const instant = z.string().openapi({ format: "date-time" })

export const TokenAnswer = z
  .strictObject({
    resource: z.string(),
    access_token: z.string(),
    token_type: z.enum(["Bearer", "DPoP"]),
    expires_in: z.int(),
    renew_in: z.int(),
    scope: z.string(),
    authorization_details: z.array(z.record(z.string(), z.unknown())),
  })
  .openapi("TaskToken")

export const StartAnswer = z
  .strictObject({
    task_id: z.string(),
    state,
    deadline: instant,
    tokens: z.array(TokenAnswer),
    approvals: z.array(ApprovableAnswer).openapi({ description: "What a person must agree to first" }),
  })
  .openapi("StartedTask")

export const RenewAnswer = z.strictObject({ tokens: z.array(TokenAnswer) }).openapi("RenewedTask")

export const ChangeAnswer = z
  .strictObject({ task_id: z.string(), state, tokens: z.array(TokenAnswer).optional() })
  .openapi("ChangedTask")

const summary = {
  task_id: z.string(),
  type: z.string(),
  state,
  agent: z.strictObject({ id: z.string(), instance: z.string() }),
  orchestrator: z.string(),
  sub: z.string(),
  reference: z.string().optional(),
  started_at: instant,
  deadline: instant,
  ended_at: instant.optional(),
}

export const ListAnswer = z
  .strictObject({ tasks: z.array(z.strictObject(summary)), next: z.string().nullable() })
  .openapi("Tasks")

const grants = z.array(
  z.strictObject({
    api: z.string(),
    operations: z.array(z.string()),
    resources: z.array(z.string()),
    rule: z.string(),
  }),
)

export const ShowAnswer = z
  .strictObject({
    ...summary,
    policy: z.string(),
    grants,
    lineage: z
      .array(
        z.strictObject({
          delegation_id: z.string(),
          parent: z.string().optional().openapi({ description: "Absent: the task's own agent delegated" }),
          agent: z.strictObject({ id: z.string(), instance: z.string() }),
          started_at: instant,
          ended_at: instant.optional(),
          grants,
        }),
      )
      .openapi({ description: "Every delegation there was, in their order" }),
    approvable: z.array(ApprovableAnswer),
    approvals: z.array(ApprovalAnswer),
    tokens: z.array(
      z.strictObject({
        jti: z.string(),
        api: z.string().openapi({ description: "`@issuer`: the agent's own token" }),
        delegation_id: z.string().optional().openapi({ description: "Of the sub-agent that has it" }),
        issued_at: instant,
        expires_at: instant,
        state: z.enum(["live", "expired", "ended"]),
      }),
    ),
    timeline: z.array(EntryAnswer),
  })
  .openapi("Task")
