// Writes policies/policy.schema.json, the JSON Schema with which editors check and complete policy files.
import { writeFileSync } from "node:fs"
import { policyJsonSchema } from "../src/policy/schema.ts"

const target = new URL("../policies/policy.schema.json", import.meta.url)
writeFileSync(target, `${JSON.stringify(policyJsonSchema(), null, 2)}\n`)
