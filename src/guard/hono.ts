// Guards a Hono route: builds the view of the request from Hono's matched route and decoded parameters, copies a refusal
// or goes on. It chooses no status and no default.
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Context, MiddlewareHandler } from "hono"
import { routePath } from "hono/route"
import { hideCredential, rawHeadersOf } from "../verifier/credential.ts"
import { joinHead, joinHeld } from "../verifier/outgoing.ts"
import { asGuard, type GuardOptions, givenBy, prepareTarget } from "../verifier/target.ts"
import type { TaskUse, Verifier } from "../verifier/verifier.ts"

/** What Hono's server for Node binds; `joinHead` costs less there than headers of a Response, and sees what is written past it. */
type NodeServer = { incoming?: IncomingMessage; outgoing?: ServerResponse }
/** Lets a request through when its token grants `operation` on `template`, where `{id}` is the route's own `:id`. */
export function guard(
  verifier: Verifier,
  operation: string,
  template: string,
  options?: GuardOptions<Context>,
): MiddlewareHandler<{ Bindings: NodeServer; Variables: { task: TaskUse } }> {
  const target = prepareTarget(operation, template, verifier)
  return asGuard(async function taskGuard(c, next) {
    const { method, raw } = c.req
    const { incoming, outgoing } = c.env ?? {}
    const view = {
      method,
      target: incoming?.url ?? raw.url, // `c.req.path` is decoded, and has no query
      rawHeaders: rawHeadersOf(raw.headers, incoming),
      route: routePath(c),
    }
    const decision = await target.check(verifier, view, c.req.param(), givenBy(options, c))
    if (decision.outcome === "refused") return new Response(decision.answer.body, decision.answer)
    if (decision.outcome !== "not_ours") hideCredential(raw.headers, incoming)
    if (decision.outcome === "allowed") c.set("task", decision.use)
    if (outgoing) joinHead(outgoing, decision.headers)
    await next()
    if (!outgoing) joinHeld(c, decision.headers)
    return decision.finished(c.res.status)
  })
}
