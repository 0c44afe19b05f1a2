// Fresh tokens for a running task: a renewal, a first token for one more API, or the takeover by a restarted agent,
// whose new instance or key first ends the holder's earlier tokens.
import type { Step } from "../database/database.ts"
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import type { KeptUser, User } from "../policy/behalf.ts"
import { toEpochSeconds } from "../time.ts"
import type { Authority } from "../token/authority.ts"
import { type PlaceStatus, STATUS } from "../token/status-list.ts"
import { type Attempt, type Refusing, settleDecision } from "./commit.ts"
import { endDelegationsOfTask } from "./delegation-statements.ts"
import { type Holder, type MintRequest, type Passed, passGate } from "./gate.ts"
import { leaveUnsigned, type MintedToken, type MintFor, planMint, signTokens } from "./mint.ts"
import { nextFloor, type Parts } from "./parts.ts"
import {
  endTokensOfTask,
  feedTask,
  GENERATION,
  keepTask,
  noneAbove,
  renewableOf,
  type TaskRow,
  type TokenRow,
  taskById,
  tokensOfTask,
} from "./statements.ts"
import { tellOfTask } from "./status-statements.ts"
import { circumstancesOf } from "./usage.ts"
import { usedUp } from "./use-left.ts"

export interface RenewRequest {
  /** RFC 8707 URL of one API. Default: every API at which the task has had a token. */
  readonly resource?: string
  /** A subset for these tokens. */
  readonly operations?: readonly string[]
  readonly instance?: string
  readonly dpopJkt?: string
}

/** As the gate is asked again for a task, or for a holder below its own agent. */
export interface AgainRequest extends RenewRequest, Pick<MintRequest, "links" | "until" | "approved"> {
  /** Whether the agent's own token comes beside the one of `resource`. */
  readonly withOwn?: boolean
}

export interface Renewed {
  readonly tokens: readonly MintedToken[]
}

/** Renews for the task's own orchestrator; anybody else's task answers like a missing one. Refusals are recorded. */
export async function renewTask(
  parts: Parts,
  orchestrator: string,
  taskId: string,
  request: RenewRequest,
): Promise<Renewed | Refusal> {
  let task: TaskRow | undefined
  const decide = async () => {
    task = await ownTask(parts, orchestrator, taskId)
    if (!task) return refuse("not_found", "[task] no such task of this orchestrator")
    return planRenewal(parts, task, request)
  }
  return settleDecision<Renewed>(parts, decide, () => task && refusingOf("token.refused", task))
}

/** How a refusal about a task is told. */
export const refusingOf = (kind: "token.refused" | "task.refused", task: TaskRow): Refusing => ({
  facts: factsOf(kind, task),
  taskKey: task.key ?? "erased",
})

export async function ownTask(
  parts: Parts,
  orchestrator: string,
  taskId: string,
): Promise<TaskRow | undefined> {
  const [task] = await parts.engine.query(taskById, { task_id: taskId })
  return task?.orchestrator === orchestrator ? task : undefined
}

export const factsOf = <K extends string>(kind: K, task: TaskRow) => ({
  kind,
  task: task.task_id,
  agent: task.agent,
  instance: task.instance,
  orchestrator: task.orchestrator,
  sub: task.sub,
  ...(task.reference !== null && { reference: task.reference }),
})

