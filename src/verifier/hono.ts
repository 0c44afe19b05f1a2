// Guards a Hono route: builds the view of the request from Hono's matched route and decoded parameters, copies a refusal
// or goes on. It chooses no status and no default.
import type { Context, MiddlewareHandler } from "hono"
import type { TaskUse, Verifier } from "./verifier.ts"

/** Lets a request through when its token grants `operation` on `template`, where `{id}` is the route's own `:id`. */
export function guard(
  _verifier: Verifier,
  _operation: string,
  _template: string,
  _options: { readonly parameters?: (c: Context) => unknown } = {},
): MiddlewareHandler<{ Variables: { task: TaskUse } }> {
  return async (c) => c.body(null, 503)
}
