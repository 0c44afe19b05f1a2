import { expect, test } from "vitest"
import { explain } from "../../src/policy/explain.ts"
import { policyOf, shippedTexts } from "../support/policies.ts"

const policy = await policyOf(shippedTexts())
const request = {
  type: "triage-ticket",
  orchestrator: "support-orchestrator",
  agent: "triage-bot",
  inputs: { ticket: "SUP-1042" },
}
const failures = (change: Partial<typeof request> & { operations?: string[]; resources?: string[] }) =>
  explain(policy, { ...request, ...change })
    .steps.filter((step) => !step.ok)
    .map((step) => step.text)

test("an allowed request is explained rule by rule, with places and what it would get", () => {
  const { allowed, steps, authority } = explain(policy, request)
  expect([allowed, steps.every((step) => step.ok), authority?.length]).toEqual([true, true, 1])
  expect(steps).toContainEqual({
    ok: true,
    text: "tickets grants tickets:close once one of leads agrees",
    place: { file: "support.yaml", line: 43, column: 9 },
  })
})

test("a token for a foreign API is told with its place in a status list", async () => {
  const texts = shippedTexts()
  const support = texts["support.yaml"]?.replace("    resource:", "    foreign: true\n    resource:") ?? ""
  const { steps } = explain(await policyOf({ ...texts, "support.yaml": support }), request)
  expect(steps.at(-1)).toEqual({
    ok: true,
    text: "a token for https://tickets.internal.example, which names its place in a status list",
    place: { file: "support.yaml", line: 6, column: 3 },
  })
  expect(explain(policy, request).steps.at(-1)?.text).toBe("a token for https://tickets.internal.example")
})

test.each([
  [{ type: "triage-tickets" }, ['the task type "triage-tickets" is unknown (did you mean "triage-ticket"?)']],
  [
    { orchestrator: "release-orchestrator" },
    [
      '"triage-ticket" does not list the orchestrator "release-orchestrator"',
      "refused: the task type does not list the orchestrator",
    ],
  ],
  [
    { agent: "summarizer" },
    [
      '"triage-ticket" does not list the agent "summarizer"',
      'at_most of "summarizer" leaves out tickets:comment',
      'at_most of "summarizer" leaves out tickets:close',
      "refused: the task type does not list the agent",
    ],
  ],
  [{ inputs: { ticket: "x" } }, ["/inputs/ticket: expected a text that fits [A-Z]{2,5}-[0-9]{1,9}"]],
  [{ operations: ["tickets:delete"] }, ["/operations/0: expected an operation that the task grants"]],
  [
    { resources: ["https://x.example"] },
    ["/resources/0: expected the resource of an API that the task grants"],
  ],
])("%j is explained by what is wrong, unknown and forbidden apart", (change, texts) => {
  expect(explain(policy, { ...request, ...change }).allowed).toBe(false)
  expect(failures(change)).toEqual(expect.arrayContaining(texts))
})
