// Starts a task: one transaction holds the task, its tokens' claims and the entries that tell of it, and only then is
// anything signed. A reference makes a start idempotent: the same request again gets the same tokens; only another
// instance or key takes the task over; anything else under that reference is a conflict.
import { hash } from "node:crypto"
import type { Step } from "../database/database.ts"
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import { KEY_BYTES } from "../ledger/commitment.ts"
import type { User } from "../policy/behalf.ts"
import { caller as callerOf } from "../policy/callers.ts"
import { newId } from "../token/id.ts"
import { takeRandom } from "../token/random.ts"
import { type Approvable, approvablesOf } from "./approved.ts"
import { collectBy } from "./collect.ts"
import { type Attempt, type Settled, settleDecision } from "./commit.ts"
import { type Passed, passGate } from "./gate.ts"
import { type MintedToken, type MintPlan, planMint, signTokens } from "./mint.ts"
import { internPolicy, type Parts } from "./parts.ts"
import { signRecorded } from "./recorded.ts"
import { planRenewal } from "./renew.ts"
import { limitSteps, limitVerdicts } from "./start-limits.ts"
import { GENERATION, insertTask, type TaskRow, taskByReference } from "./statements.ts"
import { circumstancesOf } from "./usage.ts"

export interface StartRequest {
  readonly type: string
  readonly agent: { readonly id: string; readonly instance: string }
  readonly purpose: string
  readonly inputs: Readonly<Record<string, unknown>>
  /** The orchestrator's own execution id, unique for it: makes the start idempotent. */
  readonly reference?: string | undefined
  readonly operations?: readonly string[] | undefined
  /** RFC 8707 URLs of the APIs whose tokens are wanted now. Default: all. */
  readonly resources?: readonly string[] | undefined
  /** RFC 7638 thumbprint of the agent's key: binds every token to it. */
  readonly dpopJkt?: string | undefined
  /** No token is answered: the agent, which the policy lets authenticate, collects them itself. */
  readonly deliver?: "agent" | undefined
  /** Whom it runs for, or why that can't be told. Absent: the orchestrator itself. */
  readonly user?: StartingUser | Refusal | undefined
}

/** A user whose token was found genuine, and the step that spends it: one start for each token. */
export interface StartingUser extends User {
  readonly once: Step
}

export interface Started {
  readonly created: boolean
  readonly taskId: string
  readonly state: string
  /** Epoch milliseconds. */
  readonly deadline: number
  readonly tokens: readonly MintedToken[]
  /** What a person must agree to first. */
  readonly approvals: readonly Approvable[]
}

/** Starts a task for an orchestrator that was authenticated by the caller of this function. Refusals are recorded. */
export async function startTask(
  parts: Parts,
  orchestrator: string,
  request: StartRequest,
): Promise<Started | Refusal> {
  const { user } = request
  const digest = digestOfRequest(request)
  await internPolicy(parts)
  const decide = async () => {
    if (user instanceof Refused) return user
    if (request.reference !== undefined) {
      const [known] = await parts.engine.query(taskByReference, {
        orchestrator,
        reference: request.reference,
      })
      if (known) return startAgain(parts, known, request, digest)
    }
    return planStart(parts, orchestrator, request, digest)
  }
  const sub = subjectOf(orchestrator, request)
  const facts = { agent: request.agent.id, instance: request.agent.instance, orchestrator, sub }
  return settleDecision<Started>(parts, decide, () => ({ facts: { kind: "task.refused", ...facts } }))
}

/** Of a user who can't be told, nothing is said. */
const subjectOf = (orchestrator: string, { user }: StartRequest): string =>
  user === undefined || user instanceof Refused ? orchestrator : user.sub

async function planStart(
  parts: Parts,
  orchestrator: string,
  request: StartRequest,
  digest: string,
): Promise<Attempt<Started> | Refusal> {
  const { agent, reference = null } = request
  const circumstances = await circumstancesOf(parts, { ...request, agent: agent.id, reference })
  const now = parts.ledger.at()
  const user = request.user instanceof Refused ? undefined : request.user
  const passed = passGate(parts, {
    now,
    holder: {
      type: request.type,
      orchestrator,
      agent: agent.id,
      instance: agent.instance,
      sub: subjectOf(orchestrator, request),
      user,
    },
    inputs: request.inputs,
    circumstances,
    operations: request.operations,
    resources: request.resources,
    withOwn: true,
    jkt: request.dpopJkt,
    keyLater: request.deliver === "agent",
  })
  if (passed instanceof Refused) return passed
  if (request.deliver === "agent" && callerOf(passed.policy, passed.holder.agent) === undefined)
    return refuse("invalid_request", "[deliver] the agent can't authenticate", {
      errors: [{ pointer: "/deliver", expected: "an agent that the policy lets authenticate" }],
    })
  const taskId = newId("task", now)
  const taskKey = takeRandom(KEY_BYTES)
  const mint = {
    taskId,
    taskKey,
    reference,
    floor: 0,
    generation: GENERATION.start,
    kind: "token.issued",
  } as const
  const plan = request.deliver === "agent" ? withoutTokens(parts) : planMint(parts, passed, mint)
  if (plan instanceof Refused) return plan
  return {
    verdicts: { ...limitVerdicts(parts, passed), ...(user && { [user.once.statement.name]: alreadyUsed }) },
    steps: startSteps(parts, passed, plan, { taskId, taskKey, reference, digest, request }),
    answer: async () => {
      const tokens = await signTokens(parts, taskId, plan.tokens, now)
      if (tokens instanceof Refused) return tokens
      const approvals = approvablesOf(passed.approvable)
      return { created: true, taskId, state: "active", deadline: passed.deadline, tokens, approvals }
    },
  }
}

