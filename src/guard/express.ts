// Guards an Express 5 route as the plain server's guard does, by Express's matched route and decoded parameters, whatever
// letters, slashes and mounts they were matched by. It chooses no status and no default.
import type { NextFunction, Request, Response } from "express"
import { asGuard, type GuardOptions, givenBy } from "../verifier/target.ts"
import type { TaskUse, Verifier } from "../verifier/verifier.ts"
import { guard as guardNode, type Matched } from "./node.ts"

declare global {
  namespace Express {
    interface Request {
      /** The checked values. Absent where no guard has run, and on requests of others. */
      task: TaskUse
    }
  }
}

type Options = GuardOptions<Request<Matched["parameters"]>>
/**
 * Lets a request through when its token grants `operation` on `template`, where `{id}` is the route's own `:id`, of this
 * router or (with `mergeParams`) of those above. A list of a wildcard's segments is no value. The route is recorded as
 * written in its own router: what stands before it in the URL is the client's text.
 */
export function guard(verifier: Verifier, operation: string, template: string, options?: Options) {
  const admit = guardNode(verifier, operation, template)
  return asGuard(function taskGuard<P extends Matched["parameters"]>(
    req: Request<P>,
    res: Response,
    next: NextFunction,
  ) {
    const route = String(req.route?.path ?? "")
    const given = givenBy(options, req)
    const matched = { route, parameters: req.params, target: req.originalUrl, ...(given && { given }) }
    const pass = (task: TaskUse) => {
      req.task = task
      next()
    }
    return admit(req, res, matched, pass, next)
  })
}
