// The wire's words for approvals, in snake_case: as the endpoints of approvals and of tasks answer them. It decides shapes
// only.
import { z } from "@hono/zod-openapi"
import type { Approval } from "../task/approval-view.ts"
import { APPROVAL_STATES } from "../task/states.ts"
import { toInstant } from "../time.ts"

export const ApprovableAnswer = z
  .strictObject({
    operations: z.array(z.string()),
    resources: z.array(z.string()),
    by: z.array(z.string()),
  })
  .openapi("Approvable")

const instant = z.string().openapi({ format: "date-time" })

export const ApprovalAnswer = z
  .strictObject({
    id: z.string(),
    task_id: z.string(),
    type: z.string(),
    agent: z.strictObject({ id: z.string(), instance: z.string() }),
    orchestrator: z.string(),
    sub: z.string(),
    purpose: z.string().optional(),
    api: z.string(),
    operation: z.string(),
    resource: z.string(),
    parameters: z.unknown().optional(),
    reason: z.string().optional(),
    delegation_id: z
      .string()
      .optional()
      .openapi({ description: "The sub-agent's that asks for itself; absent: the task's own agent" }),
    requested_by: z.string(),
    requested_at: instant,
    by: z.array(z.string()).openapi({ description: "Names of staff of whom one person decides" }),
    state: z.enum(APPROVAL_STATES).openapi({
      description: "`collected`: its token for one use was answered, or its time is over",
    }),
    expires_at: instant.openapi({
      description: "Undecided, it waits until then; granted, it is collected and lives until then",
    }),
    decided_by: z.string().optional(),
    decided_at: instant.optional(),
  })
  .openapi("Approval")

export const approvalOnWire = (approval: Approval) => ({
  id: approval.approvalId,
  task_id: approval.taskId,
  type: approval.type,
  agent: approval.agent,
  orchestrator: approval.orchestrator,
  sub: approval.sub,
  ...(approval.purpose !== undefined && { purpose: approval.purpose }),
  api: approval.api,
  operation: approval.operation,
  resource: approval.resource,
  ...(approval.parameters !== undefined && { parameters: JSON.parse(approval.parameters) }),
  ...(approval.reason !== undefined && { reason: approval.reason }),
  ...(approval.delegation !== undefined && { delegation_id: approval.delegation }),
  requested_by: approval.requestedBy,
  requested_at: toInstant(approval.requestedAt),
  by: approval.by,
  state: approval.state,
  expires_at: toInstant(approval.expiresAt),
  ...(approval.decidedBy !== undefined && { decided_by: approval.decidedBy }),
  ...(approval.decidedAt !== undefined && { decided_at: toInstant(approval.decidedAt) }),
})
