// Token exchange (RFC 8693): from a subject token to a fresh one for its holder, with all or a part of what the holder has,
// or to the first one of a sub-agent. It decides which of these is asked for and allowed; rights are the gate's.
import type { Step } from "../database/database.ts"
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import { type Attempt, type Once, type Refusing, settleDecision } from "./commit.ts"
import { type Actor, type Asked, type Exchanged, placeStep, planDelegation } from "./delegate.ts"
import { delegationStands, type SubjectRow, tokenStands } from "./delegation-statements.ts"
import { type Passed, passGate } from "./gate.ts"
import type { MintedToken } from "./mint.ts"
import type { Narrowed } from "./narrowed.ts"
import type { Parts } from "./parts.ts"
import { factsOf, holderOf, mintAgain } from "./renew.ts"
import {
  aliveUntil,
  type Bringer,
  findSubject,
  judgeTime,
  type Opened,
  openSubject,
  rowOf,
  type Subject,
} from "./subject.ts"
import { circumstancesOf } from "./usage.ts"

export interface ExchangeRequest {
  readonly subjectToken: string
  readonly by: Bringer
  /** RFC 8707 URL of the API wanted, or the issuer for the agent's own token. Default: that of an API's token. */
  readonly resource?: string | undefined
  /** A part of what the holder has. */
  readonly narrowing?: Narrowed | undefined
  /** The sub-agent that is delegated to. */
  readonly actor?: Actor | undefined
  /** What goes with the request and must not come again, such as its proof. */
  readonly once: Once
  /** Runs it when the task's orchestrator has its turn, or answers why not. */
  readonly turn: <T>(orchestrator: string, run: () => Promise<T>) => Promise<T | Refusal>
}

/** Refusals about a task are recorded; the proof is spent with what is decided. */
export async function exchangeToken(parts: Parts, request: ExchangeRequest): Promise<Exchanged | Refusal> {
  const opened = openSubject(parts, request.subjectToken, request.by)
  if (opened instanceof Refused) return opened
  let known: SubjectRow | undefined
  const decide = async () => {
    const row = await rowOf(parts, opened.token)
    if (row instanceof Refused) return row
    known = row
    const stranger =
      request.by.kind === "caller" && !(request.by.orchestrator && request.by.name === row.orchestrator)
    if (stranger) return refuse("exchange_not_allowed", "[caller] not the task's own orchestrator")
    const subject = await findSubject(parts, row)
    return subject instanceof Refused ? subject : planExchange(parts, request, opened, subject)
  }
  const refusing = () => known && refusingOf(opened, known)
  const settle = () => settleDecision<Exchanged>(parts, decide, refusing, request.once)
  return request.turn(opened.token.clientId, settle)
}

function refusingOf({ token }: Opened, row: SubjectRow): Refusing {
  const [holder] = token.actors
  const facts = { ...factsOf("token.refused", row), ...holder, jti: token.jti }
  return { facts, taskKey: row.key ?? "erased" }
}

async function planExchange(
  parts: Parts,
  request: ExchangeRequest,
  opened: Opened,
  subject: Subject,
): Promise<Attempt<Exchanged> | Refusal> {
  const now = parts.ledger.at()
  const { resource = opened.granted?.resource, actor } = request
  const grace = actor || !opened.may ? 0 : graceOf(parts, subject)
  const over = judgeTime(subject.task, now, grace)
  if (over) return over
  if (resource === undefined)
    return refuse("invalid_request", "[resource]", {
      errors: [{ pointer: "/resource", expected: "the URL of the API wanted" }],
    })
  if (opened.granted && opened.granted.resource !== resource)
    return refuse("api_not_allowed", "[resource] an API's token is exchanged for one of the same API")
  const asked = { now, resource, narrowing: request.narrowing, within: opened.granted?.grants }
  const guards = guardsOf(opened, subject)
  const before = subject.task.token_exp + grace
  if (actor) return planDelegation(parts, subject, { ...asked, actor, may: opened.may, guards, before })
  return planRenewal(parts, subject, { ...asked, may: opened.may, guards, before })
}

/** By the policy in force, as everything here. */
function graceOf(parts: Parts, { task }: Subject): number {
  return parts.policies.inForce().tasks.get(task.type)?.renewalGraceSeconds ?? 0
}

/** What must hold when it is written: the token was not ended meanwhile, nor any delegation that it stands on. */
const guardsOf = ({ token }: Opened, { links }: Subject): Step[] => [
  { statement: tokenStands, values: { jti: token.jti }, rows: 1 },
  ...links.map(({ delegationId }) => ({
    statement: delegationStands,
    values: { delegation: delegationId },
    rows: 1,
  })),
]

async function planRenewal(
  parts: Parts,
  subject: Subject,
  asked: Asked,
): Promise<Attempt<Exchanged> | Refusal> {
  if (asked.may && !asked.may.includes("task:renew"))
    return refuse("renewal_not_allowed", "[scope] the token does not renew")
  if (asked.resource === parts.issuer && asked.narrowing)
    return refuse("operation_not_allowed", "[narrowing] the agent's own token is never a part", {
      errors: [{ pointer: "/scope", expected: "none for the agent's own token" }],
    })
  const { task, links } = subject
  const [link, parent] = [links.at(-1), links.at(-2)?.delegationId]
  const above = link && (await aliveUntil(parts, subject, parent, asked.now))
  if (above instanceof Refused) return above
  const circumstances = await circumstancesOf(parts, task)
  const passed = passGate(parts, {
    now: asked.now,
    holder: holderOf(task),
    links,
    inputs: JSON.parse(task.inputs ?? "{}"),
    circumstances,
    resources: [asked.resource],
    narrowing: asked.narrowing,
    within: asked.within,
    jkt: subject.jkt,
    ceiling: JSON.parse(task.authority),
    deadline: task.deadline,
    until: above?.until,
  })
  if (passed instanceof Refused) return passed
  if (!mayRenew(passed, asked.may)) return refuse("renewal_not_allowed", "[renew] not by this caller")
  const { before } = asked
  // Another may have been let in since its last token ran out.
  const place = link ? [placeStep(passed, subject, link, parent)] : []
  const entry = [...asked.guards, ...(above?.guards ?? []), ...place]
  const minted = mintAgain(parts, task, passed, { from: "active", ending: undefined, before }, entry)
  if (minted instanceof Refused) return minted
  return { steps: minted.steps, answer: async () => answerOf(task.task_id, await minted.answer()) }
}

/** As of now: what the token says was decided when it was minted. */
const mayRenew = ({ taskType: { renew } }: Passed, may: Opened["may"]): boolean =>
  may ? renew === "agent" : renew !== "none"

function answerOf(taskId: string, renewed: Refusal | { readonly tokens: readonly MintedToken[] }) {
  if (renewed instanceof Refused) return renewed
  const [token] = renewed.tokens
  return token ? { taskId, token } : refuse("access_denied", "[authority] nothing was minted")
}
