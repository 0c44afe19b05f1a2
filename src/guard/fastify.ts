// Guards a Fastify 5 route: builds the view of the request from Fastify's matched route and decoded parameters, copies a
// refusal or goes on. It chooses no status and no default.
import type { FastifyReply, FastifyRequest } from "fastify"
import { hideIncomingCredential, withoutCredential } from "../verifier/credential.ts"
import { joinOutcome } from "../verifier/outgoing.ts"
import { asGuard, type GuardOptions, givenBy, prepareTarget } from "../verifier/target.ts"
import type { TaskUse, Verifier } from "../verifier/verifier.ts"

declare module "fastify" {
  interface FastifyRequest {
    /** The checked values. Absent where no guard has run, and on requests of others. */
    task: TaskUse
  }
}

type Options = GuardOptions<FastifyRequest>
/**
 * A route's `onRequest` hook: lets a request through, before its body is read, when its token grants `operation` on
 * `template`, where `{id}` is the route's own `:id`. Where `parameters` reads the body, its `preValidation` hook. The outcome
 * is joined when the response has ended.
 */
export function guard(verifier: Verifier, operation: string, template: string, options?: Options) {
  const target = prepareTarget(operation, template, verifier)
  return asGuard(async function taskGuard(request: FastifyRequest, reply: FastifyReply) {
    const { method, raw, originalUrl, params, routeOptions } = request
    const view = { method, target: originalUrl, rawHeaders: raw.rawHeaders, route: routeOptions.url ?? "" }
    const decision = await target.check(verifier, view, Object(params), givenBy(options, request))
    if (decision.outcome === "refused") {
      const { status, headers, body } = decision.answer
      return reply.code(status).headers(headers).send(Buffer.from(body))
    }
    joinOutcome(reply.raw, decision)
    if (decision.outcome === "not_ours") return
    hideIncomingCredential(raw)
    const others = withoutCredential(request.headers) // the host's own copies
    if (others) request.headers = others
    if (decision.outcome === "allowed") request.task = decision.use
  })
}
