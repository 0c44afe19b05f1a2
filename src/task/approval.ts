// Approvals: questions of a task to people. It decides who may ask what, once; who decides is approval-decide.ts's, and a
// granted one is collected as a token of its own (approval-collect.ts). Every change is one transaction with its entry.
import type { Step } from "../database/database.ts"
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import { newId } from "../token/id.ts"
import { type CanonicalParameters, canonicalParameters, NO_PARAMETERS } from "../token/parameters.ts"
import { formatResource } from "../token/resource.ts"
import { type Chain, chainTo, factsFor, refusingFor } from "./approval-chain.ts"
import { type ApprovalRow, approvalsOfTask, insertApproval } from "./approval-statements.ts"
import { type Approval, deciderMark, findApproval, viewApproval } from "./approval-view.ts"
import { approvableFor } from "./approved.ts"
import { type Attempt, type Settled, settleDecision } from "./commit.ts"
import type { Passed } from "./gate.ts"
import { apiOf, type Parts } from "./parts.ts"
import { notActive, passAgain } from "./renew.ts"
import { type TaskRow, taskById } from "./statements.ts"
import { usedUp } from "./use-left.ts"

/** Who asks for a task: its orchestrator, or one of its holders. */
export interface Requester {
  /** As entries and approvers see it: the orchestrator's name, or `agent/instance`. */
  readonly nameFor: (task: TaskRow) => string
  readonly mayAskFor: (task: TaskRow) => boolean
  /** The delegation that asks; absent: for the agent of the task itself. */
  readonly delegation?: string
  /** Who holds that delegation. */
  readonly holder?: { readonly agent: string; readonly instance: string }
  /** The key that an agent proved as it authenticated: binds what it collects where the task is bound to none. */
  readonly provenJkt?: string | undefined
}

export const asOrchestrator = (name: string): Requester => ({
  nameFor: () => name,
  mayAskFor: (task) => task.orchestrator === name,
})

/** The task's own agent, authenticated by itself: as in every collection its name says which tasks are its own. */
export const asAgent = (agent: string, provenJkt: string | undefined): Requester => ({
  nameFor: (task) => `${agent}/${task.instance}`,
  mayAskFor: (task) => task.agent === agent,
  provenJkt,
})

export interface ApprovalRequest {
  readonly taskId: string
  readonly operation: string
  /** Segments; all of them data. */
  readonly resource: readonly string[]
  readonly reason: string
  /** JSON; undefined: none. */
  readonly parameters?: unknown
}

export interface Asked {
  /** False: the same question was open already. */
  readonly created: boolean
  readonly approval: Approval
}

/** Open questions of one task: more than a person wants to read. */
const MOST_OPEN = 20

export async function requestApproval(
  parts: Parts,
  requester: Requester,
  request: ApprovalRequest,
): Promise<Asked | Refusal> {
  let task: TaskRow | undefined
  const parameters = canonicalParameters(request.parameters)
  if (!parameters)
    return refuse("invalid_request", "[parameters] too large", {
      errors: [{ pointer: "/parameters", expected: "JSON of at most 8 KiB" }],
    })
  const decide = async () => {
    const [found] = await parts.engine.query(taskById, { task_id: request.taskId })
    task = found && requester.mayAskFor(found) ? found : undefined
    if (!task) return refuse("not_found", "[task] no such task of this requester")
    return planRequest(parts, requester, task, { ...request, parameters })
  }
  return settleDecision<Asked>(
    parts,
    decide,
    () => task && refusingFor("task.refused", task, requester.holder),
  )
}

type Question = Omit<ApprovalRequest, "parameters"> & { readonly parameters: CanonicalParameters }

async function planRequest(
  parts: Parts,
  requester: Requester,
  task: TaskRow,
  question: Question,
): Promise<Attempt<Asked> | Settled<Asked> | Refusal> {
  const stopped = notActive(task)
  if (stopped) return (await usedUp(parts, task)) ?? stopped
  const chain = await chainTo(parts, task, requester.delegation)
  if (chain instanceof Refused) return chain
  const passed = await passAgain(parts, { ...task, jkt: chain.jkt }, { links: chain.links })
  if (passed instanceof Refused) return passed
  const grant = approvableFor(passed.approvable, question.operation, question.resource)
  if (!grant)
    return refuse("operation_not_allowed", "[approval] nobody could open this for the task", {
      errors: [{ pointer: "/operation", expected: "an operation on a resource that needs an approval" }],
    })
  const rows = await parts.engine.query(approvalsOfTask, { task_id: task.task_id, now: passed.now })
  const open = rows.filter(({ state }) => state === "requested" || state === "granted")
  const same = open.find((row) => isSame(row, requester, question))
  if (same) return { settled: { created: false, approval: viewApproval(same) } }
  if (open.length >= MOST_OPEN)
    return refuse("limit_reached", "[limit] open approvals of the task", { retryAfterSeconds: 60 })
  const id = newId("apr", passed.now)
  const api = apiOf(passed.policy, grant.api)?.name ?? ""
  return {
    steps: requestSteps(
      parts,
      { id, api, by: grant.approval.by },
      { requester, task, question, passed, chain },
    ),
    answer: async () => {
      const approval = await findApproval(parts, id)
      return approval
        ? { created: true, approval: viewApproval(approval) }
        : refuse("not_found", "[approval]")
    },
  }
}

const isSame = (row: ApprovalRow, requester: Requester, question: Question): boolean =>
  row.operation === question.operation &&
  row.resource === formatResource(question.resource) &&
  row.digest === question.parameters.digest &&
  row.delegation === (requester.delegation ?? null)

function requestSteps(
  parts: Parts,
  { id, api, by }: { readonly id: string; readonly api: string; readonly by: readonly string[] },
  of: {
    readonly requester: Requester
    readonly task: TaskRow
    readonly question: Question
    readonly passed: Passed
    readonly chain: Chain
  },
): Step[] {
  const { requester, task, question, passed, chain } = of
  const { operation, parameters, reason } = question
  const resource = formatResource(question.resource)
  const requestedBy = requester.nameFor(task)
  const values = {
    approval_id: id,
    task_id: task.task_id,
    api,
    operation,
    resource,
    parameters: parameters.digest === NO_PARAMETERS.digest ? null : parameters.text,
    digest: parameters.digest,
    reason,
    requested_by: requestedBy,
    deciders: by.map(deciderMark).join(""),
    delegation: requester.delegation ?? null,
    now: passed.now,
    expires_at: task.deadline,
    most: MOST_OPEN,
  }
  const body = {
    approval: id,
    by: [...by],
    requested_by: requestedBy,
    reason,
    parameters: JSON.parse(parameters.text),
  }
  return [
    ...passed.guards,
    ...chain.guards,
    ...parts.names.steps([api, operation, requestedBy]),
    { statement: insertApproval, values, rows: 1 },
    ...parts.ledger.steps(
      {
        ...factsFor("approval.requested", task, requester.holder),
        at: passed.now,
        api,
        operation,
        resource,
        body,
      },
      task.key ?? "erased",
    ),
  ]
}
