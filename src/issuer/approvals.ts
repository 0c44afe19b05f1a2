// The endpoints of approvals: a task asks, a person decides, both look. They translate and decide nothing; who may ask,
// see and decide what is the task room's to say.
import { z } from "@hono/zod-openapi"
import { Refusal, refuse } from "../errors.ts"
import { asAgent, asOrchestrator, type Requester } from "../task/approval.ts"
import type { Decider } from "../task/approval-decide.ts"
import type { ApprovalViewer } from "../task/approval-view.ts"
import { APPROVAL_STATES } from "../task/states.ts"
import type { JsonValue } from "../token/json.ts"
import { isSegment } from "../token/resource.ts"
import { ApprovalAnswer, approvalOnWire } from "./approval-schema.ts"
import { forAgents } from "./asking.ts"
import type { Caller } from "./caller.ts"
import { type Endpoint, guarded, json, jsonBody } from "./endpoint.ts"
import type { Rooms } from "./rooms.ts"
import { pageOf, plain } from "./task-schema.ts"

const DEFAULT_LIMIT = 50

/** What was read is JSON already (body.ts); how large it may be is the task room's. */
const parameters = z
  .custom<JsonValue>((value) => value !== undefined)
  .openapi({
    type: ["object", "array", "string", "number", "boolean", "null"],
    description: "JSON of at most 8 KiB. The person sees it, and only it will pass",
  })

const RequestBody = z
  .strictObject({
    task_id: z
      .string()
      .regex(/^task_[0-9a-f-]{36}$/, "a task id")
      .optional()
      .openapi({
        description:
          "From an orchestrator or an authenticated agent; an agent's own token says which task asks",
      }),
    operation: z
      .string()
      .regex(/^[!-~]{1,128}$/, "an operation, such as tickets:close")
      .openapi({ example: "tickets:close" }),
    resource: z
      .string()
      .max(8192)
      .refine((path) => path.split("/").every(isSegment), "segments of plain data joined by /")
      .openapi({ example: "tickets/SUP-1042" }),
    reason: plain(1000),
    parameters: parameters.optional(),
  })
  .openapi("RequestApproval")

export const DecideBody = z
  .strictObject({ decision: z.enum(["grant", "deny"]), reason: plain(1000).optional() })
  .openapi("DecideApproval")

const ListQuery = z.strictObject({
  state: z.enum(APPROVAL_STATES).optional(),
  ...pageOf(/^apr_[0-9a-f-]{36}$/, "an approval id"),
})

const ListAnswer = z
  .strictObject({ approvals: z.array(ApprovalAnswer), next: z.string().nullable() })
  .openapi("Approvals")

export const approvalEndpoints = (rooms: Rooms): Endpoint[] => [
  request(rooms),
  list(rooms),
  show(rooms),
  decide(rooms),
]

function request(rooms: Rooms): Endpoint {
  const ask = async (requester: Requester, taskId: string, body: z.infer<typeof RequestBody>) => {
    const { operation, resource, reason, parameters: given } = body
    const question = { taskId, operation, resource: resource.split("/"), reason, parameters: given }
    const asked = await rooms.approvals.request(requester, question)
    return asked instanceof Refusal ? asked : json(asked.created ? 201 : 200, approvalOnWire(asked.approval))
  }
  const byCallers = guarded({
    method: "post",
    path: "/approvals",
    summary:
      "Ask a person to open an operation for a running task, as its orchestrator or its agent, which may use its own token",
    group: "approvals",
    who: ["orchestrator", "agent"],
    body: jsonBody(RequestBody),
    answers: {
      201: { description: "Asked", schema: ApprovalAnswer },
      200: { description: "The same question is open already", schema: ApprovalAnswer },
    },
    async run({ body }, caller) {
      const { task_id: taskId } = body
      if (taskId !== undefined) return ask(requesterOf(caller), taskId, body)
      const errors = [{ pointer: "/task_id", expected: "a task id" }]
      return refuse("invalid_request", "[task_id] none", { errors })
    },
  })
  return forAgents(rooms, byCallers, {
    body: jsonBody(RequestBody),
    run: ({ body }, { requester, taskId }) => ask(requester, body.task_id ?? taskId, body),
  })
}

const list = ({ approvals }: Rooms): Endpoint =>
  guarded({
    method: "get",
    path: "/approvals",
    lane: "later",
    summary:
      "Approvals, newest first: of an orchestrator's tasks, those that an approver decides, all for other staff",
    group: "approvals",
    who: ["orchestrator", "approver", "auditor", "operator"],
    query: ListQuery,
    answers: { 200: { description: "A page of approvals", schema: ListAnswer } },
    async run({ query: { state, after, limit } }, caller) {
      const page = await approvals.list(viewerOf(caller), {
        limit: limit ?? DEFAULT_LIMIT,
        ...(state && { state }),
        ...(after !== undefined && { after }),
      })
      return json(200, { approvals: page.approvals.map(approvalOnWire), next: page.next })
    },
  })

function show(rooms: Rooms): Endpoint {
  const look = async (viewer: ApprovalViewer, id: string) => {
    const found = await rooms.approvals.show(viewer, id)
    return found instanceof Refusal ? found : json(200, approvalOnWire(found))
  }
  const byCallers = guarded({
    method: "get",
    path: "/approvals/{id}",
    lane: "later",
    summary: "One approval: what is asked, with which parameters, and what became of it",
    group: "approvals",
    who: ["orchestrator", "agent", "approver", "auditor", "operator"],
    answers: { 200: { description: "The approval", schema: ApprovalAnswer } },
    run: ({ parameter }, caller) => look(viewerOf(caller), parameter("id")),
  })
  return forAgents(rooms, byCallers, {
    run: ({ parameter }, { taskId, requester: { delegation } }) =>
      look({ task: taskId, delegation }, parameter("id")),
  })
}

const decide = ({ approvals }: Rooms): Endpoint =>
  guarded({
    method: "post",
    path: "/approvals/{id}",
    summary: "Grant or deny an approval, as a person that the policy names",
    group: "approvals",
    who: ["approver"],
    body: jsonBody(DecideBody),
    answers: { 200: { description: "Decided", schema: ApprovalAnswer } },
    async run({ body: { decision, reason }, parameter }, caller) {
      const decided = await approvals.decide(deciderOf(caller), parameter("id"), decision, reason)
      return decided instanceof Refusal ? decided : json(200, approvalOnWire(decided))
    },
  })

/** Who asks and collects with a service token: an orchestrator for its tasks, an agent for those that it is the agent of. */
export const requesterOf = ({ kind, clientId, proofKey }: Caller): Requester =>
  kind === "agent" ? asAgent(clientId, proofKey?.thumbprint) : asOrchestrator(clientId)

/** Whoever has the role without signing in is let through by --dev alone: the policy is refused otherwise. */
export const deciderOf = ({ clientId, person }: Caller): Decider => ({
  name: clientId,
  person: person ?? clientId,
})

/** Which approvals a caller sees. */
export function viewerOf(caller: Caller): ApprovalViewer {
  if (caller.kind === "orchestrator") return { orchestrator: caller.clientId }
  if (caller.kind === "agent") return { agent: caller.clientId }
  const all = caller.scopes.has("auditor") || caller.scopes.has("operator")
  return all ? {} : { deciders: [caller.clientId] }
}
