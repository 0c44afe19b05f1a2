// The form of a token exchange (RFC 8693 section 2.1), every parameter strict: what is not understood to the last letter is
// refused, because a part that is left out would widen what is asked for. It decides shapes only.
import { z } from "@hono/zod-openapi"
import { type FieldError, Refusal, refuse } from "../errors.ts"
import type { Policy } from "../policy/policy.ts"
import type { Actor } from "../task/delegate.ts"
import type { Narrowed } from "../task/narrowed.ts"
import type { Authority } from "../token/authority.ts"
import { parseScopeTokens } from "../token/claims.ts"
import { parseGrants } from "../token/grant.ts"
import { isJsonObject, type JsonValue } from "../token/json.ts"
import { HASH, isOperation, parseHolder } from "../token/name.ts"
import { readJson } from "./body.ts"
import { readAs } from "./endpoint.ts"

export const EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
/** RFC 8693 section 3: the only kind that is taken and given. */
export const ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"

const url = z.string().regex(/^[!-~]{1,512}$/, "the URL of one API, or of the issuer")

export const ExchangeForm = z
  .object({
    grant_type: z.literal(EXCHANGE_GRANT),
    subject_token: z.string().min(1, "the agent's own token, or an API's").max(8192),
    subject_token_type: z.literal(ACCESS_TOKEN_TYPE),
    requested_token_type: z.literal(ACCESS_TOKEN_TYPE).optional(),
    resource: url.optional(),
    audience: url.optional().openapi({ description: "Where it is there, the same as `resource`" }),
    scope: z.string().optional(),
    authorization_details: z.string().optional().openapi({ description: "JSON (RFC 9396)" }),
    requested_actor: z.string().optional().openapi({ example: "summarizer/pod-1" }),
    dpop_jkt: z.string().regex(HASH, "an RFC 7638 thumbprint: 43 characters of base64url").optional(),
    approval: z
      .string()
      .regex(/^apr_[0-9a-f-]{36}$/, "an approval id")
      .optional()
      .openapi({
        description: "Collects the token of a granted approval, by the agent's own token and nothing else",
      }),
    client_assertion_type: z.string().optional(),
    client_assertion: z.string().optional(),
    client_id: z.string().optional(),
  })
  .openapi("TokenExchange")

export type ExchangeAsked = z.infer<typeof ExchangeForm>

/** What is asked for, whoever asks. */
export interface ExchangeWanted {
  readonly subjectToken: string
  readonly resource: string | undefined
  readonly narrowing: Narrowed | undefined
  readonly actor: Actor | undefined
  /** Collected alone: it says by itself which API, operation and resource. */
  readonly approval: string | undefined
}

const wrong = (pointer: string, expected: string): Refusal => {
  const errors: FieldError[] = [{ pointer, expected }]
  return refuse("invalid_request", `[${pointer.slice(1)}]`, { errors })
}

/** Parameters that mean something elsewhere: unknown ones are ignored (RFC 6749 section 3.2), these must not be. */
const NEVER: Readonly<Record<string, string>> = {
  actor_token: "none: who will act is named by requested_actor",
  actor_token_type: "none: who will act is named by requested_actor",
  client_secret: "none: nobody has a secret here",
}

export function readExchange(form: ReadonlyMap<string, string>): ExchangeAsked | Refusal {
  const never = Object.keys(NEVER).find((name) => form.has(name))
  if (never !== undefined) return wrong(`/${never}`, NEVER[never] ?? "none")
  return readAs(ExchangeForm, Object.fromEntries(form))
}

/** Names of operations are looked up in the policy: to which API they belong. */
export function wantedOf(asked: ExchangeAsked, policy: Policy): ExchangeWanted | Refusal {
  const { resource = asked.audience, audience = resource } = asked
  if (resource !== audience)
    return refuse("api_not_allowed", "[audience] another than the resource", {
      errors: [{ pointer: "/audience", expected: "the same as resource, or none" }],
    })
  const actor = readActor(asked)
  if (actor instanceof Refusal) return actor
  const narrowing = readNarrowing(asked, policy)
  if (narrowing instanceof Refusal) return narrowing
  const { approval } = asked
  if (approval !== undefined && (resource ?? narrowing ?? actor) !== undefined)
    return wrong("/approval", "none beside resource, scope, authorization_details and requested_actor")
  return { subjectToken: asked.subject_token, resource, narrowing, actor, approval }
}

function readActor({ requested_actor: actor, dpop_jkt: jkt }: ExchangeAsked): Actor | undefined | Refusal {
  if (actor === undefined)
    return jkt === undefined ? undefined : wrong("/dpop_jkt", "none without requested_actor")
  const holder = parseHolder(actor)
  return holder ? { ...holder, jkt } : wrong("/requested_actor", "an agent, a slash, an instance")
}

function readNarrowing(asked: ExchangeAsked, policy: Policy): Narrowed | undefined | Refusal {
  const { scope, authorization_details: details } = asked
  if (scope === undefined && details === undefined) return undefined
  const operations = scope === undefined ? undefined : parseScopeTokens(scope)
  if (scope !== undefined && !operations)
    return wrong("/scope", "operations, single spaces between, none twice")
  const grants = details === undefined ? undefined : readDetails(details, policy)
  if (grants instanceof Refusal) return grants
  return { ...(operations && { operations }), ...(grants && { grants }) }
}

const DETAILS = "a list of { type: task_grant, actions, resources } with the operations of one API in each"

/** As a token carries them; the rule may be left out and says nothing here. */
function readDetails(text: string, policy: Policy): Authority | Refusal {
  const value = readJson(text)
  if (value instanceof Refusal || !Array.isArray(value) || value.length === 0)
    return wrong("/authorization_details", DETAILS)
  const grants = value.map((one: JsonValue) => readDetail(one, policy))
  const read = grants.flatMap((one) => one ?? [])
  return read.length === grants.length ? read : wrong("/authorization_details", DETAILS)
}

function readDetail(value: JsonValue, policy: Policy): Authority | undefined {
  if (!isJsonObject(value) || !Array.isArray(value.actions)) return undefined
  const names = new Set(value.actions.map((one) => (isOperation(one) ? one.slice(0, one.indexOf(":")) : "")))
  const [name = ""] = names
  // An API that is unknown answers like one that the holder has nothing of.
  const api = policy.apis.get(name)?.resource ?? ""
  return names.size === 1 ? parseGrants([{ rule: "", ...value }], api)?.slice() : undefined
}