export async function planRenewal(
  parts: Parts,
  task: TaskRow,
  request: RenewRequest,
  by: "orchestrator" | "agent" = "orchestrator",
): Promise<Attempt<Renewed> | Refusal> {
  const stopped = notActive(task)
  if (stopped) return (await usedUp(parts, task)) ?? stopped
  const instance = request.instance ?? task.instance
  const jkt = request.dpopJkt ?? (instance === task.instance ? task.jkt : null)
  if (task.jkt !== null && jkt === null)
    return refuse("key_required", "[key] a bound task is taken over with a key, never without")
  const takeover = instance !== task.instance || jkt !== task.jkt
  const all = await parts.engine.query(tokensOfTask, { task_id: task.task_id })
  const had = renewableOf(all)
  const first = had.length === 0
  const passed = await passAgain(
    parts,
    { ...task, instance, jkt },
    { ...request, withOwn: takeover || first },
  )
  if (passed instanceof Refused) return passed
  const allowed = mayRenew(parts.issuer, passed, request, had, takeover || renews(passed, by))
  if (allowed instanceof Refused) return allowed
  return mintAgain(parts, { ...task, instance, jkt }, allowed, {
    from: "active",
    ending: takeover ? "token_revoked" : undefined,
    first,
    latest: latestOf(all, toEpochSeconds(allowed.now)),
  })
}

/** The last `iat` of live tokens. */
const latestOf = (all: readonly TokenRow[], now: number): number =>
  all.reduce(
    (latest, { iat, exp, ended_at }) => (ended_at === null && exp > now ? Math.max(latest, iat) : latest),
    0,
  )

export function notActive(task: TaskRow): Refusal | undefined {
  if (task.state === "active") return undefined
  if (task.state === "paused") return refuse("task_paused", "[state] the task is paused")
  return refuse("task_ended", `[state] the task is ${task.state}`)
}

/** The gate for a task that was started before: its recorded authority is the ceiling, its deadline stays. */
export async function passAgain(
  parts: Parts,
  task: TaskRow,
  request: AgainRequest,
): Promise<Passed | Refusal> {
  const authority: Authority = JSON.parse(task.authority)
  const exhausted = await usedUp(parts, task)
  if (exhausted) return exhausted
  const circumstances = await circumstancesOf(parts, task)
  return passGate(parts, {
    now: parts.ledger.at(),
    holder: holderOf(task),
    inputs: JSON.parse(task.inputs ?? "{}"),
    circumstances,
    operations: request.operations,
    resources: request.resource === undefined ? undefined : [request.resource],
    withOwn: request.resource === undefined || request.withOwn === true,
    jkt: task.jkt ?? undefined,
    ceiling: authority,
    ...(request.links && { links: request.links }),
    ...(request.approved && { approved: request.approved }),
    deadline: task.deadline,
    until: request.until,
  })
}

/** The task's own agent. */
export const holderOf = ({ type, orchestrator, agent, instance, sub, behalf }: TaskRow): Holder => ({
  type,
  orchestrator,
  agent,
  instance,
  sub,
  user: behalf === null ? undefined : keptUser(sub, behalf),
})

/** Whether the task type lets this one have again what the task has had. */
function renews({ taskType }: Passed, by: "orchestrator" | "agent"): boolean {
  return by === "agent" ? taskType.renew === "agent" : taskType.renew !== "none"
}

/** As far as anything is kept of the user. */
function keptUser(sub: string, behalf: string): User {
  const kept: KeptUser = JSON.parse(behalf)
  return { ...kept, sub }
}

/** Where nothing is renewed, an API's first token may still be collected, and a restarted agent still gets going. */
function mayRenew(
  own: string,
  passed: Passed,
  request: RenewRequest,
  had: readonly TokenRow[],
  again: boolean,
): Passed | Refusal {
  const known = new Set(had.map((row) => row.api))
  const nameOf = (resource: string) =>
    [...passed.policy.apis.values()].find((api) => api.resource === resource)?.name ?? ""
  const hadOnly = request.resource === undefined && had.length > 0
  const wanted = hadOnly
    ? passed.wanted.filter((api) => known.has(nameOf(api)) || api === own)
    : passed.wanted
  const askable = passed.approvable.some(({ api }) => !hadOnly || known.has(nameOf(api)))
  if (wanted.length === 0 && askable)
    return refuse("approval_required", "[approval] a person has to agree first")
  if (wanted.length === 0) return refuse("access_denied", "[authority] nothing is left to renew")
  if (!again && wanted.some((api) => known.has(nameOf(api)) || (api === own && had.length > 0)))
    return refuse("renewal_not_allowed", "[renew] the task type is not renewed, or not by the agent")
  return { ...passed, wanted }
}

