// What the entries of one task tell beside the uses that passed: how it went, who held tokens of it, what was renewed,
// delegated, approved and refused, and who asked instead of checking. Pure: one entry after the other, in their order. What
// is personal goes into the account as it stands in the hashed bytes.
import type { Commitment } from "../ledger/commitment.ts"
import type { Json, Kind } from "../ledger/event.ts"
import { createGroups, type Groups, type Span, spanAt } from "./groups.ts"

/** An entry as it is hashed: personal members are commitments. */
export interface HashedEntry {
  readonly at: string
  readonly kind: Kind
  readonly agent?: string
  readonly instance?: string
  readonly orchestrator?: string
  readonly api?: string
  readonly operation?: string
  readonly code?: string
  readonly sub?: Commitment
  readonly resource?: Commitment
  readonly reference?: Commitment
  readonly body?: { readonly [member: string]: Json }
}

export type TaskState = "active" | "paused" | "completed" | "failed" | "canceled" | "expired" | "revoked"

/** Times in RFC 3339. */
export interface TaskFacts {
  readonly type: string
  readonly state: TaskState
  readonly agent: string
  readonly instance: string
  readonly orchestrator: string
  readonly sub?: Commitment
  readonly purpose?: Commitment
  readonly reference?: Commitment
  readonly started_at: string
  readonly deadline: number
  readonly ended_at?: string
}

export interface Refused {
  /** Who refused: the API's verifier, or the issuer. */
  readonly by: "api" | "issuer"
  readonly api?: string
  readonly operation?: string
  readonly code: string
  /** Of the issuer's: its reason. */
  readonly why?: string
}

export interface ApprovalAccount {
  readonly approval: string
  readonly api: string
  readonly operation: string
  readonly resource?: Commitment
  readonly requested_by: string
  readonly requested_at: string
  readonly reason?: Commitment
  readonly decision: "requested" | "granted" | "denied" | "expired"
  /** The person, and as which name of staff. */
  readonly by?: string
  readonly as?: string
  readonly decided_at?: string
  readonly decision_reason?: Commitment
  /** Tokens that were collected of it. */
  readonly collected: number
}

export interface HolderStory {
  readonly agent: string
  readonly instance: string
  /** Of a sub-agent: every delegation that it held, outermost first, the last its own. */
  readonly lineage: readonly string[]
  readonly tokens: number
  readonly refused: number
}

type Counted<Key> = readonly (Key & { readonly count: number } & Span)[]

export interface Story {
  take(entry: HashedEntry): void
  /** Undefined before the start was told. */
  task(): TaskFacts | undefined
  /** Digests, in the order in which they decided. */
  policies(): readonly string[]
  refusals(): Counted<Refused>
  furtherRefusals(): number
  approvals(): readonly ApprovalAccount[]
  holders(): readonly HolderStory[]
  renewals(): Counted<{ readonly agent: string; readonly instance: string; readonly api?: string }>
  introspections(): Counted<{ readonly api: string }>
  /** APIs that tokens were minted for. */
  apis(): readonly string[]
  /** Tokens that were authorised and never left. */
  unsigned(): number
}

const ENDS: Readonly<Partial<Record<Kind, TaskState>>> = {
  "task.completed": "completed",
  "task.failed": "failed",
  "task.canceled": "canceled",
  "task.expired": "expired",
  "task.revoked": "revoked",
}

interface Telling {
  task: TaskFacts | undefined
  unsigned: number
  readonly policies: Set<string>
  readonly apis: Set<string>
  readonly approvals: Map<string, ApprovalAccount>
  readonly holders: Map<string, HolderStory>
  readonly refusals: Groups<Refused>
  readonly renewals: Groups<{ readonly agent: string; readonly instance: string; readonly api?: string }>
  readonly introspections: Groups<{ readonly api: string }>
}

export function createStory(): Story {
  const told: Telling = {
    task: undefined,
    unsigned: 0,
    policies: new Set(),
    apis: new Set(),
    approvals: new Map(),
    holders: new Map(),
    refusals: createGroups(),
    renewals: createGroups(),
    introspections: createGroups(),
  }
  return {
    take: (entry) => takeEntry(told, entry),
    task: () => told.task,
    policies: () => [...told.policies],
    refusals: told.refusals.all,
    furtherRefusals: told.refusals.further,
    approvals: () => [...told.approvals.values()],
    holders: () => [...told.holders.values()],
    renewals: told.renewals.all,
    introspections: told.introspections.all,
    apis: () => [...told.apis].sort(),
    unsigned: () => told.unsigned,
  }
}

function takeEntry(told: Telling, entry: HashedEntry): void {
  const { kind, api } = entry
  if (kind === "task.started") takeStart(told, entry)
  else if (kind === "token.issued" || kind === "token.renewed" || kind === "token.delegated")
    takeToken(told, entry)
  else if (kind === "use.refused" || kind === "token.refused" || kind === "task.refused")
    takeRefusal(told, entry)
  else if (kind.startsWith("approval.")) takeApproval(told, entry)
  else if (kind === "token.introspected" && api !== undefined)
    told.introspections.add({ api }, 1, spanAt(entry.at))
  else if (kind === "token.unsigned") told.unsigned += 1
  else if (kind.startsWith("task.")) takeChange(told, entry)
}

