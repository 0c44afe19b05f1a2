// Ending tokens before their time, and locks: standing orders that nothing more is minted for a name. It decides what
// each kind covers; the verifiers learn of it through the feed. The tokens end and the lock stands in one transaction;
// the tasks below follow at once, and by the sweep if the process dies in between.
import { type Step, Unexpected } from "../database/database.ts"
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import type { Event } from "../ledger/event.ts"
import { toEpochSeconds } from "../time.ts"
import { newId } from "../token/id.ts"
import type { RevocationItem, RevocationKind } from "../token/revocation.ts"
import { commitDecision } from "./commit.ts"
import { endDelegationsUnder } from "./delegation-statements.ts"
import { endIfOpen, endSteps, isOpen } from "./finish.ts"
import { commitKeyOrder, KEY_REVOKED_SECONDS } from "./key-order.ts"
import { assembleParts, type Parts, type TaskOptions } from "./parts.ts"
import { idleIn } from "./revocation-idle.ts"
import {
  appliedBy,
  endCovered,
  expiredLocks,
  feedAfter,
  feedCovered,
  feedHead,
  insertRevocation,
  itemOf,
  liftLock,
  markLifted,
  openTasksUnder,
  type RevocationRow,
  revocationById,
  revocationsPage,
  setLock,
  standingLocks,
} from "./revocation-statements.ts"
import { LOCKS, type Revocation, view } from "./revocation-view.ts"
import { taskById } from "./statements.ts"
import { RUN_OUT_GRACE_SECONDS } from "./status-places.ts"
import { tellCovered } from "./status-statements.ts"

/** And with each, all that stand below it. */
const ENDS_DELEGATIONS: ReadonlySet<string> = new Set(["delegation", "agent", "instance"])
const ENDS_TASKS: ReadonlySet<string> = new Set([...LOCKS, "task"])

export interface RevokeRequest {
  readonly kind: RevocationKind
  /** `jti`, task id, `agent/instance`, or the name; for an API its name in the policy. */
  readonly value: string
  readonly reason: string
  /** Of a lock: epoch milliseconds, to come, at which it lifts by itself. */
  readonly until?: number
}

export interface Revocations {
  revoke(by: string, request: RevokeRequest): Promise<Revocation | Refusal>
  show(id: string): Promise<Revocation | Refusal>
  /** Locks that stand, newest first; without who has applied them. */
  locks(): Promise<readonly Revocation[]>
  /** All there were, newest first. */
  page(filter: RevocationFilter): Promise<RevocationPage>
  lift(by: string, id: string): Promise<Revocation | Refusal>
  /** What ends live tokens of one API (by its name), after a cursor. */
  feed(
    api: string,
    after: number,
    limit: number,
  ): Promise<{ readonly items: readonly RevocationItem[]; readonly cursor: number }>
  /** Lifts locks whose time is over; the first time also ends tasks that a dead process left open under a lock. */
  sweep(): Promise<void>
}

export interface RevocationFilter {
  /** A revocation's id: the page starts with the next older one. */
  readonly after?: string | undefined
  readonly limit: number
}

export interface RevocationPage {
  readonly revocations: readonly Revocation[]
  readonly next: string | null
}

/** Above every id. */
const ABOVE_ALL = "rev_g"

export function createRevocations(options: TaskOptions): Revocations {
  const parts = assembleParts(options)
  let finished = false
  return {
    revoke: (by, request) => revoke(parts, by, request),
    show: (id) => show(parts, id),
    locks: async () =>
      (await parts.engine.query(standingLocks, { now: parts.ledger.at() })).map((row) => view(row, [])),
    page: (filter) => pageOf(parts, filter),
    lift: (by, id) => lift(parts, by, id),
    feed: (api, after, limit) => feed(parts, api, after, limit),
    sweep: async () => {
      await liftExpired(parts)
      if (!finished) await finishLocks(parts)
      finished = true
    },
  }
}

