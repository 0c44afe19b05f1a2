// The one gate, passed by every mint: start, renewal, resumption, narrowing, delegation. It decides what the holder may get
// as of now, by the policy in force, never more than the task was started with nor than each holder above has, and names
// the guards that must still hold when the mint is written. It writes nothing and signs nothing.
import type { Step } from "../database/database.ts"
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import { type KeptUser, keepUser, MOST_USER_SECONDS, type User } from "../policy/behalf.ts"
import type { Circumstances } from "../policy/conditioned.ts"
import { type ApprovableGrant, type Decision, decide, isApprovable } from "../policy/decide.ts"
import { authorityBelow, type Delegated, mayDelegateBelow } from "../policy/delegate.ts"
import type { Policy, TaskType } from "../policy/policy.ts"
import { toEpochSeconds } from "../time.ts"
import { type Authority, apisOf, intersect, narrow } from "../token/authority.ts"
import type { Holder as Actor } from "../token/name.ts"
import type { OwnScope } from "../token/own-token.ts"
import { type Approved, approvedGrant } from "./approved.ts"
import { type Narrowed, narrowed, operationsBeyond, partOf } from "./narrowed.ts"
import { apiOf, type Parts } from "./parts.ts"
import { noLock } from "./statements.ts"

/** Of the task's own agent: the outermost holder of every chain. */
export interface Holder {
  readonly type: string
  readonly orchestrator: string
  readonly agent: string
  readonly instance: string
  /** The principal: the orchestrator, or the user that the task runs for. */
  readonly sub: string
  /** Whom `sub` names, where that is a user: without it a user's task is refused. */
  readonly user?: User | undefined
}

/** A delegation on the way from the task to who holds. */
export interface Link extends Delegated {
  readonly delegationId: string
  readonly instance: string
}

/** What deciding takes of a process. */
export interface GateParts extends Pick<Parts, "mayMint" | "issuer"> {
  readonly policies: Pick<Parts["policies"], "inForce" | "guard">
}

export interface MintRequest {
  readonly now: number
  readonly holder: Holder
  /** Outermost first; absent: the task's own agent holds. */
  readonly links?: readonly Link[]
  readonly inputs: Readonly<Record<string, unknown>>
  /** What conditions are told beside who holds and when; without it those that ask refuse. */
  readonly circumstances?: Circumstances
  readonly operations?: readonly string[] | undefined
  /** A part of the holder's own authority; more is refused whole. */
  readonly narrowing?: Narrowed | undefined
  /** RFC 8707 URLs of the APIs whose tokens are wanted, the issuer's for the agent's own; absent: all there are. */
  readonly resources?: readonly string[] | undefined
  /** To a sub-agent: what it may ask a person for is a part of what it is given, and may be named in the narrowing. */
  readonly delegating?: boolean
  /** Whether the agent's own token comes beside the `resources`, where there is one. */
  readonly withOwn?: boolean
  /** Of the holder's key. */
  readonly jkt?: string | undefined
  /** The agent brings its key when it collects the tokens: nothing is minted now. */
  readonly keyLater?: boolean
  /** What the task was started with, approvable grants too: no later mint gets more. Absent at the start. */
  readonly ceiling?: Authority
  /** What the holder has is no more than this. */
  readonly within?: Authority | undefined
  /** Set: a mint of what a person approved, and of nothing else. */
  readonly approved?: Approved
  /** Of the task, epoch milliseconds. Absent at the start. */
  readonly deadline?: number
  /** Epoch seconds: no token lives longer. */
  readonly until?: number | undefined
}

export interface Passed {
  readonly now: number
  readonly holder: Holder
  readonly links: readonly Link[]
  readonly jkt: string | undefined
  readonly policy: Policy
  readonly taskType: TaskType
  readonly inputs: ReadonlyMap<string, string>
  readonly authority: Authority
  /** What may be asked a person for. */
  readonly approvable: readonly ApprovableGrant[]
  /** What the holder may do with a token of its own; empty: it gets none. */
  readonly own: readonly OwnScope[]
  /** The APIs of which tokens are minted now; the issuer, for the agent's own. */
  readonly wanted: readonly string[]
  readonly deadline: number
  /** Epoch seconds, or Infinity: no token lives longer. */
  readonly until: number
  /** Of a task for a user: what later mints are decided by. */
  readonly behalf: KeptUser | undefined
  /** Steps that go before the writing ones: what was decided on still holds. */
  readonly guards: readonly Step[]
}

