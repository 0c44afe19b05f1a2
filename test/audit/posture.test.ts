// Where a policy and what is served differ, each rule by an example that breaks it alone; and shapes against what they stand for.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { canMatch, comparePosture, type Served } from "../../src/audit/posture/posture.ts"
import { POSTURE_RULES } from "../../src/audit/posture/rules.ts"
import { parseShape } from "../../src/token/declaration.ts"
import type { TemplateSegment } from "../../src/token/resource.ts"
import { policyOf, shippedTexts } from "../support/policies.ts"
import { ROOT } from "../support/source.ts"

const policy = await policyOf(shippedTexts())
const GUARDS: Readonly<Record<string, readonly string[]>> = {
  "tickets:read": ["tickets/{id}", "tickets/{id}/{part}"],
  "tickets:comment": ["tickets/{id}", "tickets/{id}/comments"],
  "tickets:close": ["tickets/{id}"],
}
const saying = (guards: Readonly<Record<string, readonly string[]>>, instances = 1) => ({
  instances,
  operations: Object.entries(guards).map(([operation, resources]) => ({ operation, resources })),
})
const serving = (...said: Served["said"]): Served => {
  const heard = said.reduce((all, { instances }) => all + instances, 0)
  return { open: heard, heard, declaring: heard, said }
}
/** Of the tickets API. */
const found = (served: Served | undefined) =>
  comparePosture(policy, new Map(served ? [["tickets", served]] : [])).filter(({ api }) => api === "tickets")
const without = (name: string) => Object.fromEntries(Object.entries(GUARDS).filter(([one]) => one !== name))

test("nothing is found where every grant has a route, and every route a name", () => {
  expect(found(serving(saying(GUARDS)))).toEqual([])
})

const DIFFERENT: readonly [rule: string, severity: string, served: Served | undefined, more?: object][] = [
  ["api-without-verifier", "warning", undefined],
  ["api-without-verifier", "warning", { open: 0, heard: 0, declaring: 0, said: [] }],
  ["api-silent", "warning", { open: 2, heard: 0, declaring: 0, said: [] }],
  ["api-undeclared", "note", { open: 2, heard: 1, declaring: 0, said: [] }],
  ["api-undeclared", "note", { ...serving(saying({})), heard: 2 }],
  [
    "operation-served-nowhere",
    "warning",
    serving(saying(without("tickets:close"))),
    { operation: "tickets:close", place: { file: "support.yaml", line: 43 } },
  ],
  [
    "operation-unknown",
    "warning",
    serving(saying({ ...GUARDS, "tickets:purge": ["tickets"] })),
    { operation: "tickets:purge", place: { file: "support.yaml" } },
  ],
  [
    "resource-served-nowhere",
    "warning",
    serving(saying({ ...GUARDS, "tickets:comment": ["tickets/{id}"] })),
    { operation: "tickets:comment", resource: "tickets/{ticket}/comments" },
  ],
  [
    "verifiers-differ",
    "note",
    serving(
      saying(GUARDS, 2),
      saying({ ...GUARDS, "tickets:close": ["tickets/{id}", "tickets/{id}/closing"] }),
    ),
    { message: expect.stringContaining("not all of them: tickets:close on tickets/{id}/closing") },
  ],
]

test.each(DIFFERENT)("%s is a %s", (rule, severity, served, more = {}) => {
  expect(found(served)).toMatchObject([{ rule, severity, api: "tickets", fix: expect.any(String), ...more }])
})

test("an operation that nothing grants and nobody serves is a note", async () => {
  const text = shippedTexts()["support.yaml"]?.replace(
    "tickets:close: { risk: high }",
    "tickets:close: { risk: high }\n      tickets:merge: { risk: high }",
  )
  const changed = await policyOf({ ...shippedTexts(), "support.yaml": text ?? "" })
  const told = comparePosture(changed, new Map([["tickets", serving(saying(GUARDS))]]))
  expect(told.filter(({ api }) => api === "tickets")).toMatchObject([
    { rule: "operation-unserved", severity: "note", operation: "tickets:merge" },
  ])
})

test("of an operation that is disabled nothing is said, whether it is granted and served or not", async () => {
  const text = shippedTexts()["support.yaml"]?.replace("{ risk: high }", "{ risk: high, enabled: false }")
  const changed = await policyOf({ ...shippedTexts(), "support.yaml": text ?? "" })
  for (const guards of [GUARDS, without("tickets:close")]) {
    const told = comparePosture(changed, new Map([["tickets", serving(saying(guards))]]))
    expect(told.filter(({ api }) => api === "tickets")).toEqual([])
  }
})

