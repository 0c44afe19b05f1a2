// Sets of single uses, and random rights: what grants allow, found out path by path and not by comparing patterns, so that
// what compares patterns can be held against it.
import fc from "fast-check"
import type { Grant } from "../../src/token/authority.ts"

export const OPERATIONS = ["a:read", "a:write", "b:read"] as const
export type Operation = (typeof OPERATIONS)[number]

/** Every path of at most three segments over two letters: all that can be told apart. */
const PATHS = ["x", "y"].flatMap((one) => [
  [one],
  ...["x", "y"].flatMap((two) => [
    [one, two],
    [one, two, "x"],
    [one, two, "y"],
  ]),
])

/** One bit for each use of an operation on a path. */
export type Uses = readonly [number, number, number]

const fits = ([first, ...rest]: readonly string[], [segment, ...below]: readonly string[]): boolean => {
  if (first === undefined) return segment === undefined
  if (segment === undefined) return false
  if (first === "**") return true
  return (first === "*" || first === segment) && fits(rest, below)
}

const pathsOf = (pattern: readonly string[]): number =>
  PATHS.reduce((bits, path, at) => (fits(pattern, path) ? bits | (1 << at) : bits), 0)

export function usesOf(grants: readonly Pick<Grant, "operations" | "resources">[]): Uses {
  const [read, write, other] = OPERATIONS.map((operation) =>
    grants
      .filter(({ operations }) => operations.includes(operation))
      .flatMap(({ resources }) => resources)
      .reduce((bits, pattern) => bits | pathsOf(pattern), 0),
  )
  return [read ?? 0, write ?? 0, other ?? 0]
}

export const both = (one: Uses, other: Uses): Uses => [
  one[0] & other[0],
  one[1] & other[1],
  one[2] & other[2],
]
export const isWithin = (outer: Uses, inner: Uses): boolean => same(both(outer, inner), inner)
export const same = (one: Uses, other: Uses): boolean => one.every((bits, at) => bits === other[at])
export const isNothing = (uses: Uses): boolean => same(uses, [0, 0, 0])
export const ALL = (1 << PATHS.length) - 1
export const ofOperations = (operations: Iterable<string>): Uses => {
  const named = new Set(operations)
  const [read, write, other] = OPERATIONS.map((one) => (named.has(one) ? ALL : 0))
  return [read ?? 0, write ?? 0, other ?? 0]
}

const segment = fc.constantFrom("x", "y", "*")
const pattern = fc
  .tuple(fc.array(segment, { minLength: 0, maxLength: 2 }), fc.constantFrom("x", "y", "*", "**"))
  .map(([head, last]) => [...head, last])
export const operations = fc.uniqueArray(fc.constantFrom(...OPERATIONS), { minLength: 1 })
export const grants = fc.array(
  fc
    .tuple(fc.constantFrom("a", "b"), operations, fc.array(pattern, { minLength: 1, maxLength: 3 }))
    .map(([api, all, resources]): Grant => {
      const own = all.filter((one) => one.startsWith(`${api}:`))
      return {
        api: `https://${api}.example`,
        operations: own.length > 0 ? own : [`${api}:read`],
        resources,
        rule: "r",
      }
    }),
  { minLength: 1, maxLength: 3 },
)
