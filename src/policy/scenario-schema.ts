// What a scenario file looks like: the one definition, from which the reader and the JSON Schema for editors both come.
import { z } from "zod"
import { type Code, REFUSALS } from "../errors.ts"
import { parseInstant } from "../time.ts"
import { INSTANCE } from "../token/name.ts"
import { list, members, name, operation, text } from "./schema-words.ts"

const CODES = Object.keys(REFUSALS) as Code[]

const access = members(operation, list(text(500)))

const expectation = z
  .strictObject({
    authority: access.optional().describe("Exactly this, by operation: no more and no less; {} is nothing"),
    at_least: access.optional().describe("This, and whatever else there is"),
    after_approval: access.optional().describe("What a person must agree to first; absent: nothing"),
    refused: z.enum(CODES).optional().describe("The refusal's code"),
  })
  .refine(
    ({ authority, at_least, refused }) =>
      [authority, at_least, refused].filter((one) => one !== undefined).length === 1,
    "expected exactly one of authority, at_least, refused",
  )
  .refine(
    ({ after_approval, refused }) => after_approval === undefined || refused === undefined,
    "expected no after_approval beside refused",
  )

const NOTHING_DONE = { starts: 0, uses: 0, refusals: 0 }
const tally = z.int("expected a whole number").min(0, "expected at least 0").default(0)

const usage = z.strictObject({
  starts: tally.describe("Tasks of the agent, of all types"),
  uses: tally.describe("Uses that APIs allowed"),
  refusals: tally.describe("By the issuer and by APIs"),
})

const scenario = z.strictObject({
  name: text(200).describe("What it shows, in a sentence"),
  task: name.describe("The task type"),
  orchestrator: name.describe("Who starts it"),
  agent: name.describe("Who acts"),
  user: name.optional().describe("For somebody whom this rule in users lets in"),
  inputs: z.record(z.string(), z.string()).default({}).describe("As the start gives them"),
  operations: z.array(text(200)).optional().describe("Only these are asked for; absent: everything"),
  at: z
    .string()
    .refine((value) => parseInstant(value) !== undefined, "expected a time such as 2026-03-29T01:30:00Z")
    .optional()
    .describe("now of conditions (RFC 3339); absent: one that asks for it can't be told"),
  purpose: text(1000)
    .optional()
    .describe("task.purpose of conditions; absent: one that asks for it can't be told"),
  reference: text(200).optional().describe("task.reference of conditions; absent: the start has none"),
  instance: z
    .string()
    .regex(INSTANCE, "expected 1 to 128 of A-Z a-z 0-9 . _ : -")
    .optional()
    .describe("agent.instance of conditions; absent: one that asks for it can't be told"),
  usage: usage
    .default(NOTHING_DONE)
    .describe("usage of conditions: what the agent did in the last hour; absent: nothing"),
  delegated_to: z
    .array(name)
    .min(1, "expected at least one item")
    .optional()
    .describe(
      "The agents that it is handed down to, one below the other; what the last one may is looked at",
    ),
  expect: expectation.describe("What is expected"),
})

export const scenarioFile = z
  .strictObject({
    version: z.literal(1),
    scenarios: z.array(scenario).min(1, "expected at least one item"),
  })
  .describe("Scenarios for taskmint policy test")

export type ScenarioRule = z.output<typeof scenario>

/** The JSON Schema (draft-07, which editors read best) of a scenario file. */
export const scenarioJsonSchema = (): Record<string, unknown> => ({
  title: "taskmint scenarios",
  ...z.toJSONSchema(scenarioFile, { target: "draft-7", io: "input" }),
})
