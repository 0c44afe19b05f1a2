import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  type Authority,
  apisOf,
  contains,
  type Grant,
  intersect,
  narrow,
  operationsOf,
} from "../../src/token/authority.ts"
import { matchesResource, type Resource } from "../../src/token/resource.ts"

const API = fc.constantFrom("https://a.example", "https://b.example")
const OPERATION = fc.constantFrom("a:read", "a:write", "a:close")
const resource: fc.Arbitrary<Resource> = fc
  .tuple(fc.array(fc.constantFrom("x", "y", "*"), { maxLength: 2 }), fc.constantFrom("x", "*", "**"))
  .map(([path, last]) => [...path, last])
const grant: fc.Arbitrary<Grant> = fc.record({
  api: API,
  operations: fc.uniqueArray(OPERATION, { minLength: 1 }),
  resources: fc.array(resource, { minLength: 1, maxLength: 3 }),
  rule: fc.constantFrom("p.yaml#/1", "p.yaml#/2"),
})
const authority = fc.array(grant, { maxLength: 4 })
const narrowing = fc.record(
  {
    operations: fc.array(OPERATION).map((all) => new Set(all)),
    apis: fc.array(API).map((all) => new Set(all)),
  },
  { requiredKeys: [] },
)
const question = fc.record({
  api: API,
  operation: OPERATION,
  path: fc.array(fc.constantFrom("x", "y", "z"), { minLength: 1, maxLength: 4 }),
})

const allows = (rights: Authority, asked: { api: string; operation: string; path: string[] }) =>
  rights.some(
    (one) =>
      one.api === asked.api &&
      one.operations.includes(asked.operation) &&
      one.resources.some((each) => matchesResource(each, asked.path)),
  )

const read: Grant = {
  api: "https://a.example",
  operations: ["a:read"],
  resources: [["x"]],
  rule: "p.yaml#/1",
}
const runs = { numRuns: 1000 }

describe("contains", () => {
  test.each<[string, Authority, Authority, boolean]>([
    ["itself", [read], [read], true],
    ["nothing", [], [], true],
    ["nothing in something", [read], [], true],
    ["something in nothing", [], [read], false],
    ["another API", [read], [{ ...read, api: "https://b.example" }], false],
    ["another operation", [read], [{ ...read, operations: ["a:read", "a:write"] }], false],
    ["another resource", [read], [{ ...read, resources: [["y"]] }], false],
    ["a wider resource", [read], [{ ...read, resources: [["*"]] }], false],
    ["a narrower resource", [{ ...read, resources: [["**"]] }], [{ ...read, resources: [["x", "y"]] }], true],
    ["another rule for the same right", [read], [{ ...read, rule: "p.yaml#/2" }], true],
    ["an API as a prefix", [read], [{ ...read, api: "https://a.example.evil" }], false],
  ])("%s", (_what, outer, inner, answer) => {
    expect(contains(outer, inner)).toBe(answer)
  })

  test("an operation of one grant does not reach the resources of another", () => {
    const outer = [read, { ...read, operations: ["a:write"], resources: [["y"]] }]
    expect(contains(outer, [{ ...read, operations: ["a:write"], resources: [["x"]] }])).toBe(false)
  })

  test("what is contained allows nothing more", () => {
    fc.assert(
      fc.property(authority, authority, question, (outer, inner, asked) => {
        fc.pre(contains(outer, inner) && allows(inner, asked))
        expect(allows(outer, asked)).toBe(true)
      }),
      { numRuns: 300, maxSkipsPerRun: 1000 },
    )
  })
})

describe("narrow", () => {
  test("never widens", () => {
    fc.assert(
      fc.property(authority, narrowing, question, (rights, to, asked) => {
        const narrowed = narrow(rights, to)
        expect(contains(rights, narrowed)).toBe(true)
        if (allows(narrowed, asked)) expect(allows(rights, asked)).toBe(true)
      }),
      runs,
    )
  })

  test("is idempotent and commutative", () => {
    fc.assert(
      fc.property(authority, narrowing, narrowing, (rights, one, other) => {
        expect(narrow(narrow(rights, one), one)).toEqual(narrow(rights, one))
        expect(narrow(narrow(rights, one), other)).toEqual(narrow(narrow(rights, other), one))
      }),
      runs,
    )
  })

  test("keeps exactly what is named", () => {
    fc.assert(
      fc.property(authority, narrowing, question, (rights, to, asked) => {
        const named = (to.operations?.has(asked.operation) ?? true) && (to.apis?.has(asked.api) ?? true)
        expect(allows(narrow(rights, to), asked)).toBe(named && allows(rights, asked))
      }),
      runs,
    )
  })

  test("an empty set leaves nothing; an absent axis leaves all", () => {
    expect(narrow([read], { operations: new Set() })).toEqual([])
    expect(narrow([read], { apis: new Set() })).toEqual([])
    expect(narrow([read], {})).toEqual([read])
    expect(narrow([{ ...read, resources: [] }], {})).toEqual([])
  })
})

describe("intersect", () => {
  test("is contained in both", () => {
    fc.assert(
      fc.property(authority, authority, question, (ceiling, wanted, asked) => {
        const both = intersect(ceiling, wanted)
        expect(contains(ceiling, both) && contains(wanted, both)).toBe(true)
        if (allows(both, asked)) expect(allows(ceiling, asked) && allows(wanted, asked)).toBe(true)
      }),
      runs,
    )
  })

  test("keeps everything of what is wanted where the ceiling contains it", () => {
    fc.assert(
      fc.property(authority, authority, (more, wanted) => {
        expect(contains(intersect([...more, ...wanted], wanted), wanted)).toBe(true)
      }),
      runs,
    )
  })
})

test("operations and APIs are listed once, in the order of the grants", () => {
  const other: Grant = { ...read, api: "https://b.example", operations: ["b:read", "a:read"] }
  expect(operationsOf([read, other, read])).toEqual(["a:read", "b:read"])
  expect(apisOf([other, read, other])).toEqual(["https://b.example", "https://a.example"])
})
