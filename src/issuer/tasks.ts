// The endpoints of tasks: start, list, show, renew, change. They translate between the wire and the task room and decide
// nothing: who may see or change which task is decided there.
import { Refusal } from "../errors.ts"
import type { Change, Changed } from "../task/finish.ts"
import type { MintedToken } from "../task/mint.ts"
import type { TaskSummary, TaskView } from "../task/show.ts"
import type { Started } from "../task/start.ts"
import { toInstant } from "../time.ts"
import { approvalOnWire } from "./approval-schema.ts"
import { requesterOf } from "./approvals.ts"
import type { Caller } from "./caller.ts"
import { type Endpoint, guarded, json, jsonBody, optionalJsonBody } from "./endpoint.ts"
import type { Rooms } from "./rooms.ts"
import {
  ChangeAnswer,
  ChangeBody,
  ListAnswer,
  ListQuery,
  RenewAnswer,
  RenewBody,
  ShowAnswer,
  StartAnswer,
  StartBody,
} from "./task-schema.ts"
import { judgeUser } from "./user.ts"

const CHANGES: readonly Change[] = ["pause", "resume", "complete", "fail", "cancel"]
const DEFAULT_LIMIT = 50

export const taskEndpoints = (rooms: Rooms): Endpoint[] => [
  start(rooms),
  list(rooms),
  show(rooms),
  renew(rooms),
  ...CHANGES.map((change) => changeTo(rooms, change)),
]

const start = (rooms: Rooms): Endpoint =>
  guarded({
    method: "post",
    path: "/tasks",
    summary: "Start a task, or with a known reference find it again",
    group: "tasks",
    who: ["orchestrator"],
    body: jsonBody(StartBody),
    answers: {
      201: { description: "Started", schema: StartAnswer },
      200: { description: "The task that this reference started", schema: StartAnswer },
    },
    async run({ body }, caller) {
      const { type, agent, purpose, inputs, reference, operations, resources, deliver } = body
      const asked = { type, agent, purpose, inputs, reference, operations, resources, deliver }
      const user =
        body.subject_token === undefined ? undefined : await judgeUser(rooms, type, body.subject_token)
      const started = await rooms.tasks.start(caller.clientId, { ...asked, dpopJkt: body.dpop_jkt, user })
      return started instanceof Refusal ? started : json(started.created ? 201 : 200, startedOnWire(started))
    },
  })

const list = ({ tasks }: Rooms): Endpoint =>
  guarded({
    method: "get",
    path: "/tasks",
    lane: "later",
    summary: "Tasks, newest first: an orchestrator's own, all of them for staff",
    group: "tasks",
    who: ["orchestrator", "auditor", "operator"],
    query: ListQuery,
    answers: { 200: { description: "A page of tasks", schema: ListAnswer } },
    async run({ query: { state, after, limit } }, caller) {
      const page = await tasks.list(viewerOf(caller), {
        limit: limit ?? DEFAULT_LIMIT,
        ...(state && { state }),
        ...(after !== undefined && { after }),
      })
      return json(200, { tasks: page.tasks.map(summaryOnWire), next: page.next })
    },
  })

const show = ({ tasks }: Rooms): Endpoint =>
  guarded({
    method: "get",
    path: "/tasks/{id}",
    lane: "later",
    summary: "One task: its state, grants, tokens (never their text) and timeline",
    group: "tasks",
    who: ["orchestrator", "auditor", "operator"],
    answers: { 200: { description: "The task", schema: ShowAnswer } },
    async run({ parameter }, caller) {
      const task = await tasks.show(viewerOf(caller), parameter("id"))
      return task instanceof Refusal ? task : json(200, viewOnWire(task))
    },
  })

