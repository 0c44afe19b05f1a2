// What may run in a guarded mount: which handlers of its routes a guard covers, and who hears of the others when the host
// starts. It knows no framework and decides nothing about requests.
import { isGuard } from "../verifier/target.ts"

/** With neither, a route that no guard covers stops the host at its start. */
export interface MountOptions {
  /** Is told the routes that no guard covers, such as `GET /health`, once, when there are any. All are refused with 403. */
  readonly onUnmapped?: (routes: readonly string[]) => void
  /** Whether such a route is a TypeError at the start. Default: true without `onUnmapped`, else false. */
  readonly strict?: boolean
}

/** One handler of one route, in the order in which a request would meet them. */
export interface RoutePart {
  /** In capitals; `ALL` where it answers each. */
  readonly method: string
  readonly path: unknown
  readonly handler: object
  /** Whether it is written so that it can leave the request to the next one. */
  readonly passesOn: boolean
}

/**
 * Whether the part runs behind a guard of its own route (the same path; the same method, or all), or stands before that
 * guard and can pass on. Does NOT know whether something before the guard answers by itself.
 */
export function isCovered(parts: readonly RoutePart[], index: number): boolean {
  const part = parts[index]
  if (!part) return false
  const guarded = (some: readonly RoutePart[]) =>
    some.some(
      ({ path, method, handler }) =>
        isGuard(handler) && path === part.path && (method === "ALL" || method === part.method),
    )
  return guarded(parts.slice(0, index + 1)) || (part.passesOn && guarded(parts.slice(index + 1)))
}

/** Tells the host. Throws TypeError where it wants none of them. */
export function tellUnmapped(
  routes: readonly Pick<RoutePart, "method" | "path">[],
  { onUnmapped, strict }: MountOptions,
): void {
  const unmapped = [...new Set(routes.map(({ method, path }) => `${method} ${path}`))]
  if (unmapped.length === 0) return
  onUnmapped?.(unmapped)
  if (strict ?? onUnmapped === undefined)
    throw new TypeError(`guarded: no guard covers ${unmapped.join(", ")}`)
}
