// The front door of approvals, for callers that were authenticated elsewhere.
import type { Code, Refusal } from "../errors.ts"
import { type ApprovalRequest, type Asked, type Requester, requestApproval } from "./approval.ts"
import { type Claim, claimOnce } from "./approval-claim.ts"
import { collectApproved } from "./approval-collect.ts"
import { type Decided, type Decider, decideOnApproval } from "./approval-decide.ts"
import { expireApprovals } from "./approval-expire.ts"
import { type Asking, findAsking } from "./approval-holder.ts"
import {
  type Approval,
  type ApprovalFilter,
  type ApprovalPage,
  type ApprovalViewer,
  listApprovals,
  showApproval,
} from "./approval-view.ts"
import type { Once } from "./commit.ts"
import { assembleParts, type TaskOptions } from "./parts.ts"
import type { Renewed } from "./renew.ts"
import type { Bringer } from "./subject.ts"

export interface Approvals {
  /** Asks, or answers the same question that is open already. Refusals are in the ledger before they are answered. */
  request(requester: Requester, request: ApprovalRequest): Promise<Asked | Refusal>
  show(viewer: ApprovalViewer, id: string): Promise<Approval | Refusal>
  list(viewer: ApprovalViewer, filter: ApprovalFilter): Promise<ApprovalPage>
  decide(decider: Decider, id: string, decision: Decided, reason?: string): Promise<Approval | Refusal>
  /** The token of a granted one; `once` is spent with it. */
  collect(requester: Requester, taskId: string, id: string, once?: Once): Promise<Renewed | Refusal>
  /** Who asks with an agent's own token, and for which task. */
  asking(ownToken: string, by: Bringer): Promise<Asking | Refusal>
  /** Gives a token's one use away, to a verifier of that API; answers why not. */
  claim(api: string, claim: Claim): Promise<Code | undefined>
  /** Records what has expired; call it every second or so. */
  sweep(): Promise<number>
}

/** NOT checked here: who the caller is, how lately a person signed in, and the shape of the wire; all are the issuer's. */
export function createApprovals(options: TaskOptions): Approvals {
  const parts = assembleParts(options)
  return {
    request: (requester, request) => requestApproval(parts, requester, request),
    show: (viewer, id) => showApproval(parts, viewer, id),
    list: (viewer, filter) => listApprovals(parts, viewer, filter),
    decide: (decider, id, decision, reason) => decideOnApproval(parts, decider, id, decision, reason),
    collect: (requester, taskId, id, once) => collectApproved(parts, requester, { taskId, id }, once),
    asking: (ownToken, by) => findAsking(parts, ownToken, by),
    claim: (api, claim) => claimOnce(parts, api, claim),
    sweep: () => expireApprovals(parts),
  }
}