const textIn = ({ body }: HashedEntry, name: string): string | undefined => {
  const value = body?.[name]
  return typeof value === "string" ? value : undefined
}

const commitmentIn = ({ body }: HashedEntry, name: string): Commitment | undefined => {
  const value = body?.[name]
  const isOne = typeof value === "object" && value !== null && "hmac" in value
  return isOne && typeof value.hmac === "string" ? { hmac: value.hmac } : undefined
}

const numberIn = ({ body }: HashedEntry, name: string): number | undefined => {
  const value = body?.[name]
  return typeof value === "number" ? value : undefined
}

function takeStart(told: Telling, entry: HashedEntry): void {
  const { agent = "", instance = "", orchestrator = "", sub, reference, at } = entry
  const purpose = commitmentIn(entry, "purpose")
  const policy = textIn(entry, "policy")
  if (policy !== undefined) told.policies.add(policy)
  told.task = {
    type: textIn(entry, "type") ?? "",
    state: "active",
    agent,
    instance,
    orchestrator,
    ...(sub && { sub }),
    ...(purpose && { purpose }),
    ...(reference && { reference }),
    started_at: at,
    deadline: numberIn(entry, "deadline") ?? 0,
  }
}

function takeChange(told: Telling, { kind, at }: HashedEntry): void {
  const { task } = told
  if (!task) return
  const end = ENDS[kind]
  if (end) told.task = { ...task, state: end, ended_at: at }
  else if (kind === "task.paused") told.task = { ...task, state: "paused" }
  else if (kind === "task.resumed") told.task = { ...task, state: "active" }
}

function holderIn({ holders }: Telling, { agent = "", instance = "" }: HashedEntry): HolderStory {
  return holders.get(`${agent}/${instance}`) ?? { agent, instance, lineage: [], tokens: 0, refused: 0 }
}

const putHolder = ({ holders }: Telling, holder: HolderStory): void =>
  void holders.set(`${holder.agent}/${holder.instance}`, holder)

function takeToken(told: Telling, entry: HashedEntry): void {
  const { kind, at, agent = "", instance = "", api } = entry
  const policy = textIn(entry, "policy")
  const approval = textIn(entry, "approval")
  const lineage = entry.body?.lineage
  if (policy !== undefined) told.policies.add(policy)
  if (api !== undefined) told.apis.add(api)
  const asked = approval === undefined ? undefined : told.approvals.get(approval)
  if (asked) told.approvals.set(asked.approval, { ...asked, collected: asked.collected + 1 })
  if (kind === "token.renewed")
    told.renewals.add({ agent, instance, ...(api !== undefined && { api }) }, 1, spanAt(at))
  const holder = holderIn(told, entry)
  const above = Array.isArray(lineage) ? lineage.map(String) : holder.lineage
  putHolder(told, { ...holder, lineage: above, tokens: holder.tokens + 1 })
}

/** One entry of a verifier can stand for many refusals. */
function takeRefusal(told: Telling, entry: HashedEntry): void {
  const { kind, at, api, operation, code = "" } = entry
  const count = kind === "use.refused" ? (numberIn(entry, "count") ?? 1) : 1
  const why = kind === "use.refused" ? undefined : textIn(entry, "why")
  const key: Refused = {
    by: kind === "use.refused" ? "api" : "issuer",
    ...(api !== undefined && { api }),
    ...(operation !== undefined && { operation }),
    code,
    ...(why !== undefined && { why }),
  }
  told.refusals.add(key, count, spanAt(at))
  const holder = holderIn(told, entry)
  putHolder(told, { ...holder, refused: holder.refused + count })
}

const DECISIONS = {
  "approval.granted": "granted",
  "approval.denied": "denied",
  "approval.expired": "expired",
} as const

function takeApproval(told: Telling, entry: HashedEntry): void {
  const { kind, at, api = "", operation = "", resource } = entry
  const approval = textIn(entry, "approval") ?? ""
  const reason = commitmentIn(entry, "reason")
  if (kind === "approval.requested") {
    const requested_by = textIn(entry, "requested_by") ?? ""
    const asked = { approval, api, operation, ...(resource && { resource }), requested_by, requested_at: at }
    told.approvals.set(approval, {
      ...asked,
      ...(reason && { reason }),
      decision: "requested",
      collected: 0,
    })
    return
  }
  const asked = told.approvals.get(approval)
  if (!asked || !(kind === "approval.granted" || kind === "approval.denied" || kind === "approval.expired"))
    return
  const by = textIn(entry, "by")
  const as = textIn(entry, "as")
  told.approvals.set(approval, {
    ...asked,
    decision: DECISIONS[kind],
    ...(by !== undefined && { by }),
    ...(as !== undefined && { as }),
    decided_at: at,
    ...(reason && { decision_reason: reason }),
  })
}
