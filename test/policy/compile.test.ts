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

  test("plain http beyond loopback is another setting's, not dev's", () => {
    const plain = {
      ...keys,
      "support.yaml": textOf("support.yaml").replace("https://tickets", "http://tickets"),
    }
    expect(faultsOf(plain)).toContain("expected an https URL")
    expect(faultsOf(plain, { dev: true, allowPlainHttp: true })).toBe("")
  })
})
