// docs/policies.md and docs/pipelines.md, held against the code: the tables are the schema's, every YAML example is loaded,
// and every command of a pipeline is run on the policies that `init` makes.
import { execFileSync } from "node:child_process"
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test, vi } from "vitest"
import { parse } from "yaml"
import { writeExampleFolder } from "../../src/cli/example-folder.ts"
import { isScenarios, readScenarios, runScenario } from "../../src/policy/scenario.ts"
import { startShell } from "../support/command-line.ts"
import { createFolders } from "../support/folder.ts"
import { policyOf, shippedTexts } from "../support/policies.ts"
import { pathsWithFields, withTables } from "../support/policy-reference.ts"
import { ROOT } from "../support/source.ts"

vi.setConfig({ testTimeout: 120_000 })
const read = (path: string) => readFileSync(join(ROOT, path), "utf8")
const [reference, pipelines] = [read("docs/policies.md"), read("docs/pipelines.md")]
const blocksOf = (page: string) =>
  [...page.matchAll(/^```(\w+) ?(\w*)[^\n]*\n([\s\S]*?)^```$/gm)].map(([, language, name, text = ""]) => ({
    language,
    name,
    text,
  }))
const blockOf = (page: string, name: string): string => {
  const found = blocksOf(page).find((block) => block.name === name)
  if (!found) throw new Error(`no block ${name}`)
  return found.text
}

const newFolder = createFolders()
/** A repository with the policies that `init` makes, and `taskmint` on the path. */
const folder = newFolder()
cpSync(writeExampleFolder(join(newFolder(), "house")).policies, join(folder, "policies"), { recursive: true })
mkdirSync(join(folder, "bin"))
writeFileSync(
  join(folder, "bin/taskmint"),
  `#!/bin/sh\nexec ${process.execPath} ${join(ROOT, "src/cli/main.ts")} "$@"\n`,
)
chmodSync(join(folder, "bin/taskmint"), 0o755)
const PIPELINE = `GITHUB_BASE_REF=main GITHUB_STEP_SUMMARY=${folder}/summary.md CI_MERGE_REQUEST_DIFF_BASE_SHA=HEAD`
const shell = (script: string) =>
  startShell(`set -e; export PATH=${folder}/bin:"$PATH" ${PIPELINE}; ${script}`, { cwd: folder }).ended
const git = (...args: string[]) =>
  execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b.c", ...args], {
    cwd: folder,
    encoding: "utf8",
  })
// The branch that a change goes to.
const SUPPORT = join(folder, "policies/support.yaml")
const supportText = readFileSync(SUPPORT, "utf8")
git("init", "--quiet")
git("add", "policies")
git("commit", "--quiet", "-m", "x")
git("update-ref", "refs/remotes/origin/main", "HEAD")

describe("the reference", () => {
  test("has the tables that schema and rules give (npm run reference)", () => {
    expect(reference).toBe(withTables(reference))
  })

  /** Callers' ways are shown with staff; of rules for what is unusual one of each shape. */
  const SHOWN_ELSEWHERE =
    /^policy\/((?!staff)\w+\/\*\/authenticate|anomalies\/(?!unusual_spread|new_operation$|use_after_task_end))/

  test("has every object that has fields of its own, what is alike once", () => {
    const shown = [...reference.matchAll(/<!-- fields ([^ ]+) -->/g)].map(([, path]) => path)
    const once = pathsWithFields().filter((path) => !SHOWN_ELSEWHERE.test(path))
    expect([...new Set(once)].filter((path) => path !== "scenario" && !shown.includes(path))).toEqual([])
  })

  test("says something of every field", () => {
    const bare = reference.match(/^\| `\w+` \|.*\| {2}\|$/gm) ?? []
    expect(bare).toEqual([])
  })

  test("has YAML that loads, and scenarios that pass", async () => {
    const blocks = blocksOf(reference).filter(({ language }) => language === "yaml")
    expect(blocks.map(({ name }) => name)).toEqual(["policy", "scenario"])
    const keys = Object.entries(shippedTexts()).filter(([name]) => name.endsWith(".jwks.json"))
    const policy = await policyOf({ ...Object.fromEntries(keys), "a.yaml": blockOf(reference, "policy") })
    const scenarios = readScenarios("a.yaml", blockOf(reference, "scenario"))
    if (!isScenarios(scenarios)) throw new Error("no scenarios")
    expect(scenarios.flatMap((one) => runScenario(policy, one).difference)).toEqual([])
  })
})

