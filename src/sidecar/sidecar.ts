// The decision of the sidecar on one request, before anything is forwarded: a route of the table, a method that nobody
// renames, and then the verifier's own. It decides which refusal is given where no verifier is asked, and forwards nothing.
import { type FieldError, refuse } from "../errors.ts"
import { type Answer, createChallenge } from "../verifier/challenge.ts"
import { valuesUnder } from "../verifier/query.ts"
import type { RequestView, Verifier } from "../verifier/verifier.ts"
import { mayLackHeaders, type Passing, renamesMethod } from "./forwarded.ts"
import { createRoutes, type RouteMatch, type RouteRule } from "./routes.ts"

export interface SidecarOptions {
  readonly verifier: Verifier
  /** The verifier's own `resource`, for the challenges. */
  readonly resource: string
  /** What is not among them is refused. */
  readonly routes: readonly RouteRule[]
}

/** What may pass, with its route; or the finished answer. */
export type Judge = (
  view: Omit<RequestView, "route">,
) => Promise<{ readonly passing: Passing; readonly match: RouteMatch } | { readonly answer: Answer }>

export interface Sidecar {
  readonly judge: Judge
  /** 400 with the place that is malformed. */
  malformed(error: FieldError): Answer
  readonly metadata: Verifier["metadata"]
}

const CANONICAL =
  "a path in one spelling: no // ; # \\, no . and .. segments, no escapes of / \\ . % and of plain letters"
const OWN_METHOD = "the method in the request line, with no header or _method that renames it"
const TOO_MANY = { pointer: "/headers", expected: "fewer than 1000" }

/**
 * Prepares the decision. Throws TypeError for faulty routes. Does NOT look into bodies: an upstream that reads the method
 * from a form's `_method` must be told not to. What no verifier is asked about is refused in observe mode, too.
 */
export function createSidecar({ verifier, resource, routes }: SidecarOptions): Sidecar {
  const find = createRoutes(routes)
  for (const { operation, resource } of routes) verifier.declare(operation, resource)
  const challenge = createChallenge(resource)
  const malformed = (error: FieldError) =>
    challenge(refuse("invalid_request", "malformed", { errors: [error] }), "Bearer", "")
  return {
    malformed,
    metadata: verifier.metadata,
    async judge(view) {
      if (mayLackHeaders(view.rawHeaders)) return { answer: malformed(TOO_MANY) }
      const match = find(view.method, view.target)
      if (match === "not_canonical") return { answer: malformed({ pointer: "/target", expected: CANONICAL }) }
      if (match === "unmapped") return { answer: verifier.unmapped().answer }
      if (renamesMethod(view.rawHeaders) || valuesUnder("_method", match.query).length > 0)
        return { answer: malformed({ pointer: "/method", expected: OWN_METHOD }) }
      const { rule, target } = match.route
      const bound = target.bind(match.parameters)
      const decision = await verifier.check(
        { ...view, route: rule.path },
        rule.operation,
        bound?.resource,
        bound?.parameters,
      )
      if (decision.outcome === "refused") return { answer: decision.answer }
      if (decision.outcome !== "not_ours" || decision.observed) return { passing: decision, match }
      return { answer: challenge(refuse("token_missing", "absent"), "Bearer", rule.operation) }
    },
  }
}
