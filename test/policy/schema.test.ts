import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { scenarioJsonSchema } from "../../src/policy/scenario-schema.ts"
import { keysAt, policyJsonSchema } from "../../src/policy/schema.ts"
import { POLICIES } from "../support/policies.ts"

test.each([
  ["policy", policyJsonSchema],
  ["scenario", scenarioJsonSchema],
])(
  "the JSON Schema of a %s for editors is the one that the reader's definition gives (npm run schema)",
  (name, made) => {
    const written = readFileSync(join(POLICIES, `${name}.schema.json`), "utf8")
    expect(written).toBe(`${JSON.stringify(made(), null, 2)}\n`)
  },
)

test("the JSON Schema refuses unknown keys, as the reader does", () => {
  expect(policyJsonSchema()).toMatchObject({
    additionalProperties: false,
    properties: {
      tasks: {
        additionalProperties: {
          additionalProperties: false,
          required: expect.arrayContaining(["deadline", "grants"]),
        },
      },
    },
  })
})

test.each([
  [
    [],
    [
      "version",
      "identity_providers",
      "apis",
      "agents",
      "orchestrators",
      "users",
      "staff",
      "tasks",
      "anomalies",
    ],
  ],
  [
    ["tasks", "any", "grants", 0],
    ["api", "operations", "resources", "approval", "when"],
  ],
  [
    ["tasks", "any", "limits"],
    ["active_tasks", "starts_per_hour", "uses", "uses_of", "at_limit"],
  ],
  [
    ["apis", "any", "authenticate", 0],
    ["private_key_jwt", "workload"],
  ],
  [["nothing", "here"], []],
])("known keys at %j", (path, keys) => {
  expect(keysAt(path)).toEqual(keys)
})
