import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { FIXTURES, faultsOf, shippedTexts, textOf } from "../support/policies.ts"

const keys = Object.fromEntries(Object.entries(shippedTexts()).filter(([name]) => name.startsWith("keys/")))
const bad = readdirSync(join(FIXTURES, "bad")).sort()

describe("a good policy", () => {
  test("the shipped files hold, each alone and all together", () => {
    for (const name of ["support.yaml", "deployments.yaml", "staff.yaml"]) {
      expect(faultsOf({ ...keys, [name]: textOf(name) })).toBe("")
    }
    expect(faultsOf(shippedTexts())).toBe("")
  })

  test("every supported rule is taken", () => {
    expect(faultsOf({ "a.yaml": readFileSync(join(FIXTURES, "good/everything.yaml"), "utf8") })).toBe("")
  })

  test("key files may lie beside the folder", () => {
    const beside = textOf("support.yaml").replaceAll("keys/", "../keys/")
    const besideKeys = Object.fromEntries(Object.entries(keys).map(([name, text]) => [`../${name}`, text]))
    expect(faultsOf({ ...besideKeys, "support.yaml": beside })).toBe("")
  })
})

/** Each file says in its first lines what is wrong with it: `# expect line:column: message (hint)`. */
describe("a bad policy is told with its place, what was expected and the nearest valid name", () => {
  test.each(bad)("%s", (name) => {
    const text = readFileSync(join(FIXTURES, "bad", name), "utf8")
    const expected = [...text.matchAll(/^\uFEFF?# expect (.*)$/gmu)].map((match) => `${name}:${match[1]}`)
    expect(expected).not.toEqual([])
    expect(faultsOf({ ...keys, [name]: text }).split("\n")).toEqual(expected)
  })
})

describe("across files", () => {
  test("a name defined twice is told with both places", () => {
    const again = `version: 1\nagents:\n  summarizer: { owner: someone@example.com }\n`
    expect(faultsOf({ ...shippedTexts(), "zz.yaml": again })).toBe(
      'zz.yaml:3:3: expected each name once in agents, found "summarizer" again (first in support.yaml:20)',
    )
  })

  test("two APIs never share a resource, a trailing slash apart or not", () => {
    const api = (resource: string) =>
      `version: 1\napis: { other: { resource: "${resource}", owner: a, operations: { other:read: { risk: low } } } }\n`
    const fault = 'zz.yaml:2:28: expected a resource of its own, found that of the API "tickets"'
    expect(faultsOf({ ...shippedTexts(), "zz.yaml": api("https://tickets.internal.example") })).toBe(fault)
    expect(faultsOf({ ...shippedTexts(), "zz.yaml": api("https://tickets.internal.example/") })).toBe(fault)
    expect(faultsOf({ ...shippedTexts(), "zz.yaml": api("https://tickets.internal.example/v2") })).toBe("")
  })

  test("one load tells every fault of every file", () => {
    const faults = faultsOf({ "a.yaml": "version: 2\n", "b.yaml": "version: 1\ntask: {}\n" })
    expect(faults).toBe(
      'a.yaml:1:10: expected 1, found 2\nb.yaml:2:1: expected a known key, found "task" (did you mean "tasks"?)',
    )
  })
})

test.each([
  ["http://localhost:8080", true],
  ["http://127.0.0.1", true],
  ["http://127.9.9.9:1", true],
  ["http://[::1]:8080", true],
  ["http://127.example", false],
  ["http://127.0.0.1.example", false],
  ["http://localhost.example", false],
  ["http://[::2]", false],
])("plain http is for loopback addresses, not for names that begin like one: %s", (resource, isTaken) => {
  const text = textOf("support.yaml").replace("https://tickets.internal.example", resource)
  const faults = faultsOf({ ...keys, "support.yaml": text })
  expect(faults).toBe(
    isTaken ? "" : `support.yaml:7:15: expected an https URL (http only on loopback), found "${resource}"`,
  )
})

test.each(
  ["apis", "agents", "orchestrators", "staff"].flatMap((one, at, all) =>
    all.slice(at + 1).map((other) => [one, other]),
  ),
)("a client id is one caller's: in %s and in %s it is not", (one, other) => {
  const rules: Record<string, string> = {
    apis: "{ resource: https://twin.example, owner: a, operations: { twin:read: { risk: low } } }",
    agents: "{ owner: a }",
    orchestrators: "{ owner: a }",
    staff: "{ roles: [auditor] }",
  }
  const text = `version: 1\n${one}:\n  twin: ${rules[one]}\n${other}:\n  twin: ${rules[other]}\n`
  expect(faultsOf({ "a.yaml": text })).toBe(
    `a.yaml:5:3: expected "twin" in one of apis, agents, orchestrators and staff, found it in ${one} and ${other} (it is a client id)`,
  )
})

describe("what only dev lets through", () => {
  test("an example key", () => {
    const faults = faultsOf(shippedTexts(), {})
    expect(faults.split("\n")).toHaveLength(6)
    expect(faults).toContain("expected a key of your own, found an example key that taskmint ships")
  })

  test("an approver with a key", () => {
    const approver = textOf("staff.yaml").replace("[operator]", "[operator, approver]")
    expect(faultsOf({ ...keys, "staff.yaml": approver })).toBe("")
    expect(faultsOf({ ...keys, "staff.yaml": approver }, {})).toContain(
      "staff.yaml:11:23: expected no key for an approver: approving needs a person (only --dev lets a key approve)",
    )
  })

  test("an approver with a workload, also beside a person", () => {
    const staff = (ways: string) => `version: 1
identity_providers:
  people: { issuer: https://people.example, audience: taskmint, jwks: keys/audit-team.jwks.json }
staff:
  leads:
    roles: [approver]
    authenticate: [${ways}]
`
    const person = "{ openid: { provider: people, claims: { groups: leads } } }"
    const workload = "{ workload: { provider: people, subject: leads } }"
    for (const ways of [workload, `${person}, ${workload}`]) {
      expect(faultsOf({ ...keys, "a.yaml": staff(ways) })).toBe("")
      expect(faultsOf({ ...keys, "a.yaml": staff(ways) }, {})).toBe(
        "a.yaml:6:13: expected no workload for an approver: approving needs a person (only --dev lets a workload approve)",
      )
    }
    expect(faultsOf({ ...keys, "a.yaml": staff(person) }, {})).toBe("")
  })

  test("plain http beyond loopback is another setting's, not dev's", () => {
    const plain = {
      ...keys,
      "support.yaml": textOf("support.yaml").replace("https://tickets", "http://tickets"),
    }
    expect(faultsOf(plain)).toContain("expected an https URL")
    expect(faultsOf(plain, { dev: true, allowPlainHttp: true })).toBe("")
  })
})
