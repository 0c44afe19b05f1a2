// docs/anomalies.md, held against the code: it names every rule with its least, and its YAML loads.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import {
  ANOMALY_RULES,
  AT_LEAST,
  DEVIATIONS,
  LEARN,
  REMEMBERED_DAYS,
} from "../../src/policy/anomaly-rules.ts"
import { faultsOf, shippedTexts } from "../support/policies.ts"
import { ROOT } from "../support/source.ts"

const page = readFileSync(join(ROOT, "docs/anomalies.md"), "utf8")

test("every rule has a line, and those that count say their least", () => {
  const rules = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, rule]) => rule)
  expect(rules).toEqual([...ANOMALY_RULES])
  for (const [rule, least] of Object.entries(AT_LEAST))
    expect(page).toMatch(new RegExp(`^\\| \`${rule}\` .*; at least ${least} \\|$`, "m"))
})

test("the numbers are those that hold", () => {
  expect(page).toContain(`\`deviations\` (${DEVIATIONS})`)
  expect(page).toContain(`ended ${LEARN.tasks} tasks of the type and worked on ${LEARN.days} days`)
  expect(page).toContain(`in the last ${REMEMBERED_DAYS} days`)
})

test("its YAML loads", () => {
  const [, yaml] = /^```yaml\n([\s\S]*?)^```$/m.exec(page) ?? []
  expect(faultsOf({ ...shippedTexts(), "anomalies.yaml": `version: 1\n${yaml}` })).toBe("")
})
