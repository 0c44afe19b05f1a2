// What a verifier says that it serves: operations, and the shapes of the resources that its routes touch. It decides how that is
// spelled and read; whether a policy agrees is for those who compare.
import { isSegment, MAX_SEGMENTS, type Resource } from "./resource.ts"

/** As it travels: `tickets:read` on `tickets/{id}`. */
export interface Declared {
  readonly operation: string
  readonly resources: readonly string[]
}

export const MOST_OPERATIONS = 500
export const MOST_SHAPES = 50

const PARAMETER = /^\{[A-Za-z_][A-Za-z0-9_-]{0,63}\}$/

/**
 * Reads a shape: literals, `*` or a parameter such as `{id}` for any one segment, a last `**` for one or more. What it answers
 * has `*` where a parameter stood. Undefined where it is no shape.
 */
export function parseShape(text: string): Resource | undefined {
  const parts = text.split("/")
  if (parts.length > MAX_SEGMENTS) return undefined
  const shape = parts.map((part) => (PARAMETER.test(part) ? "*" : part))
  const readable = shape.every(
    (part, at) => part === "*" || (part === "**" && at === shape.length - 1) || isSegment(part),
  )
  return readable ? shape : undefined
}

/** One spelling of what was said: each operation once, and all in order, so that the same code says the same. */
export function orderDeclared(said: Iterable<Declared>): readonly Declared[] {
  const byOperation = new Map<string, Set<string>>()
  for (const { operation, resources } of said) {
    const shapes = byOperation.get(operation) ?? new Set()
    for (const resource of resources) shapes.add(resource)
    byOperation.set(operation, shapes)
  }
  return [...byOperation.keys()]
    .sort()
    .map((operation) => ({ operation, resources: [...(byOperation.get(operation) ?? [])].sort() }))
}
