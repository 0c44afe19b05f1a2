// Canaries: tokens that are signed like others and open nothing, so that whoever uses one has found it where nobody has any
// business. It decides what one looks like and why it grants nothing, and tells of every use that comes to the issuer; uses
// at verifiers come in batches (judge.ts).

import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import { KEY_BYTES } from "../ledger/commitment.ts"
import type { Api, TaskType } from "../policy/policy.ts"
import { toEpochSeconds } from "../time.ts"
import type { Authority } from "../token/authority.ts"
import { newId } from "../token/id.ts"
import { Unreadable } from "../token/jwt.ts"
import { CANARY_TYPE } from "../token/name.ts"
import { takeRandom } from "../token/random.ts"
import { signTaskToken, taskTokenClaims } from "../token/token.ts"
import { openTaskToken } from "../token/verify.ts"
import { insertCanaryTask } from "./canary-statements.ts"
import { type Attempt, commitDecision } from "./commit.ts"
import { taskOfToken } from "./delegation-statements.ts"
import { createFold } from "./fold.ts"
import { lifetimeOf, type Passed, passGate } from "./gate.ts"
import { apiOf, assembleParts, internPolicy, type Parts, type TaskOptions } from "./parts.ts"
import { GENERATION, insertToken } from "./statements.ts"

/** What it is to look like: a start that policy allows. */
export interface CanaryRequest {
  readonly type: string
  readonly agent: { readonly id: string; readonly instance: string }
  readonly inputs: Readonly<Record<string, unknown>>
  /** The API's name; default: the first that the task would have a token for. */
  readonly api?: string | undefined
  /** Where it is planted, or why, for people. */
  readonly reason: string
  /** For a drill: it has not run out, and names an operation that nobody serves. */
  readonly live?: boolean | undefined
}

export interface Canary {
  readonly taskId: string
  readonly jti: string
  /** It is known for one as long as this key is published. */
  readonly kid: string
  readonly resource: string
  readonly accessToken: string
  /** Epoch seconds. */
  readonly exp: number
}

/** Where one was shown to the issuer. */
export type ShownAt = "service" | "introspection" | "exchange"

export interface Canaries {
  mint(by: string, request: CanaryRequest): Promise<Canary | Refusal>
  /**
   * A token of ours came where it could not be used: raises the alarm where it is a canary, once a minute for each. `by`: who
   * showed it, where that is known. Nobody waits for it, for the answer must not tell by its time which token is one.
   */
  shown(text: string, at: ShownAt, by?: string): void
}

/** `onFault` is told of an alarm that could not be written. */
export function createCanaries(
  options: TaskOptions & { readonly onFault: (error: unknown) => void },
): Canaries {
  const parts = assembleParts(options)
  const fold = createFold()
  return {
    async mint(by, request) {
      await internPolicy(parts)
      return commitDecision<Canary>(parts, () => planCanary(parts, by, request))
    },
    shown(text, at, by) {
      const genuine = openTaskToken(text, parts.keyring.keyOf)
      if (genuine instanceof Unreadable) return
      const { jti } = genuine.token
      const now = parts.ledger.at()
      if (!fold.isNew(jti, now)) return
      fold.said(jti, now) // others are not looked up again and again either
      void raise(parts, { jti, at, by, now }).catch(options.onFault)
    },
  }
}

interface Shown {
  readonly jti: string
  readonly at: ShownAt
  readonly by: string | undefined
  /** Epoch milliseconds. */
  readonly now: number
}

async function raise({ engine, ledger }: Parts, { jti, at, by, now }: Shown): Promise<void> {
  const [row] = await engine.query(taskOfToken, { jti })
  if (row?.type !== CANARY_TYPE) return
  const { task_id: task, agent, instance } = row
  const body = { alarm: "canary_used", shown_at: at, by }
  await ledger.append([
    { kind: "alarm.raised", at: now, task, jti, agent, instance, code: "canary_used", body },
  ])
}

/** For so long it has run out when it is minted: for whoever looks at it, whatever they know, and by a clock that is off. */
const RUN_OUT_SECONDS = 3600
/** Of one for a drill. */
const LIVE_SECONDS = 300

