// docs/federation.md, held against the code: each policy loads, and the claims shown under it are the workload's that it names.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { readForeignJwt } from "../../src/token/foreign-jwt.ts"
import { judgeIdentity } from "../../src/token/identity.ts"
import { Unreadable } from "../../src/token/jwt.ts"
import { foreignJwt, foreignSigner } from "../support/foreign-issuer.ts"
import { faultsOf, policyOf } from "../support/policies.ts"
import { ROOT } from "../support/source.ts"

const page = readFileSync(join(ROOT, "docs/federation.md"), "utf8")
const recipes = [...page.matchAll(/^### (.+)\n\n```yaml\n([\s\S]*?)^```\n\n```json\n([\s\S]*?)^```$/gm)].map(
  ([, platform = "", policy = "", claims = ""]) => ({
    platform,
    policy: `version: 1\n${policy}`,
    claims: JSON.parse(claims),
  }),
)
const signer = foreignSigner("k", "ES256")

test("there is a recipe for each platform", () => {
  expect(recipes.map(({ platform }) => platform)).toEqual([
    "Kubernetes",
    "GitHub Actions",
    "GitLab CI",
    "Google Cloud",
    "AWS",
    "SPIFFE",
  ])
})

describe.each(recipes)("$platform", ({ policy: text, claims }) => {
  const verdictOn = async (changes: object = {}) => {
    const policy = await policyOf({ "a.yaml": text })
    const [caller] = [...policy.apis.values(), ...policy.orchestrators.values()]
    const [rule] = caller?.workloads ?? []
    const jwt = readForeignJwt(foreignJwt(signer, { ...claims, ...changes }))
    if (!rule || jwt instanceof Unreadable) throw new Error("no rule, or no JWT")
    expect(policy.identityProviders.get(rule.provider)?.issuer).toBe(claims.iss)
    const rules = { audience: "https://taskmint.internal", anyOf: [rule], now: claims.iat + 1 }
    const verdict = judgeIdentity(jwt, rules)
    return verdict instanceof Unreadable ? verdict.tag : "verified"
  }

  test("the policy loads without dev, and the claims are those of the workload that it names", async () => {
    expect(faultsOf({ "a.yaml": text }, {})).toBe("")
    expect(await verdictOn()).toBe("verified")
  })

  test.each([
    ["another subject, id or ref", { sub: "x", repository_id: "9", project_id: "9" }, "claims"],
    ["another audience", { aud: "https://other.example" }, "aud"],
    ["a longer life", { exp: claims.iat + 3601 }, "claims"],
  ])("%s is another's", async (_what, change, tag) => {
    expect(await verdictOn(change)).toBe(tag)
  })
})

test("the API of a cloud loads", () => {
  const [, api = ""] = /^```yaml outwards\n([\s\S]*?)^```$/m.exec(page) ?? []
  expect(api).toContain("openid: true")
  expect(faultsOf({ "a.yaml": `version: 1\n${api}` }, {})).toBe("")
})
