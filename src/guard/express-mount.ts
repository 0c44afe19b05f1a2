// An Express router in which nothing runs that no guard covers, and the handler that serves the resource's metadata. It
// decides nothing about tokens and chooses no status.
import type { RequestHandler, Router } from "express"
import { sendAnswer } from "../verifier/outgoing.ts"
import { asGuard, isGuard } from "../verifier/target.ts"
import type { Verifier } from "../verifier/verifier.ts"
import { isCovered, type MountOptions, type RoutePart, tellUnmapped } from "./mount.ts"

interface Stacked {
  readonly stack: readonly Layer[]
}

/** What this knows of a router's layers, in every Express 5. */
interface Layer {
  handle: RequestHandler & Partial<Stacked> & { readonly router?: Stacked }
  readonly method?: string | undefined
  readonly route?: { readonly path: unknown; readonly stack: readonly Layer[] }
  /** Whether it was added without a path. */
  readonly slash?: boolean
  /** The path that it was added with; not in every Express 5. */
  readonly rawPath?: unknown
}
type Bare = readonly [layer: Layer, part: Pick<RoutePart, "method" | "path">]

/**
 * What to mount instead of `router`, once its routes are there: `app.use("/v1", guarded(verifier, router, options))`.
 * Middleware for all of `router` (`use` without a path) runs, and what it answers by itself is the host's; routers and
 * apps in it are looked into, and answer OPTIONS with the methods that they know. Every other handler without a guard on
 * its own route is replaced by a refusal; so are addresses that have none. A route added later is a TypeError.
 */
export function guarded(verifier: Verifier, router: Router, options: MountOptions = {}): RequestHandler {
  const refuse: RequestHandler = (_, res) => sendAnswer(res, verifier.unmapped().answer)
  router.use(asGuard(refuse)) // before Express answers OPTIONS by itself
  const bare = findBare(router.stack)
  tellUnmapped(
    bare.map(([, part]) => part),
    options,
  )
  for (const [layer] of bare) layer.handle = refuse
  return asGuard<RequestHandler>((req, res, next) =>
    router(req, res, (fault) => (fault ? next(fault) : refuse(req, res, next))),
  )
}

/** The layers without a guard, in order. What was looked at can't grow any more. */
function findBare(layers: readonly Layer[]): Bare[] {
  return Object.freeze(layers).flatMap((layer): Bare[] => {
    const { handle, route, slash, rawPath } = layer
    if (route) return findBareParts(route.path, Object.freeze(route.stack))
    const inner = handle.stack ?? handle.router?.stack // a router's or an app's
    if (inner) return findBare(inner)
    const passes = slash === true && handle.length > 2 && handle.name !== "mounted_app"
    return passes || isGuard(handle) ? [] : [[layer, { method: "ALL", path: rawPath ?? "(use)" }]]
  })
}

function findBareParts(path: unknown, layers: readonly Layer[]): Bare[] {
  const parts = layers.map(({ method, handle }) => ({
    method: method?.toUpperCase() ?? "ALL",
    path,
    handler: handle,
    passesOn: handle.length > 2,
  }))
  return layers.flatMap((layer, at): Bare[] => {
    const part = parts[at]
    return !part || isCovered(parts, at) ? [] : [[layer, part]]
  })
}

/** Serves RFC 9728 metadata: `app.get(verifier.metadata.path, metadata(verifier))`. */
export const metadata = (verifier: Verifier): RequestHandler =>
  asGuard<RequestHandler>((_, res) => sendAnswer(res, verifier.metadata.answer))
