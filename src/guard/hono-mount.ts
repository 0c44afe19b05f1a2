// A Hono app in which nothing runs that no guard covers, and the handler that serves the resource's metadata. It decides
// nothing about tokens and chooses no status.
import { type Env, Hono } from "hono"
import { mount } from "hono/mount"
import { findTargetHandler, isMiddleware } from "hono/utils/handler"
import type { Answer } from "../verifier/challenge.ts"
import { asGuard } from "../verifier/target.ts"
import type { Verifier } from "../verifier/verifier.ts"
import { isCovered, type MountOptions, tellUnmapped } from "./mount.ts"

/**
 * What to mount instead of `api`, once its routes are there: `app.route("/v1", guarded(verifier, api, options))`.
 * Middleware for all of `api` (`use` without a path) runs, and what it answers by itself is the host's. Every other
 * handler of `api` without a guard on its own route is replaced by a refusal, an app that Hono's `mount` put at its root
 * too; so are addresses that have none. Does NOT see what middleware of the host's own hands a request on to.
 */
export function guarded<E extends Env>(verifier: Verifier, api: Hono<E>, options: MountOptions = {}) {
  const mounting = mountingTexts(api)
  const parts = api.routes.map(({ method, path, basePath, handler }) => {
    const target = findTargetHandler(handler)
    const all = method === "ALL" && path === `${basePath}/*`.replace("//", "/")
    const passesOn = isMiddleware(target) && !mounting.has(String(target))
    return { method, path, handler: target, passesOn, all }
  })
  const unmapped = api.routes.filter(
    (_, at) => !isCovered(parts, at) && !(parts[at]?.all && parts[at]?.passesOn),
  )
  tellUnmapped(unmapped, options)
  const refuse = asGuard(() => copy(verifier.unmapped().answer))
  for (const route of unmapped) route.handler = refuse
  return new Hono<E>().route("/", api).all("*", refuse)
}

/**
 * How the handlers of `mount` are written. Each is registered as middleware is, and looks like it; that they are copies of one
 * function is all that tells them apart. Asked is the class that `api` is of: it may come from another copy of Hono than ours.
 */
function mountingTexts<E extends Env>(api: Hono<E>): ReadonlySet<string> {
  const made = [String(mount(() => new Response()))]
  let base: object | undefined
  for (let one: object | null = api; one; one = Object.getPrototypeOf(one))
    if (Object.hasOwn(one, "mount")) base = one
  if (base) {
    const probe: Hono = Reflect.construct(base.constructor, [{ router: { add: () => undefined } }])
    probe.mount("/", () => new Response())
    made.push(...probe.routes.map(({ handler }) => String(handler)))
  }
  return new Set(made)
}

/** Serves RFC 9728 metadata: `app.get(verifier.metadata.path, metadata(verifier))`. */
export const metadata = (verifier: Verifier): (() => Response) =>
  asGuard(() => copy(verifier.metadata.answer))

const copy = (answer: Answer) => new Response(answer.body, answer)
