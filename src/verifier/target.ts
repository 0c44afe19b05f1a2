// What a guarded route touches: an operation, and a resource template over the route's own parameters. Prepared once,
// when the route is mounted; misuse is a TypeError then. It decides nothing about tokens.
import { isOperation } from "../token/name.ts"
import { parseTemplate } from "../token/resource.ts"

export interface Target {
  readonly operation: string
  /**
   * Undefined: a parameter is absent. Values as the framework decoded them, never decoded again. Does NOT check that they
   * are data: the check does.
   */
  bind(parameters: Readonly<Record<string, string | undefined>>): BoundTarget | undefined
}

export interface BoundTarget {
  readonly resource: readonly string[]
  /** The parameters that the resource was made of. */
  readonly parameters: Readonly<Record<string, string>>
}

/** `tickets:read` on `tickets/{id}`: literals, and parameters of the route as whole segments. */
export function prepareTarget(operation: string, template: string): Target {
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
  return {
    operation,
    bind(values) {
      const parameters: Record<string, string> = Object.create(null)
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
}

/** Own values only: nothing inherited is a parameter. */
const ownText = (values: Readonly<Record<string, string | undefined>>, name: string) =>
  Object.hasOwn(values, name) ? values[name] : undefined