async function revoke(parts: Parts, by: string, request: RevokeRequest): Promise<Revocation | Refusal> {
  const at = parts.ledger.at()
  const idle = idleIn(request, LOCKS.has(request.kind), at)
  if (idle) return refuse("invalid_request", "[order] would do nothing", { errors: [idle] })
  const fedValue =
    request.kind === "api" ? parts.policies.inForce().apis.get(request.value)?.resource : request.value
  if (fedValue === undefined)
    return refuse("invalid_request", "[api] unknown API", {
      errors: [{ pointer: "/value", expected: "the name of an API in the policy" }],
    })
  const id = newId("rev", at)
  // Whoever has a key dates tokens as they like.
  const lasting = request.kind === "key" ? KEY_REVOKED_SECONDS : 0
  const values = {
    ...subjectsOf(request),
    id,
    at,
    now_seconds: toEpochSeconds(at),
    before: toEpochSeconds(at) + lasting,
    until: request.until ?? null,
    reason: request.reason,
    set_by: by,
    fed_value: fedValue,
  }
  const order: Step[] = [
    { statement: insertRevocation, values, rows: 1 },
    ...(request.kind === "key" ? [] : [{ statement: feedCovered, values }]),
    { statement: tellCovered, values },
    { statement: endCovered, values },
    ...(ENDS_DELEGATIONS.has(request.kind) ? [{ statement: endDelegationsUnder, values }] : []),
    ...(LOCKS.has(request.kind) ? [{ statement: setLock, values, rows: 1 }] : []),
    ...entriesOf(parts, by, id, at, request),
  ]
  const refused =
    request.kind === "key"
      ? await commitKeyOrder(parts, { by, id, kid: request.value, before: values.before }, order)
      : await commitOrder(parts, request, order)
  if (refused) return refused
  if (ENDS_TASKS.has(request.kind)) await endTasksUnder(parts, request, request.reason)
  return show(parts, id)
}

/** A lock keeps what it names from minting behind the order; a task, which has none, ends in the order's transaction. */
async function commitOrder(
  parts: Parts,
  { kind, value, reason }: RevokeRequest,
  order: readonly Step[],
): Promise<void> {
  if (kind !== "task") return parts.engine.atomically(order)
  const whole = await commitDecision<true>(parts, async () => {
    const [task] = await parts.engine.query(taskById, { task_id: value })
    const ending = task && isOpen(task) ? endSteps(parts, task, "revoked", { reason }) : []
    return { steps: [...order, ...ending], answer: () => true }
  })
  // A task that kept changing: the order goes first, its end follows at once.
  if (whole instanceof Refused) await parts.engine.atomically(order)
}

/** An instance is named `agent/instance`; the statements compare the two apart. */
function subjectsOf(of: { readonly kind: string; readonly value: string }) {
  const [agent = "", instance = ""] = of.kind === "instance" ? of.value.split("/") : []
  return { kind: of.kind, value: of.value, agent, instance }
}

function entriesOf(parts: Parts, by: string, id: string, at: number, request: RevokeRequest): Step[] {
  const named = nameMembers(request)
  const { kind, value, reason } = request
  const body = { revocation: id, of: kind, by, reason, ...(kind === "delegation" && { delegation: value }) }
  const events: Event[] = [{ kind: "token.revoked", at, ...named, body }]
  if (LOCKS.has(request.kind))
    events.push({ kind: "lock.set", at, ...named, body: { ...body, until: request.until ?? null } })
  return events.flatMap((event) => parts.ledger.steps(event))
}

/** The entry names what was revoked in the member that filters look at; a subject is personal and goes nowhere else. */
function nameMembers(of: { readonly kind: string; readonly value: string }): Partial<Event> {
  const [agent, instance] = of.value.split("/")
  switch (of.kind) {
    case "token":
      return { jti: of.value }
    case "task":
      return { task: of.value }
    case "agent":
      return { agent: of.value }
    case "instance":
      return { ...(agent !== undefined && { agent }), ...(instance !== undefined && { instance }) }
    case "orchestrator":
      return { orchestrator: of.value }
    case "subject":
      return { sub: of.value }
    case "api":
      return { api: of.value }
    default:
      return {}
  }
}