test("where an instance does not declare, nothing is said to be served nowhere; what is served unnamed still is", () => {
  const served = { ...serving(saying({ "tickets:purge": ["tickets"] })), open: 2, heard: 2 }
  expect(found(served).map(({ rule }) => rule)).toEqual(["operation-unknown", "api-undeclared"])
})

test("an API whose verifiers are not ours is asked for none", async () => {
  const text = shippedTexts()["support.yaml"]?.replace(
    "    resource: https://tickets.internal.example\n",
    "    resource: https://tickets.internal.example\n    foreign: true\n",
  )
  const changed = await policyOf({ ...shippedTexts(), "support.yaml": text ?? "" })
  expect(changed.apis.get("tickets")?.foreign).toBe(true)
  expect(comparePosture(changed, new Map()).filter(({ api }) => api === "tickets")).toEqual([])
})

test("the gravest come first", () => {
  const all = comparePosture(
    policy,
    new Map([["tickets", { ...serving(saying({ "tickets:x": ["x"] })), heard: 2 }]]),
  )
  expect(all.map(({ severity }) => severity)).toEqual(["warning", "warning", "note"])
})

test("docs/policies.md has every rule, with its severity and what to do", () => {
  const page = readFileSync(join(ROOT, "docs/policies.md"), "utf8").split("\n")
  for (const [rule, { severity, fix }] of Object.entries(POSTURE_RULES))
    expect(
      page.filter(
        (line) => line.startsWith(`| \`${rule}\` | ${severity} | `) && line.endsWith(` | ${fix} |`),
      ),
    ).toHaveLength(1)
  expect(new Set(DIFFERENT.map(([rule]) => rule)).size, "an example of each but the note above").toBe(
    Object.keys(POSTURE_RULES).length - 1,
  )
})

describe("a template and a shape can meet", () => {
  const ALPHABET = ["a", "b"] as const
  const literal = fc.constantFrom(...ALPHABET)
  const segment: fc.Arbitrary<TemplateSegment> = fc.oneof(
    literal.map((text) => ({ literal: text })),
    fc.constant({ input: "x" }),
    fc.constant<"*">("*"),
  )
  const ending = <T>(parts: readonly T[], open: boolean): readonly (T | "**")[] =>
    open || parts.length === 0 ? [...parts, "**"] : parts
  const template = fc
    .tuple(fc.array(segment, { maxLength: 3 }), fc.boolean())
    .map(([parts, open]) => ending(parts, open))
  const shape = fc
    .tuple(fc.array(fc.oneof(literal, fc.constantFrom("{id}", "*")), { maxLength: 3 }), fc.boolean())
    .map(([parts, open]) => ending(parts, open).join("/"))
  /** Every path of up to five segments: long enough that any two of these patterns that meet, meet in one of them. */
  const paths = [1, 2, 3, 4, 5].flatMap((length) =>
    Array.from({ length: 2 ** length }, (_, bits) =>
      Array.from({ length }, (_one, at) => ALPHABET[(bits >> at) & 1] ?? "a"),
    ),
  )
  const stands = (pattern: readonly string[], path: readonly string[]) =>
    new RegExp(
      `^${pattern.map((part) => (part === "**" ? "[ab](/[ab])*" : /^[ab]$/.test(part) ? part : "[ab]")).join("/")}$`,
    ).test(path.join("/"))

  test("exactly where one path is of both", () => {
    fc.assert(
      fc.property(template, shape, (one, text) => {
        const written = one.map((part) =>
          typeof part === "string" ? part : "literal" in part ? part.literal : "{x}",
        )
        const both = paths.some((path) => stands(written, path) && stands(text.split("/"), path))
        expect(canMatch(one, parseShape(text) ?? [])).toBe(both)
      }),
      { numRuns: 1000 },
    )
  })
})

test("what a disabled task type grants is granted to nobody, and missed by nobody", async () => {
  const text = shippedTexts()["support.yaml"] ?? ""
  const off = await policyOf({
    ...shippedTexts(),
    "support.yaml": text.replace(/(\n {2}triage-ticket:\n)/, "$1    enabled: false\n"),
  })
  const told = comparePosture(off, new Map([["tickets", serving(saying(without("tickets:close")))]]))
  expect(told.filter(({ api }) => api === "tickets")).toMatchObject([
    { rule: "operation-unserved", operation: "tickets:close" },
  ])
})
