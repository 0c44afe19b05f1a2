// Agents at the approvals: the agent's own token with a proof by its key (RFC 9449) instead of a service token. It decides
// that the proof is this request's and new; whose token it is, and whether it may ask, is the task room's.
import { Refusal } from "../errors.ts"
import type { Asking } from "../task/approval-holder.ts"
import { toEpochSeconds } from "../time.ts"
import { Unreadable } from "../token/jwt.ts"
import { openOwnToken } from "../token/own-token.ts"
import { judgeProof } from "../token/proof.ts"
import { readProofOf } from "./caller.ts"
import { type BodyRule, type Endpoint, readWith } from "./endpoint.ts"
import { spendOnce, spendProof } from "./replay.ts"
import type { Rooms } from "./rooms.ts"

interface ByAgents<Body> {
  readonly body?: BodyRule<Body>
  readonly run: (
    call: { readonly body: Body; readonly parameter: (name: string) => string },
    asking: Asking,
  ) => Promise<Response | Refusal>
}

/** An endpoint that agents may use, too: as said here for them, as it is for everybody else. */
export const forAgents = <Body = undefined>(
  rooms: Rooms,
  endpoint: Endpoint,
  { body, run }: ByAgents<Body>,
): Endpoint => ({
  ...endpoint,
  async answer(request, parameter, entrance) {
    const ownToken = ownTokenOf(rooms, request)
    if (ownToken === undefined) return endpoint.answer(request, parameter, entrance)
    const asking = await identifyAgent(rooms, request, ownToken)
    if (asking instanceof Refusal) return asking
    const read = await readWith(request, body)
    if (read instanceof Refusal) return read
    const call = { body: read as Body, parameter }
    return entrance.admission.pass(asking.orchestrator, endpoint.lane ?? "first", () => run(call, asking))
  },
})

/** Undefined where the credential is of another kind, or none. */
function ownTokenOf({ keyring, issuer }: Rooms, request: Request): string | undefined {
  const text = /^dpop ([A-Za-z0-9._-]{1,8192})$/i.exec(request.headers.get("authorization") ?? "")?.[1]
  if (text === undefined || openOwnToken(text, keyring.keyOf, issuer) instanceof Unreadable) return undefined
  return text
}

async function identifyAgent(rooms: Rooms, request: Request, ownToken: string): Promise<Asking | Refusal> {
  const { issuer, clock, engine, approvals } = rooms
  const proof = readProofOf(request)
  if (proof instanceof Refusal) return proof
  const now = clock.now()
  const url = `${issuer}${new URL(request.url).pathname}`
  const wrong = judgeProof(proof, {
    method: request.method,
    url,
    accessToken: ownToken,
    now: toEpochSeconds(now),
  })
  if (wrong) return wrong
  const asking = await approvals.asking(ownToken, { kind: "agent", jkt: proof.jkt, agent: undefined })
  if (asking instanceof Refusal) return asking
  return (await spendOnce(engine, spendProof(proof.jkt, proof.jti, now))) ?? asking
}