interface Again {
  /** The state that the task must still be in; it is active afterwards. */
  readonly from: "active" | "paused"
  /** Set when the holder's earlier tokens end first: what verifiers will call it. */
  readonly ending: "token_revoked" | undefined
  /** Epoch seconds: the last `iat` of what ends. By another issuer's clock it may be later than now. */
  readonly latest?: number
  /** Whether the holder had none before: of two first collections at once one finds that it is not the first. */
  readonly first?: boolean
  /** Default: token.renewed, or token.issued where it is the first. */
  readonly kind?: MintFor["kind"]
  /** Epoch seconds: from then on nothing is handed out any more that was decided before. */
  readonly before?: number
}

/** Tokens of a task that was started before, written with the guard that the task is still as it was read. */
export function mintAgain(
  parts: Parts,
  task: TaskRow,
  passed: Passed,
  again: Again,
  entry: readonly Step[] = [],
): Attempt<Renewed> | Refusal {
  if (!task.key) return refuse("task_ended", "[erased] the task's key was erased")
  const { ending, first = false, latest = 0 } = again
  const newFloor = ending || first ? Math.max(nextFloor(passed.now, task.iat_floor), latest) : task.iat_floor
  const plan = planMint(parts, passed, {
    taskId: task.task_id,
    taskKey: task.key,
    reference: task.reference,
    floor: newFloor,
    generation: ending ? GENERATION.start : GENERATION.later,
    kind: again.kind ?? (first ? "token.issued" : "token.renewed"),
  })
  if (plan instanceof Refused) return plan
  const values = {
    task_id: task.task_id,
    instance: task.instance,
    jkt: task.jkt,
    state: again.from,
    floor: task.iat_floor,
    new_floor: newFloor,
    now: passed.now,
    now_seconds: toEpochSeconds(passed.now),
  }
  return {
    steps: [
      ...passed.guards,
      ...parts.names.steps([task.instance, plan.kid]),
      { statement: keepTask, values, rows: 1 },
      // What is minted instead is above the floor that was decided on, so nothing that ends may be.
      ...(ending ? [{ statement: noneAbove, values, rows: 0 }] : []),
      ...(ending ? endingSteps(task.task_id, passed.now, ending) : []),
      // Those below were let in by who held before.
      ...(ending
        ? [{ statement: endDelegationsOfTask, values: { task_id: task.task_id, now: passed.now } }]
        : []),
      ...(again.from === "paused" ? [tellStatus(task.task_id, STATUS.invalid)] : []),
      ...entry,
      ...plan.steps,
    ],
    answer: async () => {
      if (again.before !== undefined && toEpochSeconds(parts.ledger.at()) >= again.before) {
        await leaveUnsigned(parts, task.task_id, plan.tokens)
        return refuse("subject_token_expired", "[expired] while the mint was written")
      }
      const tokens = await signTokens(parts, task.task_id, plan.tokens, passed.now)
      return tokens instanceof Refused ? tokens : { tokens }
    },
  }
}

/** Ends the live tokens of a task and tells the verifiers; the task's floor, moved before, is the last `iat` that ends. */
export function endingSteps(
  taskId: string,
  now: number,
  code: "token_revoked" | "task_paused" | "task_ended",
): Step[] {
  const seconds = toEpochSeconds(now)
  return [
    { statement: feedTask, values: { task_id: taskId, code, now_seconds: seconds } },
    { statement: endTokensOfTask, values: { task_id: taskId, now, now_seconds: seconds } },
    tellStatus(taskId, code === "task_paused" ? STATUS.suspended : STATUS.invalid),
  ]
}

/** What status lists tell of all that the task was given so far. */
const tellStatus = (taskId: string, status: PlaceStatus["status"]): Step => ({
  statement: tellOfTask,
  values: { task_id: taskId, status },
})
