// docs/console.md, held against the code: its policy lets in whom it says, the setup page shows the same one, and every setting
// and flag that it names is there.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { SETTINGS } from "../../src/cli/settings.ts"
import { setUpPage } from "../../src/console/sign-in-page.ts"
import { CALLBACK_PATH } from "../../src/issuer/console/provider.ts"
import { entriesOf } from "../../src/issuer/console/staff.ts"
import { faultsOf, policyOf } from "../support/policies.ts"
import { ROOT } from "../support/source.ts"

const page = readFileSync(join(ROOT, "docs/console.md"), "utf8")
const [, block = ""] = /^ +```yaml\n([\s\S]*?)^ +```$/m.exec(page) ?? []
const text = `version: 1\n${block.replaceAll(/^ {3}/gm, "")}`

test("the policy loads without dev, and lets in whom it names", async () => {
  expect(faultsOf({ "a.yaml": text }, {})).toBe("")
  const policy = await policyOf({ "a.yaml": text })
  const lea = (groups: string[]) => ({
    provider: "people",
    issuer: "https://login.example.com",
    claims: { groups },
  })
  const names = (groups: string[]) => entriesOf(policy, lea(groups)).map(({ name }) => name)
  expect([names(["security-leads"]), names(["support"])]).toEqual([["security-leads"], []])
})

test("whoever has not set it up is shown the same policy, and the same address to register", () => {
  const redirectUri = `https://taskmint.example${CALLBACK_PATH}`
  expect(setUpPage({ why: "none", redirectUri, links: false })).toContain(
    text.replace("version: 1\n", "").trimEnd(),
  )
  expect(page).toContain(redirectUri)
})

test("every setting and flag that it names is there", () => {
  const known = Object.values<{ variable: string; flag?: string }>(SETTINGS)
  const variables = new Set(page.match(/\bTASKMINT_[A-Z_]+\b/g))
  const flags = new Set(page.match(/(?<=`)--console-[a-z-]+/g))
  expect([variables.size, flags.size]).toEqual([5, 3])
  for (const one of variables)
    expect(known.map(({ variable }) => variable)).toContain(one.replace(/_FILE$/, ""))
  for (const one of flags) expect(known.map(({ flag }) => flag)).toContain(one)
})
