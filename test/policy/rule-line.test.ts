// A rule is found in the texts of a policy by the words with which an entry names it.
import { expect, test } from "vitest"
import { findGrant, findUserRule } from "../../src/policy/rule-line.ts"

const TEXTS = new Map([
  ["keys/a.json", "{}"],
  [
    "a.yaml",
    `version: 1
tasks:
  one:
    grants:
      # of tickets
      - api: tickets
        operations: [tickets:read]

      - { api: tickets, operations: [tickets:close],
          resources: ["x"] }
    deadline: 2h
`,
  ],
  [
    "b.yml",
    "version: 1\r\nusers:\r\n  staff:   # ours\r\n    provider: people\r\n  others: { provider: people }\r\n",
  ],
  ["broken.yaml", "users: ["],
])

test.each([
  ["a.yaml#/tasks/one/grants/0", 6, "- api: tickets", 2],
  ["a.yaml#/tasks/one/grants/1", 9, "- { api: tickets, operations: [tickets:close],", 2],
])("%s is at line %d", (rule, line, text, lines) => {
  const found = findGrant(TEXTS, rule)
  expect(found).toMatchObject({ file: "a.yaml", line, text })
  expect(found?.rule.split("\n")).toHaveLength(lines)
})

test("a rule of users is found in whichever file it is", () => {
  expect(findUserRule(TEXTS, "staff")).toEqual({
    file: "b.yml",
    line: 3,
    text: "staff:   # ours",
    rule: "  staff:   # ours\n    provider: people",
  })
  expect(findUserRule(TEXTS, "others")?.line).toBe(5)
})

test.each([
  "a.yaml#/tasks/one/grants/2",
  "a.yaml#/tasks/two/grants/0",
  "c.yaml#/tasks/one/grants/0",
  "broken.yaml#/tasks/one/grants/0",
  "nonsense",
  "",
])("%j is nowhere: nothing is guessed", (rule) => {
  expect(findGrant(TEXTS, rule)).toBeUndefined()
})

test("a name that no file has is nowhere", () => {
  expect(findUserRule(TEXTS, "nobody")).toBeUndefined()
})
