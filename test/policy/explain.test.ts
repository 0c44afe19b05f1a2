import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { explain } from "../../src/policy/explain.ts"
import { policyOf, shippedTexts } from "../support/policies.ts"
import { ROOT } from "../support/source.ts"

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

test("a disabled operation is named as what is left out", async () => {
  const texts = shippedTexts()
  const support = texts["support.yaml"]?.replace("{ risk: moderate }", "{ risk: moderate, enabled: false }")
  const { allowed, steps } = explain(await policyOf({ ...texts, "support.yaml": support ?? "" }), request)
  expect([allowed, steps.filter(({ ok }) => !ok)]).toEqual([
    true,
    [
      {
        ok: false,
        text: "the operation tickets:comment is disabled",
        place: { file: "support.yaml", line: 6, column: 3 },
      },
    ],
  ])
})

test("a condition is told nothing of a user whom no rule lets in", async () => {
  const texts = shippedTexts()
  const support = texts["support.yaml"]?.replace(
    /(\n {2}triage-ticket:\n)/,
    "$1    when: 'has(subject.name)'\n",
  )
  const user = {
    sub: "people/ana",
    provider: "people",
    issuer: "https://p.example",
    claims: {},
    rule: "nobody",
  }
  const { steps } = explain(await policyOf({ ...texts, "support.yaml": support ?? "" }), { ...request, user })
  expect(steps.map(({ text }) => text)).toContain('the condition "has(subject.name)" does not hold')
})

describe("conditions", () => {
  const page = readFileSync(join(ROOT, "docs/conditions.md"), "utf8")
  const tasks = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? ""
  const others = (texts: Record<string, string>) => texts["support.yaml"]?.replace(/\ntasks:[\s\S]*/, "\n")
  const texts = shippedTexts()
  const written = policyOf({ ...texts, "support.yaml": `${others(texts)}${tasks}` })
  const usage = { starts: 0, uses: 0, refusals: 0 }
  const at = (now: string) => ({ now: Date.parse(now), purpose: "Triage", reference: "run-7", usage })

  test.each<[string, Parameters<typeof explain>[1]["circumstances"], string[], string[]]>([
    ["all hold", at("2026-03-29T04:30:00Z"), ["tickets:read", "tickets:comment"], []],
    [
      "a grant's does not",
      at("2026-03-29T03:30:00Z"),
      ["tickets:read"],
      [
        'the condition "now.getHours(\\"Europe/Berlin\\") >= 6 && now.getHours(\\"Europe/Berlin\\") < 22\\n  && !i..." does not hold',
      ],
    ],
    [
      "the task's does not",
      { ...at("2026-03-29T04:30:00Z"), reference: undefined },
      [],
      [
        'the condition "has(task.reference) && usage.refusals < 100" does not hold',
        "refused: [condition] support.yaml:37:11 does not hold",
      ],
    ],
    [
      "nothing is known",
      undefined,
      [],
      [
        'the condition "has(task.reference) && usage.refusals < 100" does not hold',
        expect.stringMatching(/^the condition "now.*can't be told: /),
        "refused: [condition] support.yaml:37:11 does not hold",
      ],
    ],
  ])("of the page that documents them: %s", async (_, circumstances, operations, failed) => {
    const explanation = explain(await written, { ...request, circumstances })
    expect(explanation.authority?.flatMap((grant) => grant.operations) ?? []).toEqual(operations)
    expect(explanation.steps.filter(({ ok }) => !ok).map(({ text }) => text)).toEqual(failed)
  })
})
