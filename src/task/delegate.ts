// From a holder to its sub-agent: one more link of the chain, its authority fixed when it is made, and its first tokens. It
// decides which delegation a request is about (a new one, the same again, or one in the place of another) and what goes
// with it; what the sub-agent may do is the gate's.
import type { Step } from "../database/database.ts"
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import { toEpochSeconds } from "../time.ts"
import type { Authority } from "../token/authority.ts"
import { newId } from "../token/id.ts"
import type { Attempt } from "./commit.ts"
import {
  type DelegationRow,
  endDelegation,
  endTokensOfDelegation,
  feedDelegation,
  insertDelegation,
  livingBelow,
  placeBelow,
} from "./delegation-statements.ts"
import { type Link, type Passed, passGate } from "./gate.ts"
import type { MintedToken } from "./mint.ts"
import type { Narrowed } from "./narrowed.ts"
import type { Parts } from "./parts.ts"
import { holderOf, mintAgain, type Renewed } from "./renew.ts"
import { tellOfDelegation } from "./status-statements.ts"
import { aliveUntil, linkOf, type Opened, type Subject } from "./subject.ts"
import { circumstancesOf } from "./usage.ts"

/** A sub-agent and its key. */
export interface Actor {
  readonly agent: string
  readonly instance: string
  readonly jkt?: string | undefined
}

/** What an exchange is about, once its subject is known. */
export interface Asked {
  readonly now: number
  readonly resource: string
  readonly narrowing: Narrowed | undefined
  /** The holder has no more than this. */
  readonly within: Authority | undefined
  readonly may: Opened["may"]
  readonly guards: readonly Step[]
  /** Epoch seconds: when the subject token is over. */
  readonly before: number
}

export interface Exchanged {
  readonly taskId: string
  readonly token: MintedToken
  /** The sub-agent's own, where it may renew, delegate or ask. */
  readonly own?: MintedToken
  /** Of the sub-agent. */
  readonly delegationId?: string
}

export async function planDelegation(
  parts: Parts,
  subject: Subject,
  asked: Asked & { readonly actor: Actor },
): Promise<Attempt<Exchanged> | Refusal> {
  const { actor, now, resource } = asked
  const wrong = wrongIn(asked, subject)
  if (wrong) return wrong
  const { task, links } = subject
  const parent = links.at(-1)?.delegationId
  const above = await aliveUntil(parts, subject, parent, now)
  if (above instanceof Refused) return above
  const known = await knownBelow(parts, subject, actor)
  const again = known !== undefined && known.jkt === (actor.jkt ?? null)
  const link: Link = again
    ? linkOf(known)
    : { delegationId: newId("del", now), agent: actor.agent, instance: actor.instance }
  const circumstances = await circumstancesOf(parts, task)
  const passed = passGate(parts, {
    now,
    holder: holderOf(task),
    links: [...links, link],
    inputs: JSON.parse(task.inputs ?? "{}"),
    circumstances,
    resources: [resource],
    narrowing: asked.narrowing,
    within: asked.within,
    delegating: true,
    withOwn: true,
    jkt: actor.jkt,
    ceiling: JSON.parse(task.authority),
    deadline: task.deadline,
    until: above.until,
  })
  if (passed instanceof Refused) return passed
  const steps = [
    ...asked.guards,
    ...above.guards,
    ...(known && !again ? endSteps(known, now) : []),
    placeStep(passed, subject, link, parent),
    ...(again ? [] : insertSteps(parts, passed, subject, actor, parent)),
  ]
  const { before } = asked
  const minted = mintAgain(
    parts,
    task,
    passed,
    { from: "active", ending: undefined, kind: "token.delegated", before },
    steps,
  )
  if (minted instanceof Refused) return minted
  const of = { taskId: task.task_id, delegationId: link.delegationId }
  return { steps: minted.steps, answer: async () => answerOf(parts, of, await minted.answer()) }
}

/** What no policy decides: who may hand on at all, and with which key. */
function wrongIn({ actor, may }: Asked & { readonly actor: Actor }, subject: Subject): Refusal | undefined {
  if (may && !may.includes("task:delegate"))
    return refuse("delegation_not_allowed", "[scope] the token does not delegate")
  if (subject.jkt !== undefined && actor.jkt === undefined)
    return refuse("key_required", "[key] a bound holder delegates to a key, never without", {
      errors: [{ pointer: "/dpop_jkt", expected: "the thumbprint of the sub-agent's key" }],
    })
  if (actor.jkt !== undefined && subject.jkts.includes(actor.jkt))
    return refuse("delegation_not_allowed", "[key] a holder above has this key")
  return undefined
}

async function knownBelow(
  parts: Parts,
  { task, links }: Subject,
  { agent, instance }: Actor,
): Promise<DelegationRow | undefined> {
  const parent = links.at(-1)?.delegationId ?? null
  const [known] = await parts.engine.query(livingBelow, { task_id: task.task_id, parent, agent, instance })
  return known
}

/** The sub-agent has another key: what it had, and all below, is over. */
function endSteps({ delegation_id: delegation }: DelegationRow, now: number): Step[] {
  const values = { delegation, now, now_seconds: toEpochSeconds(now) }
  return [feedDelegation, tellOfDelegation, endTokensOfDelegation, endDelegation].map((statement) => ({
    statement,
    values,
  }))
}

/** A guard: there is a place for this sub-agent. Its own is never in its way. */
export const placeStep = (
  passed: Passed,
  { task }: Subject,
  link: Link,
  parent: string | undefined,
): Step => ({
  statement: placeBelow,
  values: {
    task_id: task.task_id,
    parent: parent ?? null,
    delegation: link.delegationId,
    now_seconds: toEpochSeconds(passed.now),
    most: passed.taskType.delegation?.maxChildren ?? 0,
  },
  rows: 1,
})

function insertSteps(
  parts: Parts,
  passed: Passed,
  subject: Subject,
  actor: Actor,
  parent: string | undefined,
): Step[] {
  const { agent, instance, jkt = null } = actor
  const values = {
    delegation: passed.links.at(-1)?.delegationId ?? "",
    task_id: subject.task.task_id,
    parent: parent ?? null,
    agent,
    instance,
    jkt,
    authority: JSON.stringify([...passed.authority, ...passed.approvable]),
    now: passed.now,
  }
  return [...parts.names.steps([agent, instance]), parts.names.step(insertDelegation, values)]
}

function answerOf(
  parts: Parts,
  of: { readonly taskId: string; readonly delegationId: string },
  renewed: Renewed | Refusal,
): Exchanged | Refusal {
  if (renewed instanceof Refused) return renewed
  const own = renewed.tokens.find((one) => one.resource === parts.issuer)
  const token = renewed.tokens.find((one) => one !== own) ?? own
  if (!token) return refuse("access_denied", "[authority] nothing was minted")
  return { ...of, token, ...(own && own !== token && { own }) }
}
