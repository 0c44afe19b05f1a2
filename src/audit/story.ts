// What the entries of one task tell beside the uses that passed: how it went, who held tokens of it, what was renewed,
// delegated, approved and refused, and who asked instead of checking. Pure: one entry after the other, in their order. What
// is personal goes into the account as it stands in the hashed bytes.
import type { Commitment } from "../ledger/commitment.ts"
import type { Kind } from "../ledger/event.ts"
import { createGroups, type Groups, MOST_GROUPS, type Span, spanAt } from "./groups.ts"
import type {
  ApprovalAccount,
  HashedEntry,
  HolderStory,
  Refused,
  Share,
  TaskFacts,
  TaskState,
} from "./told.ts"

type Counted<Key> = readonly (Key & { readonly count: number } & Span)[]

export interface Story {
  take(entry: HashedEntry): void
  /** Undefined before the start was told. */
  task(): TaskFacts | undefined
  /** Digests, in the order in which they decided. */
  policies(): readonly string[]
  refusals(): Counted<Refused>
  furtherRefusals(): number
  /** The first thousand, and how many were asked for beyond them. */
  approvals(): readonly ApprovalAccount[]
  furtherApprovals(): number
  /** The first thousand, and what is told of others. */
  holders(): readonly HolderStory[]
  furtherHolders(): Share
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
  furtherApprovals: number
  furtherHolders: Share
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
    furtherApprovals: 0,
    furtherHolders: { tokens: 0, refused: 0 },
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
    furtherApprovals: () => told.furtherApprovals,
    holders: () => [...told.holders.values()],
    furtherHolders: () => told.furtherHolders,
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

const NOBODY: HolderStory = { agent: "", instance: "", lineage: [], tokens: 0, refused: 0 }

function addToHolder(told: Telling, entry: HashedEntry, share: Share, lineage?: readonly string[]): void {
  const { agent = "", instance = "" } = entry
  const id = `${agent}/${instance}`
  const known = told.holders.get(id)
  const sum = (to: Share) => ({ tokens: to.tokens + share.tokens, refused: to.refused + share.refused })
  if (!known && told.holders.size >= MOST_GROUPS) {
    told.furtherHolders = sum(told.furtherHolders)
    return
  }
  const holder = known ?? { ...NOBODY, agent, instance }
  told.holders.set(id, { ...holder, ...sum(holder), ...(lineage && { lineage }) })
}

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
  addToHolder(
    told,
    entry,
    { tokens: 1, refused: 0 },
    Array.isArray(lineage) ? lineage.map(String) : undefined,
  )
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
  addToHolder(told, entry, { tokens: 0, refused: count })
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
  if (kind === "approval.requested" && told.approvals.size >= MOST_GROUPS) {
    told.furtherApprovals += 1
    return
  }
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