const AT_ONCE = 200
async function endTasksUnder(
  parts: Parts,
  of: { readonly kind: string; readonly value: string },
  reason: string,
) {
  const values = { ...subjectsOf(of), limit: AT_ONCE }
  const end = async ({ task_id }: { readonly task_id: string }) => {
    const [task] = await parts.engine.query(taskById, { task_id })
    if (task && isOpen(task)) await endIfOpen(parts, task, "revoked", reason)
  }
  for (;;) {
    const found = await parts.engine.query(openTasksUnder, values)
    if (found.length === 0) return
    await Promise.all(found.map(end))
  }
}

async function show(parts: Parts, id: string): Promise<Revocation | Refusal> {
  const [row] = await parts.engine.query(revocationById, { id })
  if (!row) return refuse("not_found", "[revocation] no such revocation")
  return view(row, await parts.engine.query(appliedBy, { id }))
}

async function pageOf(parts: Parts, { after = ABOVE_ALL, limit }: RevocationFilter): Promise<RevocationPage> {
  const rows = await parts.engine.query(revocationsPage, { before: after, limit: limit + 1 })
  const shown = rows.slice(0, limit)
  const seen = shown.map(async (row) => view(row, await parts.engine.query(appliedBy, { id: row.id })))
  return {
    revocations: await Promise.all(seen),
    next: rows.length > limit ? (shown.at(-1)?.id ?? null) : null,
  }
}

/** A lock set within this second can't be lifted yet: what is minted next would share its second and be dead at once. */
async function lift(parts: Parts, by: string, id: string): Promise<Revocation | Refusal> {
  const [row] = await parts.engine.query(revocationById, { id })
  if (!row || !LOCKS.has(row.kind)) return refuse("not_found", "[lock] no such lock")
  if (row.lifted_at !== null) return show(parts, id)
  if (toEpochSeconds(parts.ledger.at()) <= row.before)
    return refuse("task_conflict", "[lock] set within this second", { retryAfterSeconds: 1 })
  await liftNow(parts, by, row)
  return show(parts, id)
}

async function liftNow(parts: Parts, by: string, row: RevocationRow): Promise<void> {
  const at = parts.ledger.at()
  const event: Event = {
    kind: "lock.lifted",
    at,
    ...nameMembers(row),
    body: { revocation: row.id, of: row.kind, by },
  }
  try {
    await parts.engine.atomically([
      { statement: markLifted, values: { id: row.id, at }, rows: 1 },
      { statement: liftLock, values: { id: row.id } },
      ...parts.ledger.steps(event),
    ])
  } catch (cause) {
    if (!(cause instanceof Unexpected)) throw cause
  }
}

/**
 * Bounds how many items one answer carries; the cursor is the head when nothing is left to tell. A cursor below the one
 * that was asked with says that this database is older than what the verifier has seen: it must not be raised.
 */
async function feed(parts: Parts, api: string, after: number, limit: number) {
  const since = toEpochSeconds(parts.ledger.at()) - RUN_OUT_GRACE_SECONDS
  const [head] = await parts.engine.query(feedHead, { api })
  const rows = await parts.engine.query(feedAfter, { api, after, since_seconds: since, limit })
  const items = rows.map(itemOf)
  const last = items.at(-1)?.cursor ?? 0
  return { items, cursor: items.length === limit ? last : Math.max(head?.cursor ?? 0, last) }
}

async function liftExpired(parts: Parts): Promise<void> {
  const now = parts.ledger.at()
  for (const row of await parts.engine.query(expiredLocks, { now })) await liftNow(parts, "time", row)
}

/** What a process that died between a lock and the tasks below it left undone. */
async function finishLocks(parts: Parts): Promise<void> {
  const now = parts.ledger.at()
  for (const row of await parts.engine.query(standingLocks, { now }))
    await endTasksUnder(parts, row, row.reason ?? "")
}
