// Guards a route of a plain node:http server, whose own router has matched it. It chooses no status and no default.
import type { IncomingMessage as Incoming, ServerResponse } from "node:http"
import { hideIncomingCredential } from "../verifier/credential.ts"
import { joinOutcome, sendAnswer } from "../verifier/outgoing.ts"
import { asGuard, type GuardOptions, givenBy, prepareTarget } from "../verifier/target.ts"
import type { TaskUse, Verifier } from "../verifier/verifier.ts"

export interface Matched {
  /** As the host wrote it, such as `/tickets/:id`. */
  readonly route?: string
  /** By name, decoded once. */
  readonly parameters: Readonly<Record<string, unknown>>
  /** As received, where somebody rewrites `incoming.url`. */
  readonly target?: string
  /** Instead of what the options find. */
  readonly given?: () => unknown
}
type Next = readonly [next: (task: TaskUse) => unknown, others?: () => unknown]
/**
 * Runs `next`, or answers a refusal itself, or runs `others`, which must be there with `others: "next"` and in observe mode.
 */
export type TaskGuard = (req: Incoming, res: ServerResponse, matched: Matched, ...next: Next) => Promise<void>
type Options = GuardOptions<Incoming>

/** Lets a request through when its token grants `operation` on `template`, where `{id}` is the parameter `id`. */
export function guard(verifier: Verifier, operation: string, template: string, options?: Options) {
  const target = prepareTarget(operation, template, verifier)
  return asGuard<TaskGuard>(async function taskGuard(req, res, matched, next, others) {
    const { method = "", url = "", rawHeaders } = req
    const { route = "", parameters, target: received = url, given = givenBy(options, req) } = matched
    const view = { method, target: received, rawHeaders, route }
    const decision = await target.check(verifier, view, parameters, given)
    if (decision.outcome === "refused") return sendAnswer(res, decision.answer)
    joinOutcome(res, decision)
    if (decision.outcome !== "not_ours") hideIncomingCredential(req)
    if (decision.outcome === "allowed") await next(decision.use)
    else if (others) await others()
    else throw new TypeError('guard: others: "next" and observe mode need somebody to go on with')
  })
}
