// What a candidate policy would have answered to a mint of the ledger, as of then: decided once for all that ask alike, and
// anew for each where a condition may see another moment. It says when that can't be told: values are erased, entries were
// not read, or the ledger does not say who a user was.
import { Refusal } from "../errors.ts"
import type { Entry } from "../ledger/entry.ts"
import { asksUsage, type Circumstances } from "../policy/conditioned.ts"
import { type Decision, decide, type TaskRequest } from "../policy/decide.ts"
import type { Policy, TaskType } from "../policy/policy.ts"
import { conditionOf } from "../policy/rights.ts"
import { type Authority, operationsOf } from "../token/authority.ts"
import { matchesResource } from "../token/resource.ts"
import type { Judged } from "./replay-tally.ts"
import type { UsageSeen } from "./replay-usage.ts"
import { userUnder } from "./replay-user.ts"

export interface Answering {
  readonly candidate: Policy
  readonly earlier?: readonly Policy[]
  /** What agents had done before the entry that is read now. */
  readonly usage: UsageSeen
  /** Those that were given already. */
  readonly answers: Map<string, Answer>
}

/** What all mints that ask alike would get. */
export interface Answer {
  readonly decision: Decision | Refusal | undefined
  /** Why there is no decision. */
  readonly why: string
  /** Uses that were judged: by holders, API, operation and resource. */
  readonly uses: Map<string, Judged>
}

type Who = Pick<TaskRequest, "type" | "agent" | "orchestrator">

/** When it was minted, and to which instance of the task's own agent. */
export interface Moment {
  readonly at: string
  readonly instance?: string | undefined
}

/** Whether what the candidate says of a task may be another thing at each of its mints. */
export const asksAnew = (type: TaskType | undefined): boolean =>
  type !== undefined && [type, ...type.grants].some((one) => conditionOf(one).length > 0)

/** By the entry of a task's start; at another moment, of a later mint of the task. */
export function answerTo(state: Answering, start: Entry, who: Who, moment: Moment = start): Answer {
  const { inputs, policy, user_rule: rule } = start.body ?? {}
  const key = JSON.stringify([
    who.type,
    who.agent,
    who.orchestrator,
    rule,
    rule === undefined ? null : policy,
    inputs,
  ])
  const anew = asksAnew(state.candidate.tasks.get(who.type))
  const known = anew ? undefined : state.answers.get(key)
  if (known) return known
  const answered = decideAgain(state, start, who, moment)
  const full = anew ? key + outcomeOf(answered) : key
  const answer = state.answers.get(full) ?? { ...answered, uses: new Map() }
  state.answers.set(full, answer)
  return answer
}

type Answered = Omit<Answer, "uses">

/** Of answers to one request: alike where they are the same. */
function outcomeOf({ decision, why }: Answered): string {
  if (!decision) return why
  if (decision instanceof Refusal) return `${decision.code}: ${decision.reason}`
  return JSON.stringify([decision.authority, decision.approvable].map((one) => one.map(({ rule }) => rule)))
}

const untold = (why: string): Answered => ({ decision: undefined, why })

function decideAgain(state: Answering, start: Entry, who: Who, moment: Moment): Answered {
  const { candidate } = state
  const { inputs } = start.body ?? {}
  if (typeof inputs !== "object" || inputs === null || Array.isArray(inputs) || isErased(inputs))
    return untold("the inputs are erased")
  const user = userOf(state, start, who)
  if (typeof user === "string") return untold(user)
  const seen = circumstancesAt(state, start, who, moment)
  if (typeof seen === "string") return untold(seen)
  const [answered = untold("nothing was seen"), ...others] = seen.map((circumstances): Answered => {
    const decision = decide(candidate, { ...who, inputs: { ...inputs }, user, circumstances })
    return { decision, why: "" }
  })
  return others.every((other) => outcomeOf(other) === outcomeOf(answered))
    ? answered
    : untold("it depends on entries that were on their way just then")
}

/** Whom the task runs for, as the candidate would see them; undefined: nobody. Why, where that can't be told. */
function userOf({ candidate, earlier = [] }: Answering, start: Entry, who: Who) {
  const { policy, user_rule: rule } = start.body ?? {}
  // A start for a user always names the rule.
  if (typeof rule !== "string") return undefined
  const was = [candidate, ...earlier].find((one) => one.digest === policy)
  if (!was) return "the policy that let the user in is not given"
  const user = userUnder(candidate, was, who.type, rule)
  if (!user) return "whom the rules about users name has changed"
  return { ...user, ...(typeof start.sub === "string" && { sub: start.sub }) }
}

/** What conditions were told then: once where it is certain, the least and the most where it is not. Why, where it can't be told. */
function circumstancesAt(
  { candidate, usage }: Answering,
  { sub, reference, body = {} }: Entry,
  who: Who,
  { at, instance }: Moment,
): readonly Circumstances[] | string {
  const type = candidate.tasks.get(who.type)
  if (!type || !asksAnew(type)) return [{}]
  const { purpose } = body
  if (typeof purpose !== "string" || typeof (reference ?? "") !== "string" || typeof sub === "object")
    return "what conditions ask of the task is erased"
  const now = Date.parse(at)
  const told = { now, instance, purpose, ...(typeof reference === "string" && { reference }) }
  if (!asksUsage(type)) return [told]
  const seen = usage.at(who.agent, now)
  return seen
    ? seen.map((one) => ({ ...told, usage: one }))
    : "not all entries of the hour before were read, and a condition asks for them"
}

/** `{"hmac": ...}` is what erasing leaves. */
const isErased = (value: object): boolean => Object.keys(value).join() === "hmac"

export function judgeStart({ decision, why }: Answer, given: readonly string[]): Judged {
  if (!decision) return { verdict: "cannot_tell", why }
  if (decision instanceof Refusal) return { verdict: "refused", why: `${decision.code}: ${decision.reason}` }
  const has = new Set(operationsOf([...decision.authority, ...decision.approvable]))
  return judgeGiven(given, has)
}

/** Whether what was given then would be given whole. */
export function judgeGiven(given: readonly string[], has: ReadonlySet<string>): Judged {
  const lost = [...new Set(given)].filter((operation) => !has.has(operation))
  return lost.length === 0 ? PERMITTED : { verdict: "less", why: `without ${lost.sort().join(", ")}` }
}

interface Used {
  readonly api: string
  readonly operation: string
  readonly resource: Entry["resource"] | undefined
}

/** Whether a holder of this authority would have been let through. */
export function judgeWithin(candidate: Policy, has: Authority, use: Used): Judged {
  const audience = candidate.apis.get(use.api)?.resource
  const grants = has.filter((grant) => grant.api === audience && grant.operations.includes(use.operation))
  if (grants.length === 0)
    return { verdict: "refused", why: "insufficient_scope: the operation would not be granted" }
  if (typeof use.resource !== "string") return { verdict: "cannot_tell", why: "the resource is erased" }
  const segments = use.resource.split("/")
  const fits = grants.some((grant) => grant.resources.some((one) => matchesResource(one, segments)))
  return fits
    ? PERMITTED
    : { verdict: "refused", why: "insufficient_scope: the resource would not be granted" }
}

const PERMITTED: Judged = { verdict: "permitted" }

export const operationsIn = (grants: unknown): string[] =>
  Array.isArray(grants)
    ? grants.flatMap(({ operations }) => (Array.isArray(operations) ? operations : []))
    : []
