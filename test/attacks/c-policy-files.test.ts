// Policy files that are wrong, hostile or half there: catalogue area C.
import { readFileSync, renameSync, symlinkSync, unlinkSync } from "node:fs"
import { join } from "node:path"
import fc from "fast-check"
import { afterEach, describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { decide } from "../../src/policy/decide.ts"
import { explain } from "../../src/policy/explain.ts"
import { PolicyFaults } from "../../src/policy/fault.ts"
import { loadPolicy } from "../../src/policy/load.ts"
import { inputPattern } from "../../src/policy/pattern.ts"
import { operationsOf } from "../../src/token/authority.ts"
import {
  createPolicyFolder,
  FIXTURES,
  faultsOf,
  type PolicyFolder,
  policyOf,
  shippedTexts,
  textOf,
} from "../support/policies.ts"

const folders: PolicyFolder[] = []
const shippedFolder = () => {
  const folder = createPolicyFolder(shippedTexts())
  folders.push(folder)
  return folder
}
afterEach(() => {
  for (const folder of folders.splice(0)) folder.remove()
})

describe("C16 a file that is not wholly a policy is refused whole", () => {
  test.each([
    "tab",
    "byte-order-mark",
    "merge-key",
    "anchor",
    "alias",
    "tag",
    "two-documents",
    "duplicate-key",
    "unknown-key",
    "half-written",
  ])("C16 %s is refused with its place", (what) => {
    const text = readFileSync(join(FIXTURES, "bad", `support-${what}.yaml`), "utf8")
    expect(faultsOf({ ...shippedTexts(), "support.yaml": text })).toMatch(/^support\.yaml:\d+:\d+: expected /)
  })

  test("C16 a policy cut off at any line is refused, or grants no more than the whole", async () => {
    const whole = textOf("support.yaml").split("\n")
    const keys = shippedTexts()
    const cut = whole.map((_, at) => ({ ...keys, "support.yaml": whole.slice(0, at).join("\n") }))
    const taken = cut.filter((texts) => faultsOf(texts) === "")
    expect(taken.length).toBeLessThan(whole.length / 2)
    const request = {
      type: "triage-ticket",
      orchestrator: "support-orchestrator",
      agent: "triage-bot",
      inputs: { ticket: "SUP-1" },
    }
    const all = ["tickets:read", "tickets:comment", "tickets:close"]
    for (const texts of taken.slice(-3)) {
      const decision = decide(await policyOf(texts), request)
      const operations = decision instanceof Refusal ? [] : operationsOf(decision.authority)
      expect(all).toEqual(expect.arrayContaining([...operations]))
    }
  })

  test.each(["620", "602", "666", "777"])(
    "C16 a file of mode %s, which others may write, is refused",
    async (mode) => {
      const folder = shippedFolder()
      folder.write("staff.yaml", textOf("staff.yaml"), Number.parseInt(mode, 8))
      expect(String(await loadPolicy(folder.path))).toMatch(
        /staff\.yaml:1:1: expected a file that .* may .*write/,
      )
    },
  )

  test("C16 a link out of the folder is refused, of a policy file and of a key file", async () => {
    const folder = shippedFolder()
    folder.write("../elsewhere/staff.yaml", textOf("staff.yaml"))
    unlinkSync(join(folder.path, "staff.yaml"))
    symlinkSync("../elsewhere/staff.yaml", join(folder.path, "staff.yaml"))
    expect(String(await loadPolicy(folder.path, { dev: true }))).toBe(
      "staff.yaml:1:1: expected a file inside the folder, found a link that leads outside",
    )
    unlinkSync(join(folder.path, "staff.yaml"))
    renameSync(join(folder.path, "keys"), join(folder.path, "../elsewhere/keys"))
    symlinkSync("../elsewhere/keys", join(folder.path, "keys"))
    expect(String(await loadPolicy(folder.path, { dev: true }))).toContain(
      "found a link that leads outside (keys/tickets.jwks.json)",
    )
  })

  test("C16 no folder, an empty folder and an empty file are no policy", async () => {
    const folder = shippedFolder()
    folder.write("zz.yaml", "")
    expect(String(await loadPolicy(folder.path, { dev: true }))).toBe(
      "zz.yaml:1:1: expected a policy, found an empty file",
    )
    expect(await loadPolicy(join(folder.path, "keys"))).toBeInstanceOf(PolicyFaults)
    expect(await loadPolicy(join(folder.path, "nowhere"))).toBeInstanceOf(PolicyFaults)
  })

  test("C16 depth, aliases and size that would exhaust a parser are refused", () => {
    const bomb = `a: &a [x, x]\nb: &b [*a, *a]\nc: [${"*b, ".repeat(1000)}]\n`
    for (const text of [bomb, `a: ${"[".repeat(5000)}`, `${"{a: ".repeat(5000)}`, `${"- ".repeat(3000)}x`]) {
      expect(faultsOf({ "a.yaml": text })).toMatch(/^a\.yaml:\d+:\d+: expected/)
    }
  })
})

test.each(["tickets:*", "*", "tickets:re*", "tickets:?ead", "**"])(
  "C17 an operation pattern (%s) grants nothing: operations are named one by one",
  (operation) => {
    const texts = { ...shippedTexts() }
    texts["support.yaml"] = textOf("support.yaml").replace(
      "operations: [tickets:close]",
      `operations: ["${operation}"]`,
    )
    expect(faultsOf(texts)).toMatch(/^support\.yaml:\d+:22: expected an operation such as tickets:read/)
  },
)

test("C18 a task that two files define is refused, at its second place", () => {
  const again = textOf("support.yaml")
  expect(faultsOf({ ...shippedTexts(), "zz.yaml": again })).toContain(
    'zz.yaml:31:3: expected each name once in tasks, found "triage-ticket" again (first in support.yaml:31)',
  )
})

test("C19 there is no deny rule that an allow could beat; refusing wins by intersection, whatever the lists", async () => {
  expect(faultsOf({ "a.yaml": "version: 1\ndeny: [x]\n" })).toContain('expected a known key, found "deny"')
  const all = ["tickets:read", "tickets:comment", "tickets:close"]
  const policy = await policyOf(shippedTexts())
  const [agent, type] = [policy.agents.get("triage-bot"), policy.tasks.get("triage-ticket")]
  if (!agent || !type) throw new Error("shipped")
  const subset = fc.subarray(all)
  fc.assert(
    fc.property(subset, fc.array(subset, { minLength: 1, maxLength: 3 }), (atMost, granted) => {
      const [grant] = type.grants
      if (!grant) return
      const grants = granted.map((operations) => ({ ...grant, operations }))
      const by = {
        ...policy,
        agents: new Map([["triage-bot", { ...agent, atMost: new Set(atMost) }]]),
        tasks: new Map([["triage-ticket", { ...type, grants }]]),
      }
      const decision = decide(by, {
        type: type.name,
        orchestrator: "support-orchestrator",
        agent: agent.name,
        inputs: { ticket: "SUP-1" },
      })
      const got = decision instanceof Refusal ? [] : operationsOf(decision.authority)
      const expected = all.filter((one) => atMost.includes(one) && granted.flat().includes(one))
      expect([...got].sort()).toEqual(expected.sort())
    }),
  )
})

describe("C20 names that only look alike", () => {
  test.each([
    "Summarizer",
    "SUMMARIZER",
    "summarizer ",
    " summarizer",
    "summari\u200bzer",
    "ｓummarizer",
    "summärizer",
    "-summarizer",
    "a".repeat(64),
  ])("C20 %j is no name", (name) => {
    const text = `version: 1\nagents:\n  ${JSON.stringify(name)}: { owner: a }\n`
    expect(faultsOf({ "a.yaml": text })).toMatch(/^a\.yaml:3:3: expected a name: a-z first/)
  })

  test("C20 operations of one API differ by more than case", () => {
    const text = textOf("support.yaml").replace(
      "tickets:close: {",
      "tickets:READ: { risk: low }\n      tickets:close: {",
    )
    expect(faultsOf({ ...shippedTexts(), "support.yaml": text })).toContain(
      "expected operations that differ by more than case",
    )
  })

  test("C20 one name is never two kinds of caller", () => {
    const text = "version: 1\norchestrators: { triage-bot: { owner: a } }\n"
    expect(faultsOf({ ...shippedTexts(), "zz.yaml": text })).toContain(
      "found it in agents and orchestrators (it is a client id)",
    )
  })
})

describe("C21 patterns", () => {
  test.each(["^(a+)+$", "([a-zA-Z]+)*", "(a|aa)+", "(a|a?)+", "(.*a){20}", "(x+x+)+y"])(
    "C21 %s costs the same for a match and for the worst miss",
    (source) => {
      const pattern = inputPattern(source)
      for (const text of [`${"a".repeat(255)}!`, `${"x".repeat(256)}`, "a".repeat(65_536)]) {
        pattern.matches(text)
        const started = performance.now()
        for (let times = 0; times < 20; times += 1) pattern.matches(text)
        // 20 matches that backtrack would take longer than the universe; a linear engine takes a few milliseconds.
        expect(performance.now() - started).toBeLessThan(2000)
      }
    },
  )

  test.each(["(a)\\1", "(?=a)b", "(?!a)b", "(?<=a)b", "(?>a)b", "((a{100}){100}){100}"])(
    "C21 %s, which is not linear or too large, is refused at load",
    (source) => {
      const text = textOf("support.yaml").replace('"[A-Z]{2,5}-[0-9]{1,9}"', `'${source}'`)
      expect(faultsOf({ ...shippedTexts(), "support.yaml": text })).toMatch(
        /^support\.yaml:\d+:26: expected an RE2 pattern/,
      )
    },
  )
})

test("A26 nobody is let in by a key that taskmint ships as an example, except with dev", async () => {
  const folder = shippedFolder()
  const keyFiles = Object.keys(shippedTexts()).filter((name) => name.endsWith(".jwks.json"))
  expect(keyFiles.length).toBeGreaterThan(4)
  const faults = String(await loadPolicy(folder.path)).split("\n")
  const refused = /^\w+\.yaml:\d+:\d+: expected a key of your own, found an example key that taskmint ships/
  expect(faults.filter((line) => !refused.test(line))).toEqual([])
  expect(faults).toHaveLength(keyFiles.length)
  expect("faults" in (await loadPolicy(folder.path, { dev: true }))).toBe(false)
})

test("C22 only explain, on the owner's own files, tells unknown from forbidden; a decision never does", async () => {
  const policy = await policyOf(shippedTexts())
  const ask = (type: string) => ({
    type,
    orchestrator: "support-orchestrator",
    agent: "triage-bot",
    inputs: {},
  })
  const [unknown, forbidden] = [ask("nothing"), ask("deploy-service")]
  const wire = (request: typeof unknown) => {
    const decision = decide(policy, request)
    return decision instanceof Refusal && [decision.code, decision.errors, decision.retryAfterSeconds]
  }
  expect(wire(unknown)).toEqual(wire(forbidden))
  expect(explain(policy, unknown).steps).not.toEqual(explain(policy, forbidden).steps)
})