/** Passed, or why not. The order is fixed: clock and ledger, policy, chain, key, deadline; locks are guards of the write. */
export function passGate(parts: GateParts, request: MintRequest): Passed | Refusal {
  const unready = parts.mayMint()
  if (unready) return unready
  const policy = parts.policies.inForce()
  const { holder, links = [] } = request
  const { user } = holder
  if ((user?.sub ?? holder.orchestrator) !== holder.sub)
    return refuse("access_denied", "[user] nothing is known of the user that the task runs for")
  const decision = decide(policy, {
    type: holder.type,
    orchestrator: holder.orchestrator,
    agent: holder.agent,
    user,
    inputs: request.inputs,
    operations: request.operations,
    resources: request.resources,
    own: parts.issuer,
    circumstances: { ...request.circumstances, now: request.now, instance: holder.instance },
  })
  if (decision instanceof Refused) return decision
  const askable = approvableOf(policy, decision, request)
  const approvable = request.delegating ? partOf(askable, request.narrowing) : askable
  const authority = authorityOf(policy, decision, request, { askable, approvable })
  if (authority instanceof Refused) return authority
  const own = ownScopeOf(decision.taskType, links.length, request.jkt, approvable)
  const wanted = wantedOf(parts, request, decision.apis, { authority, own, approvable })
  if (wanted instanceof Refused) return wanted
  if (decision.taskType.proofOfPossession === "required" && request.jkt === undefined && !request.keyLater)
    return refuse("key_required", "[key] the task type requires proof of possession")
  const deadline = request.deadline ?? request.now + deadlineSecondsOf(decision.taskType, user) * 1000
  if (deadline <= request.now) return refuse("task_ended", "[deadline] the task is past its deadline")
  return {
    now: request.now,
    holder,
    links,
    jkt: request.jkt,
    policy,
    taskType: decision.taskType,
    inputs: decision.inputs,
    authority,
    approvable,
    own,
    wanted,
    deadline,
    until: endOf(request),
    behalf: user && decision.userRule && keepUser(user, decision.userRule),
    guards: guardsOf(parts, policy, request, [...authority, ...approvable]),
  }
}

/** What is minted of an approval ends with it. */
const endOf = ({ until = Infinity, approved }: MintRequest): number =>
  approved ? Math.min(until, toEpochSeconds(approved.until)) : until

/** What the last holder of the chain has as of now, or the part of it that was asked for. */
function authorityOf(
  policy: Policy,
  decision: Decision,
  request: MintRequest,
  { askable, approvable }: Record<"askable" | "approvable", readonly ApprovableGrant[]>,
): Authority | Refusal {
  const { ceiling, holder, links = [], within, narrowing, operations, approved, delegating = false } = request
  if (approved) {
    const granted = approvedGrant(policy, approvable, approved)
    return granted instanceof Refused ? granted : [granted]
  }
  const free = ceiling?.filter((grant) => !isApprovable(grant))
  const started = free ? intersect(free, decision.authority) : decision.authority
  const below = authorityBelow(policy, decision.taskType, holder.agent, started, links.map(freely))
  if (below instanceof Refused) return below
  const held = within ? narrow(below, { grants: within }) : below
  const beyond = ceiling && operationsBeyond([...held, ...askable], operations)
  if (beyond) return beyond
  const authority = narrowing ? narrowed(held, narrowing, delegating ? askable : []) : held
  const asks = approvable.length > 0 && (narrowing === undefined || delegating)
  if (authority instanceof Refused || authority.length > 0 || asks) return authority
  return refuse("access_denied", "[authority] nothing is left that the holder may do")
}

