// What a candidate policy would have said to what happened: every start, delegation and use of a ledger, one entry after the
// other, in memory that grows with the tasks and their mints and not with their uses. It decides by policy/decide.ts, once for
// all that ask alike. A use is judged as of its task's start and, where a condition may have seen another moment, as of the
// mint of its token. NOT looked at: limits, locks, who may renew, tokens' lifetimes and callers' authentication.
import { Refusal } from "../errors.ts"
import type { Entry } from "../ledger/entry.ts"
import { MOST_USER_SECONDS } from "../policy/behalf.ts"
import { authorityBelow } from "../policy/delegate.ts"
import type { Policy } from "../policy/policy.ts"
import { type Authority, operationsOf } from "../token/authority.ts"
import {
  type Answer,
  answerTo,
  asksAnew,
  judgeGiven,
  judgeStart,
  judgeWithin,
  operationsIn,
} from "./replay-start.ts"
import {
  type Counts,
  createTally,
  type Hit,
  type Judged,
  type Tally,
  type What,
  worstOf,
} from "./replay-tally.ts"
import { createUsageSeen, type UsageSeen } from "./replay-usage.ts"

export interface ReplayOptions {
  readonly candidate: Policy
  /** Policies that decided then: what tells that the rules about users are the same. */
  readonly earlier?: readonly Policy[]
  /** RFC 3339, UTC; what was before is read, so that tasks are known, and not counted. */
  readonly from: string
}

export interface Replay {
  /** The next entry of the ledger, in its order. */
  take(entry: Entry): void
  report(): ReplayReport
}

export interface ReplayReport {
  readonly starts: Counts
  readonly delegations: Counts
  readonly uses: Counts
  readonly hits: readonly Hit[]
  /** Of the window: how many entries were read, and the places of the first and the last. */
  readonly entries: number
  readonly first: number | null
  readonly last: number | null
}

interface Task {
  readonly type: string
  readonly orchestrator: string
  readonly agent: string
  readonly answer: Answer
  /** Its start, where the candidate is asked anew at each mint. */
  readonly asked: Entry | undefined
  /** Of its own agent, by the latest mint. */
  instance: string | undefined
  /** Epoch milliseconds; a use after it is past the candidate's deadline. */
  readonly until: number
  /** Of the start, once a token of it tells whether there was a key. */
  start: { readonly judged: Judged; readonly at: string } | undefined
  bound: boolean
}

/** A token that is not simply the task's own agent's, or whose mint may be answered otherwise than the start. */
interface Token {
  readonly lineage: readonly string[]
  readonly approved: boolean
  readonly answer?: Answer
}

interface State extends ReplayOptions {
  readonly tally: Tally
  readonly answers: Map<string, Answer>
  readonly usage: UsageSeen
  readonly tasks: Map<string, Task>
  readonly tokens: Map<string, Token>
  /** Agents by the ids of their delegations. */
  readonly delegated: Map<string, string>
}

export function createReplay(options: ReplayOptions): Replay {
  const state: State = {
    ...options,
    tally: createTally(),
    answers: new Map(),
    usage: createUsageSeen(),
    tasks: new Map(),
    tokens: new Map(),
    delegated: new Map(),
  }
  const read = { entries: 0, first: null as number | null, last: null as number | null }
  return {
    take(entry) {
      const counts = entry.at >= options.from
      if (counts) {
        read.entries += 1
        read.first ??= entry.seq
        read.last = entry.seq
      }
      state.usage.take(entry)
      TAKERS[entry.kind]?.(state, entry, counts)
    },
    report() {
      for (const task of state.tasks.values()) countStart(state, task)
      const { tally } = state
      const [starts, delegations, uses] = (["starts", "delegations", "uses"] as const).map(tally.counts)
      if (!starts || !delegations || !uses) throw new Error("a count is missing")
      return { starts, delegations, uses, hits: tally.hits(), ...read }
    },
  }
}

const TAKERS: Readonly<
  Partial<Record<Entry["kind"], (state: State, entry: Entry, counts: boolean) => void>>
> = {
  "task.started": takeStart,
  "token.issued": takeToken,
  "token.renewed": takeToken,
  "token.delegated": takeDelegation,
  "use.allowed": takeUse,
}

function takeStart(state: State, entry: Entry, counts: boolean): void {
  const { task_id: id = "", agent = "", orchestrator = "", instance, at, body = {} } = entry
  const type = String(body.type)
  const answer = answerTo(state, entry, { type, agent, orchestrator })
  const judged = judgeStart(answer, operationsIn(body.grants).concat(operationsIn(body.approvals)))
  const longest = state.candidate.tasks.get(type)?.deadlineSeconds ?? 0
  const seconds = body.user_rule === undefined ? longest : Math.min(longest, MOST_USER_SECONDS)
  const until = Date.parse(at) + seconds * 1000
  const start = counts ? { judged, at } : undefined
  const asked = asksAnew(state.candidate.tasks.get(type)) ? entry : undefined
  state.tasks.set(id, { type, orchestrator, agent, instance, answer, asked, until, start, bound: true })
}

/** A start is counted when it is known whether it had a key, or when nothing more comes. */
function countStart(state: State, task: Task): void {
  if (!task.start) return
  const { judged, at } = task.start
  task.start = undefined
  const told = judged.verdict === "refused" || task.bound ? judged : KEY_REQUIRED
  state.tally.count("starts", told, { ...aboutTask(task), at })
}

const KEY_REQUIRED: Judged = {
  verdict: "refused",
  why: "key_required: it had no key, and proof of possession is required",
}
const aboutTask = ({ type, orchestrator, agent }: Task) => ({ type, orchestrator, agent })

