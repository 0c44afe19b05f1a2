// Part of a task for a sub-agent: the agent's own token exchanged for the sub-agent's first one (RFC 8693). It decides
// nothing about rights: what a sub-agent may have, and for how long, is the issuer's decision.
import { ClientError } from "./error.ts"
import { type HandedToken, handOver, type TaskTokenHeld } from "./held-token.ts"
import { asRecord } from "./issuer-call.ts"
import { type Exchanging, exchangeToken } from "./own-token.ts"
import { readExchanged, readTokens } from "./token-answer.ts"

export interface DelegateRequest {
  /** Who will act: a name in the policy, and which running copy. */
  readonly agent: { readonly id: string; readonly instance: string }
  /** The API of its first token, a resource URL. Where it may renew, it gets the others by itself. */
  readonly resource: string
  /** RFC 7638 thumbprint of the sub-agent's key. Without one its tokens are refused where the delegator's are bound. */
  readonly dpopJkt?: string
  /** A part of what the delegator may. Default: all that the policy lets the sub-agent have. */
  readonly operations?: readonly string[]
}

/** Plain JSON for the sub-agent's process: `createSession({ ...delegated, key })`. */
export interface Delegated {
  readonly task: string
  readonly issuer: string
  /** The delegation: ending it ends the sub-agent's tokens and those of everybody below it. */
  readonly delegation: string
  readonly tokens: readonly HandedToken[]
}

/** Throws ClientError. */
export async function delegate(
  own: TaskTokenHeld,
  { agent, resource, dpopJkt, operations }: DelegateRequest,
  exchanging: Exchanging,
): Promise<Delegated> {
  const { asked, body } = await exchangeToken(own, exchanging, {
    resource,
    requested_actor: `${agent.id}/${agent.instance}`,
    ...(dpopJkt !== undefined && { dpop_jkt: dpopJkt }),
    ...(operations && { scope: operations.join(" ") }),
  })
  const { task_id: task, delegation_id: delegation, own_token } = asRecord(body)
  if (typeof task !== "string" || typeof delegation !== "string") throw misreadDelegation()
  const first = readExchanged(body, resource, asked)
  const more = own_token === undefined ? [] : readTokens([own_token], asked)
  return { task, issuer: exchanging.issuer, delegation, tokens: [first, ...more].map(handOver) }
}

const misreadDelegation = () =>
  new ClientError("The issuer's answer does not name the delegation", {
    code: "answer_invalid",
    next: "stop",
  })