/** What a link was given without a person. */
const freely = ({ authority, ...link }: Link): Delegated => ({
  ...link,
  authority: authority?.filter((grant) => !isApprovable(grant)),
})

/**
 * What the last holder of the chain may ask a person for: within what was approvable or granted at the start, and to each
 * link, for who could do it then may be asked about now.
 */
function approvableOf(
  policy: Policy,
  { approvable, taskType }: Decision,
  { ceiling, holder, links = [], within, delegating }: MintRequest,
): readonly ApprovableGrant[] {
  const started = ceiling ? intersect(ceiling, approvable) : approvable
  const below = authorityBelow(policy, taskType, holder.agent, started, links)
  if (below instanceof Refused) return []
  return delegating && within ? narrow(below, { grants: within }) : below
}

/** Without a key there is no token of the agent's own, whatever policy lets it do. */
function ownScopeOf(
  type: TaskType,
  depth: number,
  jkt: string | undefined,
  approvable: readonly ApprovableGrant[],
): readonly OwnScope[] {
  if (jkt === undefined) return []
  const scopes: OwnScope[] = []
  if (type.renew === "agent") scopes.push("task:renew")
  if (mayDelegateBelow(type, depth)) scopes.push("task:delegate")
  if (approvable.length > 0) scopes.push("task:ask")
  return scopes
}

function wantedOf(
  parts: GateParts,
  { resources, withOwn = resources === undefined, approved, ceiling }: MintRequest,
  asked: readonly string[],
  has: Pick<Passed, "authority" | "own" | "approvable">,
): readonly string[] | Refusal {
  const { authority, own, approvable } = has
  if (approved) return apisOf(authority)
  const named = resources?.includes(parts.issuer) ?? false
  if (named && own.length === 0) return refuse("api_not_allowed", "[own] this holder has no token of its own")
  const apis = resources?.every((one) => one === parts.issuer)
    ? []
    : asked.filter((api) => authority.some((grant) => grant.api === api))
  const askable = resources ? approvable.filter(({ api }) => resources.includes(api)) : approvable
  if (apis.length === 0 && resources && ceiling && !named && askable.length > 0)
    return refuse("approval_required", "[approval] a person has to agree first")
  if (apis.length === 0 && !named && askable.length === 0)
    return refuse("access_denied", "[authority] nothing is left that the holder may do there")
  return own.length > 0 && (named || withOwn) ? [...apis, parts.issuer] : apis
}

const deadlineSecondsOf = ({ deadlineSeconds }: TaskType, user: User | undefined): number =>
  user ? Math.min(deadlineSeconds, MOST_USER_SECONDS) : deadlineSeconds

function guardsOf(parts: GateParts, policy: Policy, request: MintRequest, authority: Authority): Step[] {
  const { now, holder } = request
  const apis = apisOf(authority).map((resource) => apiOf(policy, resource)?.name ?? "")
  const names = {
    now,
    agent: holder.agent,
    instance: `${holder.agent}/${holder.instance}`,
    orchestrator: holder.orchestrator,
    sub: holder.sub,
  }
  const below = (request.links ?? []).map(({ agent, instance }) => ({
    ...names,
    agent,
    instance: `${agent}/${instance}`,
    api: apis[0] ?? "",
  }))
  const named = [...apis.map((api) => ({ ...names, api })), ...below]
  return [parts.policies.guard(policy), ...named.map((values) => ({ statement: noLock, values, rows: 0 }))]
}

/** Seconds a token minted now may live: the policy's lifetime, or what is left of the task or of what stands above. */
export const lifetimeOf = ({ taskType, deadline, until }: Passed, iat: number): number =>
  Math.min(taskType.tokenLifetimeSeconds, toEpochSeconds(deadline) - iat, until - iat)

/** Who gets the token: the holder first, then those above it, innermost first. */
export const actorsOf = ({ holder, links }: Pick<Passed, "holder" | "links">): readonly Actor[] =>
  [holder, ...links].map(({ agent, instance }) => ({ agent, instance })).reverse()
