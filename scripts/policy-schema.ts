// Writes the JSON Schemas with which editors check and complete policy files and scenarios: policies/*.schema.json.
import { writeFileSync } from "node:fs"
import { scenarioJsonSchema } from "../src/policy/scenario-schema.ts"
import { policyJsonSchema } from "../src/policy/schema.ts"

const SCHEMAS = { policy: policyJsonSchema(), scenario: scenarioJsonSchema() }

for (const [name, schema] of Object.entries(SCHEMAS)) {
  const target = new URL(`../policies/${name}.schema.json`, import.meta.url)
  writeFileSync(target, `${JSON.stringify(schema, null, 2)}\n`)
}
