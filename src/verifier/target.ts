// What a guarded route touches: an operation, and a resource template over the route's own parameters. Prepared once,
// when the route is mounted; misuse is a TypeError then. It decides nothing about tokens.
import { Members } from "../token/members.ts"
import { isOperation } from "../token/name.ts"
import { parseTemplate } from "../token/resource.ts"
import type { Given } from "./approved.ts"
import type { Decision, RequestView, Verifier } from "./verifier.ts"

export interface Target {
  readonly operation: string
  /**
   * Undefined: a parameter is absent, or is no text (a list of a wildcard's segments). Values as the framework decoded
   * them, never decoded again. Does NOT check that they are data: the check does.
   */
  bind(parameters: Readonly<Record<string, unknown>>): BoundTarget | undefined
  /** Binds, and has the verifier decide. */
  check(
    verifier: Verifier,
    view: RequestView,
    parameters: Readonly<Record<string, unknown>>,
    given?: Given,
  ): Promise<Decision>
}

export interface BoundTarget {
  readonly resource: readonly string[]
  /** The parameters that the resource was made of. */
  readonly parameters: Readonly<Record<string, string>>
}

export interface GuardOptions<Request> {
  /**
   * The parameters that the handler acts on, as JSON, such as the parsed body: asked only for tokens that a person approved
   * for certain parameters, which must be these. Where it throws or answers undefined, such a token is refused. Absent: only
   * what was approved without parameters passes, whatever the request carries besides its route.
   */
  readonly parameters?: (request: Request) => unknown
}

/** What a guard's options find in a request. */
export const givenBy = <R>({ parameters }: GuardOptions<R> = {}, request: R): Given | undefined =>
  parameters && (() => parameters(request))

/**
 * `tickets:read` on `tickets/{id}`: literals, and parameters of the route as whole segments. `servedBy` is told that a guard
 * serves it.
 */
export function prepareTarget(
  operation: string,
  template: string,
  servedBy?: Pick<Verifier, "declare">,
): Target {
  if (!isOperation(operation))
    throw new TypeError(`guard: ${operation} is not an operation, like tickets:read`)
  const names = new Set(
    [...template.matchAll(/\{([A-Za-z_][A-Za-z0-9_-]{0,63})\}/g)].map((match) => match[1] ?? ""),
  )
  const segments = parseTemplate(template, names)
  if (typeof segments === "string") throw new TypeError(`guard: ${template}: ${segments}`)
  const parts = segments.map((segment) => {
    if (typeof segment === "string")
      throw new TypeError(`guard: ${template}: a request touches no ${segment}`)
    return segment
  })
  servedBy?.declare(operation, template)
  const target: Target = {
    operation,
    check(verifier, view, values, given) {
      const bound = target.bind(values)
      return verifier.check(view, operation, bound?.resource, bound?.parameters, given)
    },
    bind(values) {
      const parameters = new Members<string>()
      const resource: string[] = []
      for (const part of parts) {
        const value = "literal" in part ? part.literal : ownText(values, part.input)
        if (value === undefined) return undefined
        resource.push(value)
        if ("input" in part) parameters[part.input] = value
      }
      return { resource, parameters }
    },
  }
  return target
}

/** Own values only: nothing inherited is a parameter. */
function ownText(values: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = Object.hasOwn(values, name) ? values[name] : undefined
  return typeof value === "string" ? value : undefined
}

const guards = new WeakSet<object>()

/** Marks a framework's handler as deciding by the verifier, for guarded mounts to know it by. */
export function asGuard<T extends object>(handler: T): T {
  guards.add(handler)
  return handler
}

/** Whether that very handler was marked. One wrapped in another is not. */
export const isGuard = (handler: object): boolean => guards.has(handler)
