// Token exchange at the token endpoint (RFC 8693): who brings the subject token, and the answer. An agent proves the key of
// its own token (RFC 9449); an orchestrator authenticates by itself, with an assertion or its service token, and nobody
// else exchanges anything. What is given for it is the task room's.
import { z } from "@hono/zod-openapi"
import { Refusal, refuse } from "../errors.ts"
import type { Once } from "../task/commit.ts"
import type { Exchanged } from "../task/delegate.ts"
import type { ExchangeRequest } from "../task/exchange.ts"
import type { Bringer } from "../task/subject.ts"
import { toEpochSeconds } from "../time.ts"
import { judgeProof } from "../token/proof.ts"
import { readProofOf } from "./caller.ts"
import type { ClientAuthentication } from "./client-authentication.ts"
import { type Entrance, json } from "./endpoint.ts"
import { ACCESS_TOKEN_TYPE, type ExchangeAsked, readExchange, wantedOf } from "./exchange-form.ts"
import { spendProof } from "./replay.ts"
import type { Rooms } from "./rooms.ts"
import { TokenAnswer } from "./task-schema.ts"
import { tokenOnWire } from "./tasks.ts"

export const ExchangeAnswer = z
  .strictObject({
    ...TokenAnswer.shape,
    issued_token_type: z.literal(ACCESS_TOKEN_TYPE),
    task_id: z.string(),
    delegation_id: z
      .string()
      .optional()
      .openapi({ description: "Of the sub-agent, for as long as it has rights" }),
    own_token: TokenAnswer.optional().openapi({
      description: "The sub-agent's own token, where it may renew, delegate or ask",
    }),
  })
  .openapi("ExchangedToken")

export type Exchange = (
  form: ReadonlyMap<string, string>,
  request: Request,
  entrance: Entrance,
) => Promise<Response | Refusal>

interface Brought {
  readonly by: Bringer
  readonly once: Once
}

/** `path` is the token endpoint's own. */
export function createExchange(rooms: Rooms, authentication: ClientAuthentication, path: string): Exchange {
  const { tasks, policies, canaries } = rooms
  const exchange = async (asked: ExchangeAsked, request: Request, entrance: Entrance) => {
    const wanted = wantedOf(asked, policies.inForce())
    if (wanted instanceof Refusal) return wanted
    const unready = tasks.unready()
    if (unready) return unready
    const brought = await bringerOf(rooms, authentication, { asked, request, entrance, path })
    if (brought instanceof Refusal) return brought
    const turn = <T>(orchestrator: string, run: () => Promise<T>) =>
      entrance.admission.pass(orchestrator, "first", run)
    if (wanted.approval !== undefined) {
      const collected = await collect(rooms, { ...wanted, approval: wanted.approval }, brought, turn)
      return collected instanceof Refusal ? collected : json(200, onWire(collected), NOT_STORED)
    }
    const exchanged = await tasks.exchange({ ...wanted, ...brought, turn })
    return exchanged instanceof Refusal ? exchanged : json(200, onWire(exchanged), NOT_STORED)
  }
  return async (form, request, entrance) => {
    const asked = readExchange(form)
    if (asked instanceof Refusal) return asked
    const answer = await exchange(asked, request, entrance)
    if (answer instanceof Refusal) canaries.shown(asked.subject_token, "exchange", asked.client_id)
    return answer
  }
}

/** The agent collects for itself; its proof is spent with what is decided. */
async function collect(
  { approvals }: Rooms,
  { subjectToken, approval }: { readonly subjectToken: string; readonly approval: string },
  { by, once }: Brought,
  turn: ExchangeRequest["turn"],
): Promise<Exchanged | Refusal> {
  const asking = await approvals.asking(subjectToken, by)
  if (asking instanceof Refusal) return asking
  const { requester, taskId, orchestrator } = asking
  const collected = await turn(orchestrator, () => approvals.collect(requester, taskId, approval, once))
  if (collected instanceof Refusal) return collected
  const [token] = collected.tokens
  return token ? { taskId, token } : refuse("access_denied", "[approval] nothing was minted")
}

const NOT_STORED = { "cache-control": "no-store", pragma: "no-cache" }
const NOTHING: Once = { steps: [], before: () => refuse("proof_invalid", "[replay]") }

interface Bringing {
  readonly asked: ExchangeAsked
  readonly request: Request
  readonly entrance: Entrance
  readonly path: string
}

async function bringerOf(
  rooms: Rooms,
  authentication: ClientAuthentication,
  { asked, request, entrance, path }: Bringing,
): Promise<Brought | Refusal> {
  const authorized = request.headers.has("authorization")
  if (asked.client_assertion !== undefined) {
    if (authorized) return refuse("invalid_request", "[credential] more than one way to authenticate")
    return byAssertion(authentication, asked, request)
  }
  if (!authorized) return byProof(rooms, asked, request, path)
  const caller = await entrance.identify()
  if (caller instanceof Refusal) return caller
  if (asked.client_id !== undefined && asked.client_id !== caller.clientId)
    return refuse("invalid_client", "[client_id] another than the service token's")
  return { by: callerBy(caller.clientId, caller.scopes.has("orchestrator")), once: NOTHING }
}

const callerBy = (name: string, orchestrator: boolean): Bringer => ({ kind: "caller", name, orchestrator })

async function byAssertion(
  authentication: ClientAuthentication,
  asked: ExchangeAsked,
  request: Request,
): Promise<Brought | Refusal> {
  if (asked.client_assertion_type !== ASSERTION_TYPE)
    return refuse("invalid_request", "[assertion_type]", {
      errors: [{ pointer: "/client_assertion_type", expected: ASSERTION_TYPE }],
    })
  // What is minted is bound to its holder's key: a proof of another would promise something else.
  if (request.headers.has("dpop")) return refuse("invalid_request", "[dpop] beside an assertion")
  const who = await authentication.judge(asked.client_assertion ?? "", asked.client_id)
  if (who instanceof Refusal) return who
  // Others on its host may read what its platform gave it; its service token is bound to a key.
  if (who.how.by === "workload")
    return refuse("invalid_client", "[binding] a workload exchanges with its service token")
  const spent = await authentication.spend(who, undefined)
  return spent ?? { by: callerBy(who.caller.name, who.caller.kind === "orchestrator"), once: NOTHING }
}

export const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/** The proof is judged here but for its key, and spent with what is decided. */
function byProof(rooms: Rooms, asked: ExchangeAsked, request: Request, path: string): Brought | Refusal {
  const proof = readProofOf(request)
  if (proof instanceof Refusal) return proof
  const now = rooms.clock.now()
  const here = { method: "POST", url: `${rooms.issuer}${path}`, now: toEpochSeconds(now) }
  const wrong = judgeProof(proof, here)
  if (wrong) return wrong
  return {
    by: { kind: "agent", jkt: proof.jkt, agent: asked.client_id },
    once: {
      steps: [spendProof(proof.jkt, proof.jti, now)],
      before: () => refuse("proof_invalid", "[replay] this proof was used before"),
    },
  }
}

const onWire = ({ taskId, token, own, delegationId }: Exchanged) => ({
  ...tokenOnWire(token),
  issued_token_type: ACCESS_TOKEN_TYPE,
  task_id: taskId,
  ...(delegationId !== undefined && { delegation_id: delegationId }),
  ...(own && { own_token: tokenOnWire(own) }),
})