const commandsOf = (steps: readonly (string | { run?: string })[]): string[] =>
  steps
    .flatMap((step) => (typeof step === "string" ? step : (step.run ?? [])))
    .filter((line) => line.startsWith("taskmint "))

const github = parse(blockOf(pipelines, "github"))
const gitlab = parse(blockOf(pipelines, "gitlab"))
const COMMANDS = new Set([
  ...commandsOf(github.jobs.policies.steps),
  ...commandsOf(gitlab.policies.script),
  ...blocksOf(reference)
    .filter(({ language, text }) => language === "sh" && !text.includes("--evidence"))
    .flatMap(({ text }) => text.trim().split("\n"))
    .filter((line) => !line.includes("--live")), // test/flows/posture has an issuer to ask
])

describe.concurrent("every command of the pages does what it is there for", () => {
  test.each([...COMMANDS])("%s", async (command) => {
    const { code, stderr } = await shell(command)
    const refused = command.includes("--fail-on warning")
    expect([code, stderr]).toEqual(refused ? [1, expect.stringContaining("finding(s)")] : [0, ""])
  })

  test("the pipelines write what they hand on", async () => {
    const { code } = await shell("taskmint policy check policies --sarif > policy.sarif")
    const uploaded = github.jobs.policies.steps.find((step: { uses?: string }) =>
      /upload-sarif/.test(step.uses ?? ""),
    )
    expect([code, JSON.parse(readFileSync(join(folder, uploaded.with.sarif_file), "utf8")).version]).toEqual([
      0,
      "2.1.0",
    ])
    expect(gitlab.policies.script).toContainEqual(
      expect.stringContaining(`> ${gitlab.policies.artifacts.paths[0]}`),
    )
  })
})

test("the steps that compare see what a change lets somebody do", async () => {
  writeFileSync(SUPPORT, supportText.replace("deadline: 2h", "deadline: 3h"))
  const [shown] = commandsOf(github.jobs.policies.steps).filter((line) => line.includes("policy diff"))
  const [refused] = commandsOf(gitlab.policies.script).filter((line) => line.includes("policy diff"))
  const [informed, stopped] = [await shell(String(shown)), await shell(String(refused))]
  writeFileSync(SUPPORT, supportText)
  expect([informed.code, stopped.code]).toEqual([0, 1])
  expect(readFileSync(join(folder, "summary.md"), "utf8")).toContain(
    "triage-ticket may run for 3h; before: 2h",
  )
})

test("the hook lets a good commit through, refuses a bad one, and does not look where no policy changed", async () => {
  rmSync(join(folder, ".git"), { recursive: true })
  git("init", "--quiet")
  mkdirSync(join(folder, "examples"))
  cpSync(join(ROOT, "examples/pre-commit"), join(folder, "examples/pre-commit"))
  expect((await shell(blockOf(pipelines, "hook"))).code).toBe(0)
  const commit = (message: string) =>
    shell(`git add -A && git -c user.name=a -c user.email=a@b.c commit --quiet -m ${message}`)
  expect(await commit("good")).toMatchObject({ code: 0 })
  writeFileSync(SUPPORT, supportText.replace("deadline: 2h", "deadlin: 2h"))
  expect(await commit("bad")).toMatchObject({ code: 1, stderr: expect.stringContaining('found "deadlin"') })
  git("reset", "--quiet", "--", "policies")
  writeFileSync(join(folder, "readme"), "x")
  expect(
    (await shell("git add readme && git -c user.name=a -c user.email=a@b.c commit --quiet -m other")).code,
  ).toBe(0)
})

test("the modeline names a schema that the package has", () => {
  const named = /\$schema=\.\.\/node_modules\/taskmint\/(\S+)/.exec(blockOf(pipelines, "modeline"))?.[1] ?? ""
  expect(JSON.parse(read(named)).title).toBe("taskmint policy")
})
