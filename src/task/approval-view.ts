// An approval as it may be shown, to whom, and how the names of those who decide rest in its row. What the viewer may not
// see answers like what is not there.
import { type Refusal, refuse } from "../errors.ts"
import {
  type ApprovalPageRow,
  type ApprovalRow,
  approvalById,
  approvalsOverWith,
  approvalsPage,
  approvalsWaiting,
} from "./approval-statements.ts"
import type { Parts } from "./parts.ts"

export interface Approval {
  readonly approvalId: string
  readonly taskId: string
  readonly type: string
  readonly agent: { readonly id: string; readonly instance: string }
  readonly orchestrator: string
  readonly sub: string
  readonly purpose: string | undefined
  readonly api: string
  readonly operation: string
  readonly resource: string
  /** JSON text as it was bound; undefined: there are none, or they were erased. */
  readonly parameters: string | undefined
  readonly reason: string | undefined
  /** The delegation that it is for; undefined: the task's own agent. */
  readonly delegation: string | undefined
  readonly requestedBy: string
  readonly requestedAt: number
  /** Names of staff of whom one person decides. */
  readonly by: readonly string[]
  /** `collected`: a token for one use was answered, or its time is over. */
  readonly state: ApprovalRow["state"]
  /** Epoch milliseconds. Undecided: it waits until then. Granted: it is collected until then. */
  readonly expiresAt: number
  readonly decidedBy: string | undefined
  readonly decidedAt: number | undefined
}

/** Names hold no spaces, so one stands in no other. */
export const deciderMark = (name: string): string => ` ${name} `

export const isDecider = ({ deciders }: ApprovalRow, name: string): boolean =>
  deciders.includes(deciderMark(name))

export const viewApproval = (row: ApprovalRow): Approval => ({
  approvalId: row.approval_id,
  taskId: row.task_id,
  type: row.type,
  agent: { id: row.agent, instance: row.instance },
  orchestrator: row.orchestrator,
  sub: row.sub,
  purpose: row.purpose ?? undefined,
  api: row.api,
  operation: row.operation,
  resource: row.resource,
  parameters: row.parameters ?? undefined,
  reason: row.reason ?? undefined,
  delegation: row.delegation ?? undefined,
  requestedBy: row.requested_by,
  requestedAt: row.requested_at,
  by: row.deciders.split(" ").filter((name) => name !== ""),
  state: row.state,
  expiresAt: row.expires_at,
  decidedBy: row.decided_by ?? undefined,
  decidedAt: row.decided_at ?? undefined,
})

/** Who looks: an agent at those of its task, a sub-agent at its own, an orchestrator at its own, approvers at those that they decide, other staff at all. */
export interface ApprovalViewer {
  readonly task?: string
  readonly delegation?: string | undefined
  /** Authenticated by itself: the agent of the task. */
  readonly agent?: string
  readonly orchestrator?: string
  /** Names of staff: a person may be several. */
  readonly deciders?: readonly string[]
}

export interface ApprovalFilter {
  /** `decided`: all that wait for nobody any more. */
  readonly state?: ApprovalRow["state"] | "decided" | undefined
  /** An approval id: the page starts with the next older one. */
  readonly after?: string | undefined
  readonly limit: number
}

export interface ApprovalPage {
  /** Newest first. */
  readonly approvals: readonly Approval[]
  readonly next: string | null
}

export async function findApproval(parts: Parts, id: string): Promise<ApprovalRow | undefined> {
  const [row] = await parts.engine.query(approvalById, { approval_id: id, now: parts.ledger.at() })
  return row
}

export async function showApproval(
  parts: Parts,
  viewer: ApprovalViewer,
  id: string,
): Promise<Approval | Refusal> {
  const row = await findApproval(parts, id)
  const seen =
    row &&
    (viewer.task === undefined || row.task_id === viewer.task) &&
    (viewer.delegation === undefined || row.delegation === viewer.delegation) &&
    (viewer.agent === undefined || row.agent === viewer.agent) &&
    (viewer.orchestrator === undefined || row.orchestrator === viewer.orchestrator) &&
    (viewer.deciders === undefined || viewer.deciders.some((name) => isDecider(row, name)))
  return seen ? viewApproval(row) : refuse("not_found", "[approval] no such approval for this viewer")
}

export async function listApprovals(
  parts: Parts,
  viewer: ApprovalViewer,
  filter: ApprovalFilter,
): Promise<ApprovalPage> {
  const { deciders } = viewer
  const marks = deciders === undefined ? [""] : deciders.map(deciderMark)
  const found = await Promise.all(marks.map((decider) => pageOf(parts, { ...viewer, decider }, filter)))
  const rows = new Map(found.flat().map((row) => [row.place, row]))
  const newest = [...rows.values()].sort((one, other) => other.place - one.place)
  const approvals = newest.slice(0, filter.limit).map(viewApproval)
  return { approvals, next: newest.length > filter.limit ? (approvals.at(-1)?.approvalId ?? null) : null }
}

/** One more than a page has, of those that one name decides; every one where it is empty. */
function pageOf(
  { engine, ledger }: Parts,
  { orchestrator = "", decider }: { readonly orchestrator?: string; readonly decider: string },
  { state, after = "", limit }: ApprovalFilter,
): Promise<ApprovalPageRow[]> {
  const values = { now: ledger.at(), orchestrator, decider, after, limit: limit + 1 }
  if (state === "requested") return engine.query(approvalsWaiting, values)
  if (state === "decided") return engine.query(approvalsOverWith, values)
  return engine.query(approvalsPage, { ...values, state: state ?? "" })
}
