// What a candidate policy would have answered to a start of the ledger: decided once for all starts that ask alike. It says
// when that can't be told, because values are erased or because the ledger does not say who a user was.
import { Refusal } from "../errors.ts"
import type { Entry } from "../ledger/entry.ts"
import { type Decision, decide, type TaskRequest } from "../policy/decide.ts"
import type { Policy } from "../policy/policy.ts"
import { conditionOf } from "../policy/rights.ts"
import { operationsOf } from "../token/authority.ts"
import type { Judged } from "./replay-tally.ts"
import { userUnder } from "./replay-user.ts"

export interface Answering {
  readonly candidate: Policy
  readonly earlier?: readonly Policy[]
  /** Those that were given already. */
  readonly answers: Map<string, Answer>
}

/** What all starts that ask alike would get. */
export interface Answer {
  readonly decision: Decision | Refusal | undefined
  /** Why there is no decision. */
  readonly why: string
  /** Uses that were judged: by holders, API, operation and resource. */
  readonly uses: Map<string, Judged>
}

export function answerTo(
  state: Answering,
  entry: Entry,
  who: Pick<TaskRequest, "type" | "agent" | "orchestrator">,
): Answer {
  const { inputs, policy, user_rule: rule } = entry.body ?? {}
  const key = JSON.stringify([
    who.type,
    who.agent,
    who.orchestrator,
    rule,
    rule === undefined ? null : policy,
    inputs,
  ])
  const known = state.answers.get(key)
  if (known) return known
  const answer = { ...decideAgain(state, entry, who), uses: new Map() }
  state.answers.set(key, answer)
  return answer
}

function decideAgain(
  state: Answering,
  { body = {} }: Entry,
  who: Pick<TaskRequest, "type" | "agent" | "orchestrator">,
) {
  const { candidate, earlier = [] } = state
  const { inputs, policy, user_rule: rule } = body
  const untold = (why: string) => ({ decision: undefined, why })
  if (typeof inputs !== "object" || inputs === null || Array.isArray(inputs) || isErased(inputs))
    return untold("the inputs are erased")
  const request = { ...who, inputs: { ...inputs } }
  const type = candidate.tasks.get(who.type)
  if (type && [type, ...type.grants].some((one) => conditionOf(one).length > 0))
    return untold("a condition depends on the moment")
  // A start for a user always names the rule.
  if (typeof rule !== "string") return { decision: decide(candidate, request), why: "" }
  const was = [candidate, ...earlier].find((one) => one.digest === policy)
  if (!was) return untold("the policy that let the user in is not given")
  const user = userUnder(candidate, was, who.type, rule)
  return user
    ? { decision: decide(candidate, { ...request, user }), why: "" }
    : untold("whom the rules about users name has changed")
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

export const PERMITTED: Judged = { verdict: "permitted" }

export const operationsIn = (grants: unknown): string[] =>
  Array.isArray(grants)
    ? grants.flatMap(({ operations }) => (Array.isArray(operations) ? operations : []))
    : []