async function planCanary(
  parts: Parts,
  by: string,
  request: CanaryRequest,
): Promise<Attempt<Canary> | Refusal> {
  const passed = passAs(parts, by, request)
  if (passed instanceof Refused) return passed
  const api = apiFor(passed, request)
  if (api instanceof Refused) return api
  const grants = request.live
    ? grantsOfNothing(api)
    : passed.authority.filter((one) => one.api === api.resource)
  if (grants instanceof Refused) return grants
  const { kid } = parts.keyring.current()
  const now = toEpochSeconds(passed.now)
  const life = request.live ? LIVE_SECONDS : lifetimeOf(passed, now)
  const iat = request.live ? now : now - life - RUN_OUT_SECONDS
  const ids = { taskId: newId("task", iat * 1000), jti: newId("tok", iat * 1000) }
  const claims = taskTokenClaims({
    iss: parts.issuer,
    aud: api.resource,
    iat,
    exp: iat + life,
    jti: ids.jti,
    clientId: passed.holder.orchestrator,
    sub: passed.holder.sub,
    actors: [{ agent: passed.holder.agent, instance: passed.holder.instance }],
    txn: ids.taskId,
    lineage: [],
    grants,
    policy: passed.policy.digest,
    jkt: passed.jkt,
  })
  const planned = { ...ids, api, kid, iat, exp: iat + life, claims }
  return {
    steps: canarySteps(parts, passed, planned, { by, request }),
    answer: async () => {
      const key = parts.keyring.signing(kid)
      if (!key) return refuse("temporarily_unavailable", "[key] it signs no more")
      const accessToken = await signTaskToken(claims, key)
      return { ...ids, kid, resource: api.resource, accessToken, exp: planned.exp }
    },
  }
}

/** As the gate would let the task's first orchestrator start it; a key that is wanted is one that nobody has. */
function passAs(
  parts: Parts,
  by: string,
  { type, agent, inputs, api, live }: CanaryRequest,
): Passed | Refusal {
  const policy = parts.policies.inForce()
  const rule: TaskType | undefined = policy.tasks.get(type)
  const [orchestrator = by] = rule?.orchestrators ?? []
  const named = api === undefined ? undefined : policy.apis.get(api)
  if (api !== undefined && !named)
    return refuse("invalid_request", "[api] unknown API", {
      errors: [{ pointer: "/api", expected: "the name of an API in the policy" }],
    })
  const bound = rule?.proofOfPossession === "required" && !live
  return passGate(parts, {
    now: parts.ledger.at(),
    holder: { type, orchestrator, agent: agent.id, instance: agent.instance, sub: orchestrator },
    inputs,
    ...(named && { resources: [named.resource] }),
    keyLater: true,
    jkt: bound ? Buffer.from(takeRandom(32)).toString("base64url") : undefined,
  })
}

/** Verifiers of a foreign API are none of ours: they would not tell of a use. */
function apiFor({ policy, wanted }: Passed, { api }: CanaryRequest): Api | Refusal {
  const found = wanted.map((resource) => apiOf(policy, resource)).find((one) => one && !one.foreign)
  return (
    found ??
    refuse("invalid_request", "[api] no API of the task has a verifier of ours", {
      errors: [
        { pointer: api === undefined ? "/type" : "/api", expected: "one of an API that is not foreign" },
      ],
    })
  )
}

const NOBODY_SERVES = "canary"

/** Every request is refused for its operation, wherever it goes: no guard asks for this one. */
function grantsOfNothing({ name, resource, operations }: Api): Authority | Refusal {
  const operation = `${name}:${NOBODY_SERVES}`
  if (operations.has(operation))
    return refuse("invalid_request", "[operation] the policy has it", {
      errors: [{ pointer: "/api", expected: `an API without an operation ${operation}` }],
    })
  return [{ api: resource, operations: [operation], resources: [[NOBODY_SERVES]], rule: NOBODY_SERVES }]
}

interface PlannedCanary {
  readonly taskId: string
  readonly jti: string
  readonly api: Api
  readonly kid: string
  readonly iat: number
  readonly exp: number
  readonly claims: string
}

function canarySteps(
  parts: Parts,
  passed: Passed,
  { taskId, jti, api, kid, iat, exp, claims }: PlannedCanary,
  { by, request }: { readonly by: string; readonly request: CanaryRequest },
) {
  const { names, ledger } = parts
  const { agent, instance, orchestrator } = passed.holder
  const key = takeRandom(KEY_BYTES)
  // In the hands of who minted it: an orchestrator sees its own tasks, and is to be watched, too.
  const who = { type: CANARY_TYPE, agent, instance, orchestrator: by, sub: by }
  const task = {
    ...who,
    task_id: taskId,
    at: passed.now,
    policy: passed.policy.digest,
    jkt: passed.jkt ?? null,
    key,
  }
  const row = {
    jti,
    task_id: taskId,
    api: api.name,
    iat,
    exp,
    kid,
    signer: kid,
    claims,
    generation: GENERATION.start,
  }
  const { live = false, reason, type } = request
  return [
    ...passed.guards,
    ...names.steps([CANARY_TYPE, agent, instance, by, kid]),
    ...names.subjects.steps([by]),
    names.step(insertCanaryTask, task),
    names.step(insertToken, { ...row, delegation: null }),
    ...ledger.steps(
      {
        kind: "canary.issued",
        at: passed.now,
        task: taskId,
        jti,
        agent,
        instance,
        orchestrator,
        api: api.name,
        body: { by, exp, iat, kid, live, policy: passed.policy.digest, reason, type },
      },
      key,
      true,
    ),
  ]
}
