// The route table: which endpoint answers which method and path, and what everything else gets. It is the boundary where
// refusals become answers and faults become 503 without a word about themselves.
import { type Context, Hono } from "hono"
import { type Code, Refusal, refuse } from "../errors.ts"
import { newUuid } from "../token/id.ts"
import { type Admission, retryAfterSeconds } from "./admission.ts"
import { anomalyEndpoints } from "./anomalies.ts"
import { approvalEndpoints } from "./approvals.ts"
import { archiveEndpoints } from "./archive.ts"
import type { Callers } from "./caller.ts"
import { consoleEndpoints } from "./console/endpoints.ts"
import { isConsole, refusedAnswer } from "./console/refused.ts"
import { type Endpoint, type Entrance, JSON_TYPE, open } from "./endpoint.ts"
import { erasureEndpoints } from "./erasure.ts"
import { exportEndpoints } from "./export.ts"
import { exposureEndpoints } from "./exposures.ts"
import { healthEndpoints } from "./health.ts"
import { INERT } from "./inert.ts"
import { INTROSPECTION_PATH, introspectionEndpoints, REVOCATION_PATH } from "./introspection.ts"
import { keyEndpoints } from "./keys.ts"
import { privilegeEndpoints } from "./least-privilege.ts"
import { ledgerEndpoints } from "./ledger.ts"
import { logEndpoints } from "./log.ts"
import { metadataEndpoints } from "./metadata.ts"
import { describeSurface } from "./openapi.ts"
import { policyEndpoints } from "./policy.ts"
import { postureEndpoints } from "./posture.ts"
import { oauthError, problem, tokenError } from "./problem.ts"
import { questionEndpoints } from "./questions.ts"
import { reportEndpoints } from "./reports.ts"
import { revocationEndpoints } from "./revocations.ts"
import type { Rooms } from "./rooms.ts"
import { statusListEndpoints } from "./status-lists.ts"
import { statementEndpoints } from "./task-statement.ts"
import { taskEndpoints } from "./tasks.ts"
import type { Answered, Telemetry } from "./telemetry.ts"
import { TOKEN_PATH, tokenEndpoints } from "./token.ts"
import { useEndpoints } from "./uses.ts"
import { verifierEndpoints } from "./verifiers.ts"

export interface Boundary {
  readonly callers: Callers
  readonly admission: Admission
  readonly telemetry: Pick<Telemetry, "watch">
  /** Told of every refusal, for counting. */
  readonly refused: (code: Code) => void
  /** Told of every fault, with the request id that the caller got. */
  readonly faulted: (error: unknown, requestId: string) => void
}

/** Every endpoint there is. The OpenAPI document describes them and itself, not the console's pages, which are for people. */
export function endpointsOf(rooms: Rooms): readonly Endpoint[] {
  const endpoints = [
    ...metadataEndpoints(rooms),
    ...tokenEndpoints(rooms),
    ...introspectionEndpoints(rooms),
    ...statusListEndpoints(rooms),
    ...taskEndpoints(rooms),
    ...statementEndpoints(rooms),
    ...approvalEndpoints(rooms),
    ...useEndpoints(rooms),
    ...verifierEndpoints(rooms),
    ...revocationEndpoints(rooms),
    ...keyEndpoints(rooms),
    ...ledgerEndpoints(rooms),
    ...exportEndpoints(rooms),
    ...erasureEndpoints(rooms),
    ...archiveEndpoints(rooms),
    ...exposureEndpoints(rooms),
    ...reportEndpoints(rooms),
    ...anomalyEndpoints(rooms),
    ...postureEndpoints(rooms),
    ...questionEndpoints(rooms),
    ...privilegeEndpoints(rooms),
    ...logEndpoints(rooms),
    ...policyEndpoints(rooms),
    ...healthEndpoints(rooms.health),
  ]
  return [...endpoints, document(rooms.issuer, endpoints), ...consoleEndpoints(rooms)]
}

