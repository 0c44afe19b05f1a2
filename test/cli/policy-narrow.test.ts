import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, expect, test, vi } from "vitest"
import { unifiedDiff } from "../../src/cli/unified.ts"
import { runCli } from "../support/command-line.ts"
import { CROWDED, EVIDENCE } from "../support/crowded-policy.ts"
import { createFolders } from "../support/folder.ts"
import { createPolicyFolder } from "../support/policies.ts"

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