/** Of a task whose tokens its agent collects. */
const withoutTokens = (parts: Parts): MintPlan => ({
  kid: parts.keyring.current().kid,
  tokens: [],
  steps: [],
})

const alreadyUsed = () => refuse("user_token_invalid", "[replay] the user's token was used before")

interface NewTask {
  readonly taskId: string
  readonly taskKey: Uint8Array
  readonly reference: string | null
  readonly digest: string
  readonly request: StartRequest
}

function startSteps(parts: Parts, passed: Passed, plan: MintPlan, task: NewTask): Step[] {
  const { holder } = passed
  const { names } = parts
  const { type, agent, instance, orchestrator, sub } = holder
  const { user } = task.request
  return [
    ...(user && !(user instanceof Refused) ? [user.once] : []),
    ...passed.guards,
    ...names.steps([type, agent, instance, orchestrator, plan.kid]),
    ...names.subjects.steps([sub]),
    ...limitSteps(parts, passed),
    names.step(insertTask, taskValues(passed, task)),
    ...startedEntry(parts, passed, task),
    ...plan.steps,
  ]
}

function taskValues(passed: Passed, task: NewTask) {
  const { holder } = passed
  return {
    task_id: task.taskId,
    type: holder.type,
    agent: holder.agent,
    instance: holder.instance,
    orchestrator: holder.orchestrator,
    sub: holder.sub,
    started_at: passed.now,
    deadline: passed.deadline,
    reference: task.reference,
    request_digest: task.digest,
    policy: passed.policy.digest,
    authority: JSON.stringify([...passed.authority, ...passed.approvable]),
    purpose: task.request.purpose,
    inputs: JSON.stringify(Object.fromEntries(passed.inputs)),
    jkt: passed.jkt ?? null,
    key: task.taskKey,
    behalf: passed.behalf ? JSON.stringify(passed.behalf) : null,
    collect_by: task.request.deliver === "agent" ? collectBy(passed) : null,
  }
}

function startedEntry(parts: Parts, passed: Passed, task: NewTask): Step[] {
  const { holder } = passed
  return parts.ledger.steps(
    {
      kind: "task.started",
      at: passed.now,
      task: task.taskId,
      agent: holder.agent,
      instance: holder.instance,
      orchestrator: holder.orchestrator,
      sub: holder.sub,
      outcome: "allowed",
      reference: task.reference ?? undefined,
      body: {
        deadline: passed.deadline,
        grants: passed.authority.map(({ operations, rule }) => ({ operations, rule })),
        ...(passed.approvable.length > 0 && {
          approvals: passed.approvable.map(({ operations, rule }) => ({ operations, rule })),
        }),
        inputs: Object.fromEntries(passed.inputs),
        policy: passed.policy.digest,
        purpose: task.request.purpose,
        type: holder.type,
        user_rule: passed.behalf?.rule,
      },
    },
    task.taskKey,
    true,
  )
}

/** The same reference again: the recorded tokens, a takeover, or a conflict. */
async function startAgain(
  parts: Parts,
  task: TaskRow,
  request: StartRequest,
  digest: string,
): Promise<Attempt<Started> | Settled<Started> | Refusal> {
  if (task.request_digest !== digest)
    return refuse("reference_conflict", "[reference] the same reference with another request")
  if (task.state !== "active" && task.state !== "paused")
    return refuse("task_ended", `[state] the task is ${task.state}`)
  const { instance } = request.agent
  const approvals = approvablesOf(JSON.parse(task.authority))
  const { task_id: taskId, state, deadline } = task
  const answer = { created: false, taskId, state, deadline, approvals }
  // An agent that was started again takes its task over by collecting.
  if (request.deliver === "agent") return { settled: { ...answer, tokens: [] } }
  if (instance === task.instance && (request.dpopJkt ?? null) === task.jkt) {
    const tokens = await signRecorded(parts, task)
    return tokens instanceof Refused ? tokens : { settled: { ...answer, tokens } }
  }
  const { dpopJkt } = request
  const renewal = await planRenewal(parts, task, { instance, ...(dpopJkt !== undefined && { dpopJkt }) })
  if (renewal instanceof Refused) return renewal
  return {
    steps: renewal.steps,
    answer: async () => {
      const renewed = await renewal.answer()
      return renewed instanceof Refused ? renewed : { ...answer, tokens: renewed.tokens }
    },
  }
}

/** Everything of a request but the instance and the key: those two may differ when an agent restarts. */
function digestOfRequest(request: StartRequest): string {
  if (request.reference === undefined) return ""
  const inputs = Object.entries(request.inputs).sort(([a], [b]) => (a < b ? -1 : 1))
  const sorted = (list: readonly string[] | undefined) => (list ? [...new Set(list)].sort() : null)
  const { type, agent, purpose, operations, resources, deliver, user } = request
  const told = [type, agent.id, purpose, inputs, sorted(operations), sorted(resources)]
  if (deliver !== undefined) told.push(deliver)
  // Not the token: a user's next one is another. Of a task without a user as it always was.
  if (user && !(user instanceof Refused)) told.push(user.sub)
  return hash("sha256", JSON.stringify(told), "base64url")
}
