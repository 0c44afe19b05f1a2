// From a passed gate to tokens: plans the exact claims, the rows that hold them and the entries that tell of them, and,
// once those are durable, signs them. It decides no right; what is signed was stored first.
import type { Step } from "../database/database.ts"
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import type { Event, Kind } from "../ledger/event.ts"
import { toEpochSeconds } from "../time.ts"
import { type Authority, operationsOf } from "../token/authority.ts"
import { newId } from "../token/id.ts"
import { ownTokenClaims } from "../token/own-token.ts"
import type { StatusReference } from "../token/status.ts"
import {
  authorizationDetails,
  MAX_TOKEN_BYTES,
  signTaskToken,
  taskTokenBytes,
  taskTokenClaims,
} from "../token/token.ts"
import { actorsOf, lifetimeOf, type Passed } from "./gate.ts"
import { apiOf, type Parts } from "./parts.ts"
import { createRenewalTimes } from "./renewal-time.ts"
import { type Generation, insertToken, OWN_API } from "./statements.ts"

/** One series for all tokens of this process, so that those minted together lie apart. */
const renewalTimeOf = createRenewalTimes()

/** A token as its holder gets it. */
export interface MintedToken {
  /** The API's RFC 8707 resource URL; the issuer, of the agent's own. */
  readonly resource: string
  readonly accessToken: string
  readonly tokenType: "Bearer" | "DPoP"
  readonly expiresIn: number
  /** Seconds after which to renew: 70 to 80 % of the life, spread so that a herd does not renew at once. */
  readonly renewIn: number
  readonly scope: string
  readonly authorizationDetails: readonly object[]
}

/** One token, decided: the claims as stored, and what of them the holder is told beside the token. */
export interface PlannedToken {
  readonly jti: string
  /** The API's name in the policy; OWN_API, of the agent's own. */
  readonly api: string
  /** The API's RFC 8707 resource URL, or the issuer. */
  readonly aud: string
  readonly iat: number
  readonly exp: number
  readonly scope: readonly string[]
  readonly grants: Authority
  readonly jkt: string | undefined
  /** Its place in a status list, where the API is foreign. */
  readonly status?: StatusReference
  /** The key that signs it, at every signing. */
  readonly kid: string
  /** JSON text: stored and signed as it is, byte for byte, at every signing. */
  readonly claims: string
}

export interface MintPlan {
  /** The key that signs all of them. */
  readonly kid: string
  readonly tokens: readonly PlannedToken[]
  readonly steps: readonly Step[]
}

export interface MintFor {
  readonly taskId: string
  readonly taskKey: Uint8Array
  readonly reference: string | null
  /** Tokens get an `iat` above it. */
  readonly floor: number
  readonly generation: Generation
  readonly kind: Extract<Kind, "token.issued" | "token.renewed" | "token.delegated">
  /** The id of the approval that is collected. */
  readonly approval?: string
}

const MOST_AHEAD_SECONDS = 4

/** One token for each wanted API, and the agent's own where it is wanted, or a refusal when one would be too large. */
export function planMint(parts: Parts, passed: Passed, mint: MintFor): MintPlan | Refusal {
  const iat = Math.max(toEpochSeconds(passed.now), mint.floor + 1)
  if (iat - toEpochSeconds(passed.now) > MOST_AHEAD_SECONDS)
    return refuse("task_conflict", "[floor] too many changes of holder within a second", {
      retryAfterSeconds: 2,
    })
  const life = lifetimeOf(passed, iat)
  if (life <= 0) return refuse("task_ended", "[deadline] no whole second is left before the deadline")
  const { kid } = parts.keyring.current()
  const tokens: PlannedToken[] = []
  const steps: Step[] = []
  for (const aud of passed.wanted) {
    const plan = aud === parts.issuer ? planOwnToken : planToken
    const token = plan(parts, passed, { taskId: mint.taskId, kid, aud, iat, exp: iat + life })
    if (token instanceof Refused) return token
    tokens.push(token)
    steps.push(...tokenSteps(parts, passed, mint, token))
  }
  return { kid, tokens, steps }
}

type Planning = { readonly taskId: string } & Pick<PlannedToken, "kid" | "aud" | "iat" | "exp">

const lineageOf = ({ links }: Passed): readonly string[] => links.map((one) => one.delegationId)

function planOwnToken(parts: Parts, passed: Passed, of: Planning): PlannedToken | Refusal {
  const { holder, jkt, own: scope } = passed
  const { kid, iat, exp } = of
  if (jkt === undefined) return refuse("key_required", "[key] the agent's own token needs a key")
  const jti = newId("tok", passed.now)
  const claims = ownTokenClaims({
    iss: parts.issuer,
    iat,
    exp,
    jti,
    clientId: holder.orchestrator,
    sub: holder.sub,
    actors: actorsOf(passed),
    txn: of.taskId,
    lineage: lineageOf(passed),
    scope,
    policy: passed.policy.digest,
    jkt,
  })
  return { jti, api: OWN_API, aud: parts.issuer, iat, exp, scope, grants: [], jkt, kid, claims }
}