function takeToken(state: State, entry: Entry): void {
  const { task_id: id = "", jti = "", body = {} } = entry
  const task = state.tasks.get(id)
  const lineage = Array.isArray(body.lineage) ? body.lineage.map(String) : []
  const approved = body.approval !== undefined
  if (task && lineage.length === 0) task.instance = entry.instance
  const answer = task?.asked && answerAt(state, task, task.asked, entry)
  if (lineage.length > 0 || approved || answer)
    state.tokens.set(jti, { lineage, approved, ...(answer && { answer }) })
  if (!task) return
  const needsKey = state.candidate.tasks.get(task.type)?.proofOfPossession === "required"
  if (needsKey && body.jkt === undefined && lineage.length === 0) task.bound = false
  countStart(state, task)
}

/** At a mint of the task; those of its start are in the start's transaction. */
const answerAt = (state: State, task: Task, start: Entry, { at }: Entry): Answer =>
  at === start.at ? task.answer : answerTo(state, start, task, { at, instance: task.instance })

function takeDelegation(state: State, entry: Entry, counts: boolean): void {
  const { task_id: id = "", agent = "", at, body = {} } = entry
  takeToken(state, entry)
  const lineage = Array.isArray(body.lineage) ? body.lineage.map(String) : []
  const delegation = lineage.at(-1) ?? ""
  if (state.delegated.has(delegation)) return
  state.delegated.set(delegation, agent)
  const task = state.tasks.get(id)
  if (!counts) return
  const about = { ...(task ? aboutTask(task) : UNKNOWN), agent, at }
  state.tally.count("delegations", judgeDelegation(state, entry, task, lineage), about)
}

const UNKNOWN = { type: "", orchestrator: "" }
const BEFORE: Judged = { verdict: "cannot_tell", why: "the task began before what was read" }

function judgeDelegation(
  state: State,
  entry: Entry,
  task: Task | undefined,
  lineage: readonly string[],
): Judged {
  if (!task) return BEFORE
  const given = operationsIn(entry.body?.grants)
  const judged = answersTo(task, state.tokens.get(entry.jti ?? "") ?? OWN).map((answer) => {
    if (isJudged(answer)) return answer
    const has = authorityAt(state, task, answer, { lineage, approved: true })
    return isJudged(has) ? has : judgeGiven(given, new Set(operationsOf(has)))
  })
  return worstOf(judged)
}

const UNREAD: Judged = { verdict: "cannot_tell", why: "the mint of its token was not read" }

/** What the candidate would have answered to the start, and to the mint of the token. */
function answersTo({ answer, asked }: Task, token: Token): readonly (Answer | Judged)[] {
  if (!asked) return [answer]
  return token.answer === answer ? [answer] : [answer, token.answer ?? UNREAD]
}

const isJudged = (value: Judged | Authority | Answer): value is Judged => "verdict" in value

/** What a holder would have; a judgement where that is nothing at all, or can't be told. */
function authorityAt(
  { candidate, delegated }: State,
  task: Task,
  { decision, why }: Answer,
  { lineage, approved }: Token,
): Authority | Judged {
  if (!decision) return { verdict: "cannot_tell", why }
  if (decision instanceof Refusal) return { verdict: "refused", why: `${decision.code}: ${decision.reason}` }
  const started = approved ? [...decision.authority, ...decision.approvable] : decision.authority
  const chain = lineage.map((id) => delegated.get(id))
  const agents = chain.flatMap((agent) => (agent === undefined ? [] : [{ agent }]))
  if (agents.length < chain.length)
    return { verdict: "cannot_tell", why: "a delegation above began before what was read" }
  const below = authorityBelow(candidate, decision.taskType, task.agent, started, agents)
  return below instanceof Refusal ? { verdict: "refused", why: `${below.code}: ${below.reason}` } : below
}

function takeUse(state: State, entry: Entry, counts: boolean): void {
  if (!counts) return
  const { task_id: id = "", agent = "", operation = "", at } = entry
  const task = state.tasks.get(id)
  const about = {
    ...(task ? aboutTask(task) : { ...UNKNOWN, orchestrator: entry.orchestrator ?? "" }),
    agent,
    operation,
    at,
  }
  state.tally.count("uses", task ? judgeUse(state, task, entry) : BEFORE, about)
}

function judgeUse(state: State, task: Task, entry: Entry): Judged {
  if (!task.bound) return KEY_REQUIRED
  const { jti = "", body = {} } = entry
  const served = typeof body.served_at === "string" ? body.served_at : entry.at
  if (Date.parse(served) >= task.until && task.answer.decision && !(task.answer.decision instanceof Refusal))
    return { verdict: "refused", why: "task_ended: the deadline would have passed" }
  const token = state.tokens.get(jti) ?? OWN
  return worstOf(
    answersTo(task, token).map((answer) =>
      isJudged(answer) ? answer : judgeBy(state, task, answer, token, entry),
    ),
  )
}

const OWN: Token = { lineage: [], approved: false }

/** Uses that are alike are judged once. */
function judgeBy(state: State, task: Task, answer: Answer, token: Token, entry: Entry): Judged {
  const { api = "", operation = "", resource } = entry
  const key = `${token.approved} ${token.lineage.map((one) => state.delegated.get(one)).join(">")} ${api} ${operation} ${JSON.stringify(resource)}`
  const known = answer.uses.get(key)
  if (known) return known
  const has = authorityAt(state, task, answer, token)
  const judged = isJudged(has) ? has : judgeWithin(state.candidate, has, { api, operation, resource })
  answer.uses.set(key, judged)
  return judged
}

/** Everything that was refused or can't be told, of one kind or of all. */
export const countOf = (report: ReplayReport, verdict: "refused" | "cannot_tell"): number =>
  (["starts", "delegations", "uses"] as const).reduce((sum, what: What) => sum + report[what][verdict], 0)