function document(issuer: string, endpoints: readonly Endpoint[]): Endpoint {
  let text: string | undefined
  const itself = open({
    method: "get",
    path: "/openapi.json",
    summary: "This document",
    group: "metadata",
    answers: { 200: { description: "OpenAPI 3.1" } },
    run() {
      text ??= describeSurface(issuer, [...endpoints, itself])
      return new Response(text, {
        headers: { "content-type": JSON_TYPE, ...INERT, "cache-control": "public, max-age=300" },
      })
    },
  })
  return itself
}

/** Where errors are OAuth's, beside the token endpoint (RFC 7009 section 2.2.1, RFC 7662 section 2.3). */
const OAUTH_PATHS: ReadonlySet<string> = new Set([INTROSPECTION_PATH, REVOCATION_PATH])

/** How a refusal looks there: OAuth's error, a page for people, a problem for everybody else. */
function refusalAt(path: string): typeof problem {
  if (path === TOKEN_PATH) return tokenError
  if (OAUTH_PATHS.has(path)) return oauthError
  return isConsole(path) ? refusedAnswer : problem
}

export function createApp(endpoints: readonly Endpoint[], boundary: Boundary): Hono {
  const app = new Hono()
  const refusal = (path: string, refused: Refusal, headers: Record<string, string> = {}): Response => {
    boundary.refused(refused.code)
    const requestId = newUuid()
    const answer = refusalAt(path)
    return answer(refused, requestId, { "x-request-id": requestId, ...headers })
  }
  const fault = (path: string, error: unknown): Response => {
    const requestId = newUuid()
    boundary.faulted(error, requestId)
    const answer = refusalAt(path)
    const refused = refuse("temporarily_unavailable", "[fault]", { retryAfterSeconds: retryAfterSeconds() })
    return answer(refused, requestId, { "x-request-id": requestId })
  }

  for (const endpoint of endpoints) {
    const answer = async (c: Context): Promise<Answered> => {
      try {
        const found = await answerOf(endpoint, c, boundary)
        if (!(found instanceof Refusal)) return { response: found }
        return { response: refusal(c.req.path, found), code: found.code }
      } catch (error) {
        // The boundary: whatever was thrown, the answer is "cannot tell", and only the operator learns why.
        return { response: fault(c.req.path, error), code: "fault" }
      }
    }
    app.on(endpoint.method, routeOf(endpoint), boundary.telemetry.watch(endpoint, answer))
  }
  // Apart, because a path with one handler is answered without composing any.
  const others = new Hono()
  for (const [route, allow] of methodsByRoute(endpoints))
    others.all(route, (c) => refusal(c.req.path, refuse("method_not_allowed", "[method]"), { allow }))
  others.notFound((c) => refusal(c.req.path, refuse("not_found", "[path]")))
  app.notFound((c) => others.fetch(c.req.raw))
  app.onError((error, c) => fault(c.req.path, error))
  return app
}

function answerOf(
  endpoint: Endpoint,
  c: Context,
  { callers, admission }: Boundary,
): Promise<Response | Refusal> {
  const identify: Entrance["identify"] = () => callers.identify(c.req.raw, c.req.path)
  return endpoint.answer(c.req.raw, (name) => c.req.param(name) ?? "", { identify, admission })
}

const routeOf = ({ path, deep }: Endpoint): string =>
  path.replaceAll(/\{(\w+)\}/g, ":$1") + (deep ? "{.+}" : "")

function methodsByRoute(endpoints: readonly Endpoint[]): Map<string, string> {
  const methods = new Map<string, string>()
  for (const endpoint of endpoints) {
    const route = routeOf(endpoint)
    const offered = endpoint.method === "get" ? "GET, HEAD" : endpoint.method.toUpperCase()
    const known = methods.get(route)
    methods.set(route, known ? `${known}, ${offered}` : offered)
  }
  return methods
}
