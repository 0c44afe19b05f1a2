// Writes the tables of fields into docs/policies.md: between the marks `fields PATH` and `end`, from the schema that
// reads policies and scenarios, and the rules of `policy check`. The text around them is written by hand.
import { readFileSync, writeFileSync } from "node:fs"
import { withTables } from "../test/support/policy-reference.ts"

const page = new URL("../docs/policies.md", import.meta.url)
writeFileSync(page, withTables(readFileSync(page, "utf8")))