function planToken(parts: Parts, passed: Passed, of: Planning): PlannedToken | Refusal {
  const { holder, jkt, policy } = passed
  const { kid, aud, iat, exp } = of
  const jti = newId("tok", passed.now)
  const grants = passed.authority.filter((grant) => grant.api === aud)
  const api = apiOf(policy, aud)
  const status = api?.foreign ? parts.statusPlaces.draw({ iat, exp }) : undefined
  const claims = taskTokenClaims({
    iss: parts.issuer,
    aud,
    iat,
    exp,
    jti,
    clientId: holder.orchestrator,
    // Clouds look at `sub` and `aud` alone: who holds, not who is above.
    sub: api?.openid ? `${holder.type}/${(passed.links.at(-1) ?? holder).agent}` : holder.sub,
    actors: actorsOf(passed),
    txn: of.taskId,
    lineage: lineageOf(passed),
    grants,
    policy: policy.digest,
    jkt,
    status,
  })
  if (taskTokenBytes(claims, kid) > MAX_TOKEN_BYTES)
    return refuse("authority_too_large", `[size] the token for ${aud} would exceed ${MAX_TOKEN_BYTES} bytes`)
  const scope = operationsOf(grants)
  const token = { jti, api: api?.name ?? "", aud, iat, exp, scope, grants, jkt, kid, claims }
  return status === undefined ? token : { ...token, status }
}

function tokenSteps(parts: Parts, passed: Passed, mint: MintFor, token: PlannedToken): Step[] {
  const { jti, api, iat, exp, kid } = token
  const { orchestrator, sub } = passed.holder
  const { agent = "", instance = "" } = actorsOf(passed)[0] ?? {}
  const own = api === OWN_API
  const lineage = lineageOf(passed)
  const event: Event = {
    kind: mint.kind,
    at: passed.now,
    task: mint.taskId,
    jti,
    agent,
    instance,
    orchestrator,
    sub,
    ...(!own && { api }),
    outcome: "allowed",
    reference: mint.reference ?? undefined,
    body: {
      ...(mint.approval !== undefined && { approval: mint.approval }),
      exp,
      grants: own ? undefined : token.grants.map(({ operations, rule }) => ({ operations, rule })),
      iat,
      jkt: token.jkt,
      kid,
      lineage: lineage.length > 0 ? lineage : undefined,
      policy: passed.policy.digest,
      scope: own ? token.scope : undefined,
    },
  }
  const { taskId, generation } = mint
  const row = {
    jti,
    task_id: taskId,
    api,
    iat,
    exp,
    kid,
    signer: kid,
    claims: token.claims,
    generation,
    delegation: lineage.at(-1) ?? null,
  }
  const steps = [parts.names.step(insertToken, row), ...parts.ledger.steps(event, mint.taskKey, true)]
  const { status } = token
  return status === undefined ? steps : [...steps, ...parts.statusPlaces.steps({ jti, iat, exp, status })]
}

/**
 * Signs what is already durable. A signature that fails leaves `token.unsigned` entries and a refusal: the ledger then
 * says that the tokens were authorised and never left.
 */
export async function signTokens(
  parts: Parts,
  taskId: string,
  tokens: readonly PlannedToken[],
  now: number,
): Promise<MintedToken[] | Refusal> {
  try {
    return await Promise.all(tokens.map((token) => signToken(parts, token, now)))
  } catch (cause) {
    await leaveUnsigned(parts, taskId, tokens)
    const reason = `[signature] ${cause instanceof Error ? cause.name : "failed"}`
    return refuse("temporarily_unavailable", reason)
  }
}

/** Says of tokens that were authorised that they never left. */
export function leaveUnsigned(parts: Parts, taskId: string, tokens: readonly PlannedToken[]): Promise<void> {
  const at = parts.ledger.at()
  return parts.ledger.append(
    tokens.map(({ jti, api }) => ({
      kind: "token.unsigned",
      at,
      task: taskId,
      jti,
      ...(api !== OWN_API && { api }),
    })),
  )
}

/** It was revoked since the token was planned: what it signed has ended already. */
class KeyRevoked extends Error {
  override readonly name = "KeyRevoked"
}

async function signToken(parts: Parts, token: PlannedToken, now: number): Promise<MintedToken> {
  const key = parts.keyring.signing(token.kid)
  if (!key) throw new KeyRevoked("the key of the token signs no more")
  const expiresIn = token.exp - toEpochSeconds(now)
  const accessToken = await signTaskToken(token.claims, key)
  if (token.api === OWN_API) parts.ownTokens.add(accessToken)
  return {
    resource: token.aud,
    accessToken,
    tokenType: token.jkt === undefined ? "Bearer" : "DPoP",
    expiresIn,
    renewIn: renewalTimeOf(expiresIn),
    scope: token.scope.join(" "),
    authorizationDetails: authorizationDetails(token.grants),
  }
}
