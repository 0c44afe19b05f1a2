// Guards an Express 5 route as the plain server's guard does, by Express's matched route and decoded parameters, whatever
// letters, slashes and mounts they were matched by. It chooses no status and no default.
import type { Request, RequestHandler } from "express"
import { guard as guardNode } from "./node.ts"
import { asGuard, type GuardOptions } from "./target.ts"
import type { TaskUse, Verifier } from "./verifier.ts"

declare global {
  namespace Express {
    interface Request {
      /** The checked values. Absent where no guard has run, and on requests of others. */
      task: TaskUse
    }
  }
}

/**
 * Lets a request through when its token grants `operation` on `template`, where `{id}` is the route's own `:id`, of this
 * router or (with `mergeParams`) of those above. A list of a wildcard's segments is no value. The route is recorded as
 * written in its own router: what stands before it in the URL is the client's text.
 */
export function guard<P extends Readonly<Record<string, unknown>>>(
  verifier: Verifier,
  operation: string,
  template: string,
  _options?: GuardOptions<Request>,
): RequestHandler<P> {
  const admit = guardNode(verifier, operation, template)
  return asGuard<RequestHandler<P>>(function taskGuard(req, res, next) {
    const route = String(req.route?.path ?? "")
    const pass = (task: TaskUse) => {
      req.task = task
      next()
    }
    return admit(req, res, { route, parameters: req.params, target: req.originalUrl }, pass, next)
  })
}
