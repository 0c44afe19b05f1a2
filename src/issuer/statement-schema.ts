// The wire's words for closing statements. They document what is answered, and read it at the other end. Shapes only; what an
// account says, the audit room decides.
import { z } from "@hono/zod-openapi"
import type { Statement } from "../audit/statement.ts"
import { TASK_STATES } from "../task/states.ts"

const instant = z.string().openapi({ format: "date-time" })
const count = z.int().min(0)
const committed = z.strictObject({ hmac: z.string() }).openapi("Commitment", {
  description:
    "base64url HMAC-SHA-256(key, name 0x00 canonical value): the value and the key stand beside what is signed",
})

const uses = {
  allowed: count,
  observed: count.openapi({ description: "Let through by a verifier in observe mode" }),
  first: instant.optional(),
  last: instant.optional(),
}
const span = { first: instant, last: instant }
const holder = { agent: z.string(), instance: z.string() }

const Task = z.strictObject({
  id: z.string(),
  type: z.string(),
  state: z.enum(TASK_STATES),
  ...holder,
  orchestrator: z.string(),
  sub: committed.optional(),
  purpose: committed.optional(),
  reference: committed.optional(),
  started_at: instant,
  deadline: instant,
  ended_at: instant.optional(),
  erased: z.literal(true).optional(),
})

const Rule = z.strictObject({
  rule: z.string(),
  api: z.string(),
  approval: z.literal(true).optional(),
  ...uses,
  operations: z.array(z.strictObject({ operation: z.string(), ...uses })),
  resources: z.array(z.strictObject({ resource: committed, ...uses })),
})

const Refused = z.strictObject({
  by: z.enum(["api", "issuer"]),
  api: z.string().optional(),
  operation: z.string().optional(),
  code: z.string(),
  why: z.string().optional(),
  count,
  ...span,
})

const Approval = z.strictObject({
  approval: z.string(),
  api: z.string(),
  operation: z.string(),
  resource: committed.optional(),
  requested_by: z.string(),
  requested_at: instant,
  reason: committed.optional(),
  decision: z.enum(["requested", "granted", "denied", "expired"]),
  by: z.string().optional(),
  as: z.string().optional(),
  decided_at: instant.optional(),
  decision_reason: committed.optional(),
  collected: count,
})

const Reporter = z.strictObject({
  verifier: z.string(),
  api: z.string(),
  sequence: count,
  last_report: instant,
  standing: z.enum(["reporting", "past_end", "behind", "closed"]),
  written_off_at: instant.optional(),
})

const Gap = z.strictObject({
  verifier: z.string(),
  api: z.string(),
  from: count,
  to: count,
  why: z.enum(["missing", "chain_differs"]),
  told_at: instant,
  written_off_at: instant.optional(),
})

/** Exactly what is signed, as `Statement` of the audit room. */
const StatementMembers = z
  .strictObject({
    state: z.enum(["provisional", "final"]),
    number: count,
    previous: z.string().optional(),
    task: Task,
    policies: z.array(z.string()),
    authority: z.array(Rule),
    outside: z.strictObject(uses).optional(),
    uses: z.array(
      z.strictObject({ api: z.string(), operation: z.string(), resource: committed.optional(), ...uses }),
    ),
    further_uses: z.strictObject(uses).optional(),
    never_used: z.array(
      z.strictObject({
        rule: z.string(),
        api: z.string(),
        operation: z.string().optional(),
        resource: committed.optional(),
      }),
    ),
    refusals: z.array(Refused),
    further_refusals: count.optional(),
    approvals: z.array(Approval),
    further_approvals: count.optional(),
    holders: z.array(
      z.strictObject({ ...holder, ...uses, lineage: z.array(z.string()), tokens: count, refused: count }),
    ),
    further_holders: z.strictObject({ ...uses, tokens: count, refused: count }).optional(),
    renewals: z.array(z.strictObject({ ...holder, api: z.string().optional(), count, ...span })),
    unsigned_tokens: count.optional(),
    verifiers: z.array(Reporter),
    gaps: z.array(Gap).optional(),
    further_gaps: count.optional(),
    not_recording: z.array(z.strictObject({ api: z.string(), verifiers: count, introspected: count })),
    ledger: z.strictObject({
      first: count,
      last: count,
      entries: count,
      through: count,
      checkpoint: z.string(),
    }),
  })
  .openapi("StatementMembers")

/** Names of what is signed of a task. */
export const STATEMENT_MEMBERS: readonly string[] = Object.keys(StatementMembers.shape)

/** Whether it is an account as this version writes it. Does NOT check that anything in it is so. */
export const isStatement = (value: unknown): value is Statement => StatementMembers.safeParse(value).success

export const StatementAnswer = z
  .strictObject({
    state: z.enum(["provisional", "final"]),
    number: count,
    jws: z.string().openapi({ description: "`typ: task-statement+jwt`, by the issuer's signing key" }),
    statement: StatementMembers,
    personal: z
      .strictObject({
        key: z.string().optional().openapi({ description: "base64url; absent once erased" }),
        values: z.array(z.strictObject({ name: z.string(), value: z.string(), hmac: z.string() })),
      })
      .openapi({ description: "Beside what is signed: what its commitments are to" }),
  })
  .openapi("TaskStatement")