const renew = ({ tasks, approvals }: Rooms): Endpoint =>
  guarded({
    method: "post",
    path: "/tasks/{id}/tokens",
    summary:
      "Fresh tokens for a running task, for its orchestrator or its agent, or the one that was approved; a new instance or key " +
      "ends the earlier ones",
    group: "tasks",
    who: ["orchestrator", "agent"],
    body: optionalJsonBody(RenewBody),
    answers: { 200: { description: "Tokens", schema: RenewAnswer } },
    async run({ body, parameter }, caller) {
      const { dpop_jkt: dpopJkt, resource, operations, instance, approval } = body
      if (approval !== undefined) {
        const collected = await approvals.collect(requesterOf(caller), parameter("id"), approval)
        return collected instanceof Refusal ? collected : json(200, tokensOnWire(collected.tokens))
      }
      const asked = {
        ...(resource !== undefined && { resource }),
        ...(operations && { operations }),
        ...(instance !== undefined && { instance }),
        ...(dpopJkt !== undefined && { dpopJkt }),
      }
      const renewed =
        caller.kind === "agent"
          ? await tasks.collect(caller.clientId, parameter("id"), {
              ...asked,
              provenJkt: caller.proofKey?.thumbprint,
            })
          : await tasks.renew(caller.clientId, parameter("id"), asked)
      return renewed instanceof Refusal ? renewed : json(200, tokensOnWire(renewed.tokens))
    },
  })

const changeTo = ({ tasks }: Rooms, change: Change): Endpoint =>
  guarded({
    method: "post",
    path: `/tasks/{id}/${change}`,
    summary: `Change a task's state: ${change}`,
    group: "tasks",
    who: ["orchestrator"],
    body: optionalJsonBody(ChangeBody),
    answers: { 200: { description: "The state, and after a resumption fresh tokens", schema: ChangeAnswer } },
    async run({ body: { reason }, parameter }, caller) {
      const changed = await tasks.change(caller.clientId, parameter("id"), change, reason)
      return changed instanceof Refusal ? changed : json(200, changedOnWire(changed))
    },
  })

const viewerOf = (caller: Caller) => ({ clientId: caller.clientId, staff: caller.kind === "staff" })

export const tokenOnWire = (token: MintedToken) => ({
  resource: token.resource,
  access_token: token.accessToken,
  token_type: token.tokenType,
  expires_in: token.expiresIn,
  renew_in: token.renewIn,
  scope: token.scope,
  authorization_details: token.authorizationDetails,
})

const tokensOnWire = (tokens: readonly MintedToken[]) => ({ tokens: tokens.map(tokenOnWire) })

const startedOnWire = (started: Started) => ({
  task_id: started.taskId,
  state: started.state,
  deadline: toInstant(started.deadline),
  tokens: started.tokens.map(tokenOnWire),
  approvals: started.approvals,
})

const changedOnWire = (changed: Changed) => ({
  task_id: changed.taskId,
  state: changed.state,
  ...(changed.tokens.length > 0 && { tokens: changed.tokens.map(tokenOnWire) }),
})

const summaryOnWire = (task: TaskSummary) => ({
  task_id: task.taskId,
  type: task.type,
  state: task.state,
  agent: task.agent,
  orchestrator: task.orchestrator,
  sub: task.sub,
  ...(task.reference !== undefined && { reference: task.reference }),
  started_at: toInstant(task.startedAt),
  deadline: toInstant(task.deadline),
  ...(task.endedAt !== undefined && { ended_at: toInstant(task.endedAt) }),
})

const viewOnWire = (task: TaskView) => ({
  ...summaryOnWire(task),
  policy: task.policy,
  grants: task.grants,
  lineage: task.lineage.map(({ id, parent, agent, startedAt, endedAt, grants }) => ({
    delegation_id: id,
    ...(parent !== undefined && { parent }),
    agent,
    started_at: toInstant(startedAt),
    ...(endedAt !== undefined && { ended_at: toInstant(endedAt) }),
    grants,
  })),
  approvable: task.approvable,
  approvals: task.approvals.map(approvalOnWire),
  tokens: task.tokens.map((token) => ({
    jti: token.jti,
    api: token.api,
    ...(token.delegation !== undefined && { delegation_id: token.delegation }),
    issued_at: toInstant(token.issuedAt),
    expires_at: toInstant(token.expiresAt),
    state: token.state,
  })),
  timeline: task.timeline,
})
