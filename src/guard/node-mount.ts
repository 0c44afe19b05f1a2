// A route table of a plain node:http server in which nothing runs that no guard covers, and the handler that serves the
// resource's metadata. It decides nothing about tokens and chooses no status.
import type { IncomingMessage, ServerResponse } from "node:http"
import { sendAnswer } from "../verifier/outgoing.ts"
import { isGuard } from "../verifier/target.ts"
import type { TaskUse, Verifier } from "../verifier/verifier.ts"
import { type MountOptions, tellUnmapped } from "./mount.ts"
import type { Matched, TaskGuard } from "./node.ts"

/** One route of the host's own router. */
export interface Route {
  readonly method: string
  readonly path: string
  readonly guard?: TaskGuard
  readonly handler: (incoming: IncomingMessage, outgoing: ServerResponse, task: TaskUse) => unknown
  /** Goes on with a request that is not ours; must be there when the verifier has `others: "next"`. */
  readonly others?: (incoming: IncomingMessage, outgoing: ServerResponse) => unknown
}

/** Runs the route that the host's router has matched, with that route's parameters, decoded; refuses where there is none. */
export type Serve = (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  route: Route | undefined,
  parameters?: Matched["parameters"],
) => Promise<void>

/** Refuses every route of the table without a guard, and every route that is not in the table as it is now. */
export function guarded(verifier: Verifier, routes: readonly Route[], options: MountOptions = {}): Serve {
  const guards = new Map(routes.flatMap((one) => (one.guard && isGuard(one.guard) ? [[one, one.guard]] : [])))
  tellUnmapped(
    routes.filter((one) => !guards.has(one)),
    options,
  )
  return async (incoming, outgoing, route, parameters = {}) => {
    const guard = route && guards.get(route)
    if (!route || !guard) return sendAnswer(outgoing, verifier.unmapped().answer)
    const { path, handler, others } = route
    const next = (task: TaskUse) => handler(incoming, outgoing, task)
    await guard(
      incoming,
      outgoing,
      { route: path, parameters },
      next,
      others?.bind(route, incoming, outgoing),
    )
  }
}

/** Serves RFC 9728 metadata, for the host to call at `verifier.metadata.path`. */
export const metadata = (verifier: Verifier) => (_: IncomingMessage, outgoing: ServerResponse) =>
  sendAnswer(outgoing, verifier.metadata.answer)
