import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, expect, test, vi } from "vitest"
import { unifiedDiff } from "../../src/cli/unified.ts"
import { runCli } from "../support/command-line.ts"
import { CROWDED, EVIDENCE, evidenceOf, itemOf } from "../support/crowded-policy.ts"
import { createFolders } from "../support/folder.ts"
import { createPolicyFolder, policyOf } from "../support/policies.ts"
import { entriesOf, read, TOUCHED, tasks } from "../support/touched-policy.ts"

// Every step is a process of its own.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const createFolder = createFolders()
const folders: { remove(): void }[] = []
afterAll(() => {
  for (const folder of folders) folder.remove()
})

function opened() {
  const folder = createPolicyFolder({ "support.yaml": CROWDED })
  folders.push(folder)
  const evidence = join(createFolder(), "report.json")
  writeFileSync(evidence, JSON.stringify(EVIDENCE))
  const narrow = (...args: string[]) =>
    runCli(["policy", "narrow", folder.path, "--evidence", evidence, ...args])
  return { folder, narrow, read: () => readFileSync(join(folder.path, "support.yaml"), "utf8") }
}

test("the printed difference, applied, is what --write writes", async () => {
  const [one, other] = [opened(), opened()]
  const printed = await one.narrow()
  expect([printed.code, one.read()]).toEqual([0, CROWDED])
  expect(printed.stderr).toContain(
    "tickets:close goes from support.yaml#/tasks/triage/grants/1: 50 tasks were given it, none used it",
  )
  execFileSync("git", ["apply"], { cwd: one.folder.path, input: printed.stdout })
  expect((await other.narrow("--write")).code).toBe(0)
  expect(one.read()).not.toBe(CROWDED)
  expect(one.read()).toBe(other.read())
  const again = await other.narrow("--min-tasks", "51")
  expect([again.code, again.stdout]).toEqual([0, ""])
  expect(again.stderr).toContain("Nothing can be taken out.")
})

test.each([
  ["one page of a report", { next: "MTAwMA" }, "The report is a page of a longer one"],
  [
    "a report that was not counted up",
    { up_to_at: null },
    "The report may lack uses: it does not say how far",
  ],
])("%s is no reason to narrow anything: what it lacks would look unused", async (_, changes, said) => {
  const { folder, read } = opened()
  const path = join(createFolder(), "report.json")
  writeFileSync(path, JSON.stringify({ ...EVIDENCE, ...changes }))
  const answer = await runCli(["policy", "narrow", folder.path, "--evidence", path, "--write"])
  expect([answer.code, read()]).toEqual([3, CROWDED])
  expect(answer.stderr).toContain(said)
})

/** A folder, a report of 20 tasks that each read its own ticket, and their entries. */
async function touched({ dropped = 0, used = ["tickets:read"] } = {}) {
  const folder = createPolicyFolder({ "p.yaml": TOUCHED })
  folders.push(folder)
  const policy = await policyOf({ "p.yaml": TOUCHED })
  const touches = (ticket: string) => used.map((operation) => read(`tickets/${ticket}`, operation))
  const ran = tasks(20, touches).map((one) => ({ ...one, user: "team" }))
  const [report, entries] = ["report.json", "entries.jsonl"].map((name) => join(createFolder(), name))
  const items = ["read", "comment", "close"].map((word, index) => ({
    ...itemOf(index === 2 ? 1 : 0, `tickets:${word}`, 20, index === 0 ? 20 : 0),
    rule: `p.yaml#/tasks/triage/grants/${index === 2 ? 1 : 0}`,
  }))
  writeFileSync(String(report), JSON.stringify(evidenceOf(...items)))
  const lines = entriesOf(policy, ran).map((entry) => JSON.stringify(entry))
  writeFileSync(String(entries), lines.slice(dropped).join("\n"))
  const narrow = ["policy", "narrow", folder.path, "--evidence", String(report)]
  return {
    narrow,
    entries: String(entries),
    text: () => readFileSync(join(folder.path, "p.yaml"), "utf8"),
  }
}

test("with entries, resources and users are narrowed to what was touched", async () => {
  const { narrow, entries, text } = await touched()
  const done = await runCli([...narrow, "--entries", entries, "--write", "--json"])
  expect([done.code, done.stderr]).toEqual([0, ""])
  expect(JSON.parse(done.stdout).rewritten).toContainEqual({
    rule: "p.yaml#/tasks/triage/grants/0/resources/0",
    resource: "tickets/*",
    becomes: ["tickets/{ticket}"],
  })
  expect(
    text()
      .split("\n")
      .filter((line) => !TOUCHED.split("\n").includes(line)),
  ).toEqual([
    "  team: { provider: people, claims: { groups: team }, at_most: [tickets:read] } # ours",
    "        operations: [tickets:read] # both",
    '          - "tickets/{ticket}" # any',
  ])
  expect(text()).toContain("          # one ticket\n")
})

test("without entries wildcards and users stay, and it is said; entries that lack uses are refused", async () => {
  const { narrow, entries, text } = await touched({ dropped: 10 })
  const without = await runCli(narrow)
  expect(without.stderr).toContain(
    "tickets/* stays in p.yaml#/tasks/triage/grants/0/resources/0: the report does not tell of it",
  )
  const lacking = await runCli([...narrow, "--entries", entries, "--write"])
  expect([lacking.code, text()]).toEqual([3, TOUCHED])
  expect(lacking.stderr).toContain(
    "The entries lack uses: of triage, tickets:read the report counts 20 uses, the entries 15",
  )
})

test("a report that says otherwise than the entries is found out: what happened is replayed", async () => {
  const { narrow, entries, text } = await touched({ used: ["tickets:read", "tickets:comment"] })
  const answer = await runCli([...narrow, "--entries", entries, "--write"])
  expect([answer.code, text()]).toEqual([3, TOUCHED])
  expect(answer.stderr).toContain("20 of the uses in the window would be refused")
})

test("a report that is none is no reason to narrow anything", async () => {
  const { folder, read } = opened()
  const path = join(createFolder(), "report.json")
  writeFileSync(path, "{}")
  const answer = await runCli(["policy", "narrow", folder.path, "--evidence", path, "--write"])
  expect([answer.code, read()]).toEqual([3, CROWDED])
  expect(answer.stderr).toContain("This is no least-privilege report: from: ")
})

test.each([
  ["a\nb\nc\n", "a\nc\n", ["@@ -1,3 +1,2 @@", " a", "-b", " c"]],
  ["a\nb", "a\nb\n", ["@@ -1,2 +1,2 @@", " a", "-b\n\\ No newline at end of file", "+b"]],
  ["a\n", "a\n", []],
])("a unified diff of %j and %j", (old, now, hunks) => {
  expect(unifiedDiff("f", old, now).slice(2)).toEqual(hunks)
})
