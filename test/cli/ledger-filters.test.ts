// How filters on the command line become those that the issuer reads.
import { expect, test } from "vitest"
import { filtersIn } from "../../src/cli/ledger-filters.ts"

test("what was given, and nothing else", () => {
  expect(filtersIn({})).toEqual({})
  expect(filtersIn({ agent: "bot", kind: "use.refused" })).toEqual({ agent: "bot", kind: "use.refused" })
})

test("an instance may be named as tables and orders name it, with its agent", () => {
  const both = { agent: "bot", instance: "pod-1" }
  expect(filtersIn({ instance: "bot/pod-1" })).toEqual(both)
  expect(filtersIn({ instance: "bot/pod-1", agent: "bot" })).toEqual(both)
  expect(filtersIn({ instance: "pod-1" })).toEqual({ instance: "pod-1" })
})

test.each(["bot/", "/pod-1", "bot/pod-1/x"])("%s is no instance, and would find nothing", (instance) => {
  expect(() => filtersIn({ instance })).toThrow(/--instance .* is no instance/)
})

test("an instance of one agent is none of another", () => {
  expect(() => filtersIn({ instance: "bot/pod-1", agent: "other" })).toThrow(/--agent/)
})
