// The token endpoint: client_credentials with private_key_jwt, a workload assertion or a person's ID token, which answers a service token for this
// issuer's own surface and never one for an API; and token exchange, which is exchange.ts's. Errors are OAuth's (RFC 6749
// section 5.2).
import { z } from "@hono/zod-openapi"
import { Refusal, refuse } from "../errors.ts"
import type { Caller } from "../policy/callers.ts"
import { toEpochSeconds } from "../time.ts"
import { newId } from "../token/id.ts"
import { judgeProof, type Proof } from "../token/proof.ts"
import { serviceTokenClaims, signServiceToken } from "../token/service-token.ts"
import { BODY_LIMIT, readBody, readForm } from "./body.ts"
import { readProofOf, type Scope } from "./caller.ts"
import { type Authenticated, createClientAuthentication } from "./client-authentication.ts"
import { type Endpoint, FORM_TYPE, json, open, readAs } from "./endpoint.ts"
import { ASSERTION_TYPE, createExchange, ExchangeAnswer } from "./exchange.ts"
import { EXCHANGE_GRANT, ExchangeForm } from "./exchange-form.ts"
import type { Rooms } from "./rooms.ts"

export const TOKEN_PATH = "/token"

/** Parameters that are not named here are ignored (RFC 6749 section 3.2). */
const TokenForm = z
  .object({
    grant_type: z.string(),
    client_assertion_type: z.string().optional(),
    client_assertion: z.string().optional().openapi({
      description:
        "A JWT by the caller's key, of its platform, or for staff the ID token of a person who just signed in",
    }),
    client_id: z.string().optional(),
    client_secret: z.string().optional(),
    scope: z.string().optional(),
    resource: z.string().optional(),
  })
  .openapi("TokenRequest")

type Asked = z.infer<typeof TokenForm>

const TokenAnswer = z
  .strictObject({
    access_token: z.string(),
    token_type: z.enum(["Bearer", "DPoP"]),
    expires_in: z.int(),
    scope: z.string(),
  })
  .openapi("ServiceToken")

export function tokenEndpoints(rooms: Rooms): Endpoint[] {
  const authentication = createClientAuthentication(rooms)

  const exchange = createExchange(rooms, authentication, TOKEN_PATH)

  const grant = async (form: ReadonlyMap<string, string>, request: Request): Promise<Response | Refusal> => {
    const asked = readAsked(form, request)
    if (asked instanceof Refusal) return asked
    const unsteady = rooms.tasks.unsteady()
    if (unsteady) return unsteady
    const who = await authentication.judge(asked.client_assertion ?? "", asked.client_id)
    if (who instanceof Refusal) return who
    const scope = scopeOf(asked, who.caller, rooms.issuer)
    if (scope instanceof Refusal) return scope
    const proof = proofOf(rooms, request, who.bound)
    if (proof instanceof Refusal) return proof
    const spent = await authentication.spend(who, proof)
    return spent ?? mint(rooms, who, scope, proof)
  }

  return [
    open({
      method: "post",
      path: TOKEN_PATH,
      summary:
        "A service token of five minutes for this issuer's own surface (RFC 6749, RFC 7523, RFC 9449), or the exchange of a " +
        "task's token for a fresh, a narrower or a sub-agent's one (RFC 8693)",
      group: "token",
      form: z.union([TokenForm, ExchangeForm]),
      answers: { 200: { description: "The token", schema: z.union([TokenAnswer, ExchangeAnswer]) } },
      async run(request, _parameter, entrance) {
        const form = await readTokenForm(request)
        if (form instanceof Refusal) return form
        return form.get("grant_type") === EXCHANGE_GRANT
          ? exchange(form, request, entrance)
          : grant(form, request)
      },
    }),
  ]
}

async function readTokenForm(request: Request): Promise<ReadonlyMap<string, string> | Refusal> {
  if (request.url.includes("?")) return refuse("invalid_request", "[query] parameters go into the body")
  const text = await readBody(request, FORM_TYPE, BODY_LIMIT)
  return text instanceof Refusal ? text : readForm(text)
}

/** The form, with exactly one kind of client authentication in it: an assertion. */
function readAsked(form: ReadonlyMap<string, string>, request: Request): Asked | Refusal {
  const asked = readAs(TokenForm, Object.fromEntries(form))
  if (asked instanceof Refusal) return asked
  if (asked.grant_type !== "client_credentials") return refuse("unsupported_grant_type", "[grant_type]")
  const shared = asked.client_secret !== undefined || request.headers.has("authorization")
  if (asked.client_assertion === undefined) return refuse("invalid_client", "[assertion] none")
  if (shared) return refuse("invalid_request", "[credential] more than one way to authenticate")
  if (asked.client_assertion_type === ASSERTION_TYPE) return asked
  const expected = ASSERTION_TYPE
  return refuse("invalid_request", "[assertion_type]", {
    errors: [{ pointer: "/client_assertion_type", expected }],
  })
}

/** All the caller has, or the part it asks for; never more, and a part that is too much is refused whole. */
function scopeOf(asked: Asked, caller: Caller, issuer: string): readonly Scope[] | Refusal {
  if (asked.resource !== undefined && asked.resource !== issuer)
    return refuse("api_not_allowed", "[resource] service tokens are for the issuer")
  if (asked.scope === undefined) return caller.scopes
  const wanted = new Set(asked.scope.split(" "))
  const granted = caller.scopes.filter((scope) => wanted.has(scope))
  return granted.length === wanted.size
    ? granted
    : refuse("scope_not_allowed", "[scope] not all of the caller's")
}

/**
 * The proof that came along. An API has to bring one, because what it may do is bound to its verifier's key, and so has a
 * workload or a person, because others on their host may read what they were given.
 */
function proofOf(rooms: Rooms, request: Request, bound: boolean): Proof | undefined | Refusal {
  if (!request.headers.has("dpop") && !bound) return undefined
  const proof = readProofOf(request)
  if (proof instanceof Refusal) return proof
  const url = `${rooms.issuer}${TOKEN_PATH}`
  return judgeProof(proof, { method: "POST", url, now: toEpochSeconds(rooms.clock.now()) }) ?? proof
}

async function mint(
  rooms: Rooms,
  { caller, person }: Authenticated,
  scope: readonly Scope[],
  proof: Proof | undefined,
): Promise<Response> {
  const now = rooms.ledger.at()
  const claims = serviceTokenClaims({
    iss: rooms.issuer,
    clientId: caller.name,
    jti: newId("tok", now),
    iat: toEpochSeconds(now),
    scope,
    jkt: proof?.jkt,
    person,
  })
  return json(
    200,
    {
      access_token: await signServiceToken(claims, rooms.keyring.current()),
      token_type: proof ? "DPoP" : "Bearer",
      expires_in: claims.exp - claims.iat,
      scope: scope.join(" "),
    },
    { "cache-control": "no-store", pragma: "no-cache" },
  )
}
