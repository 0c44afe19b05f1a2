import { expect, test } from "vitest"
import { readCondition } from "../../src/policy/condition.ts"
import { review } from "../../src/policy/review.ts"
import { policyOf } from "../support/policies.ts"

const GRANT = 'api: tickets, operations: [tickets:close], resources: ["tickets/{ticket}"]'

/** A task type with these conditions, of which one grant needs an approval and another does not. */
const textWith = (task: string, free: string, approved = "") => {
  const when = (condition: string) => (condition ? `, when: '${condition}'` : "")
  return `version: 1
apis:
  tickets: { resource: https://tickets.example, owner: "#support", operations: { tickets:close: { risk: high } } }
agents: { bot: { owner: "#bots" } }
orchestrators: { queue: { owner: "#bots" } }
identity_providers: { people: { issuer: https://login.example.com, audience: taskmint } }
staff: { leads: { roles: [approver], authenticate: [{ openid: { provider: people, claims: { groups: leads } } }] } }
tasks:
  triage:
    description: Close
    orchestrators: [queue]
    agents: [bot]
    deadline: 2h
    inputs: { ticket: { pattern: "[A-Z]+-[0-9]+" } }
    ${task && `when: '${task}'`}
    grants:
      - { ${GRANT}${when(free)} }
      - { ${GRANT}, approval: { by: [leads], valid: 15m }${when(approved)} }
`
}

async function remarks(text: string): Promise<string[]> {
  const lines = text.split("\n")
  return review(await policyOf({ "a.yaml": text }))
    .filter(({ rule }) => /^condition-|^approval-bypassed/.test(rule))
    .map(({ rule, severity, place }) => {
      const standing = lines[place.line - 1]?.slice(place.column - 1).replace(/^'/, "")
      return `${rule} ${severity} ${standing?.slice(0, 8)}`
    })
}

const REFERENCE = "has(task.reference)"

test.each<[string, boolean | undefined, boolean]>([
  [REFERENCE, undefined, false],
  ["true", true, false],
  [`${REFERENCE} || !false`, true, false],
  [`true && ${REFERENCE}`, undefined, false],
  [`false || ${REFERENCE}`, undefined, false],
  [`!!${REFERENCE}`, undefined, false],
  ["!(true && false)", true, false],
  ["true && (true || usage.starts < 3)", true, false],
  ["false || false", false, false],
  [`${REFERENCE} && false`, false, false],
  [`true ? false : ${REFERENCE}`, false, false],
  [`${REFERENCE} ? true : true`, undefined, false],
  ["now.getHours() < 22", undefined, true],
  ['now.getHours("UTC") < 22', undefined, false],
  [`${REFERENCE} && (now.getDayOfWeek() == 0 || now.getHours("UTC") < 22)`, undefined, true],
  ['(now - timestamp("2026-01-01T00:00:00Z")).getHours() < 2', undefined, false],
])("%s is always %s, and asks a clock of no zone: %s", (source, constant, withoutZone) => {
  expect(readCondition(source, [])).toEqual({ constant, withoutZone })
})

test("each condition is remarked upon where it stands, that of a task and that of a grant", async () => {
  expect(await remarks(textWith(REFERENCE, "usage.uses < 9", REFERENCE))).toEqual([])
  expect(await remarks(textWith("true", "now.getHours() < 22", "false"))).toEqual([
    "condition-always-holds warning true'",
    "condition-without-zone note now.getH",
    "condition-never-holds warning false' }",
  ])
})

test.each([
  ["for which nothing must hold", "", "", true],
  ["for which the same must hold", REFERENCE, REFERENCE, true],
  ["for which nothing must hold, while the approval has a condition", "", REFERENCE, true],
  ["for which something holds always", "true", "", true],
  ["for which something must hold", REFERENCE, "", false],
  ["for which something else must hold", REFERENCE, 'task.purpose == "x"', false],
])("an approval is bypassed by a grant without one %s: %j, %j", async (_what, free, approved, said) => {
  const found = await remarks(textWith("", free, approved))
  const bypassed = found.filter((one) => one.startsWith("approval-bypassed"))
  expect(bypassed).toEqual(said ? ["approval-bypassed error tickets:"] : [])
})
