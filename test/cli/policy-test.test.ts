// `policy test`, as pipelines and people at an editor run it. What passes is test/policy/scenario.test.ts's.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test, vi } from "vitest"
import { writeExampleFolder } from "../../src/cli/example-folder.ts"
import { runCli, startCli } from "../support/command-line.ts"
import { createFolders } from "../support/folder.ts"

vi.setConfig({ testTimeout: 120_000 })
const newFolder = createFolders()
const house = () => writeExampleFolder(join(newFolder(), "house"))
const made = house()
const support = readFileSync(join(made.policies, "scenarios/support.yaml"), "utf8")
const failing = support.replace("{ refused: inputs_invalid }", "{ refused: access_denied }")
const run = (scenarios: string, ...args: string[]) => {
  const folder = newFolder()
  writeFileSync(join(folder, "support.yaml"), scenarios)
  return runCli(["policy", "test", made.policies, "--scenarios", folder, ...args])
}

describe.concurrent("policy test", () => {
  test("what `init` makes passes and covers every grant both ways", async () => {
    const { code, stdout } = await runCli(["policy", "test", made.policies, "--min-coverage", "100"])
    expect([code, stdout]).toEqual([0, expect.stringMatching(/\n10 of 10 passed, 100 % covered\n$/)])
  })

  test("a failing expectation shows what was expected and what is so", async () => {
    const { code, stdout, stderr } = await run(failing)
    expect(code).toBe(1)
    expect(stdout).toMatch(
      /✗ triage-ticket: no path .* {2}support\.yaml:\d+\n {4}- refused access_denied\n {4}\+ refused inputs_invalid/,
    )
    expect(stderr).toContain("1 of 6 scenarios failed")
  })

  test("--min-coverage is not reached by half of the policy's scenarios", async () => {
    const { code, stderr } = await run(support, "--min-coverage", "51")
    expect([code, stderr]).toEqual([1, expect.stringContaining("50 % of the grants are covered")])
  })

  test("--json has each result, its difference and the coverage", async () => {
    const { code, stdout } = await run(failing, "--json")
    const { results, coverage, percent } = JSON.parse(stdout)
    expect([code, results.length, coverage.length, percent]).toEqual([1, 6, 6, 50])
    expect(results[2]).toMatchObject({
      passed: false,
      difference: ["- refused access_denied", expect.any(String)],
    })
  })

  test.each([
    ["no folder", ["--scenarios", "/nowhere"], /nowhere is not there/],
    ["no whole percent", ["--min-coverage", "101"], /whole number from 0 to 100/],
  ])("%s is wrong use", async (_what, args, says) => {
    const { code, stderr } = await runCli(["policy", "test", made.policies, ...args])
    expect([code, stderr]).toEqual([2, expect.stringMatching(says)])
  })

  test("a scenario file with a mistake is told with its place, and nothing is run", async () => {
    const { code, stdout } = await run(support.replaceAll("expect:", "expcet:"))
    expect([code, stdout]).toEqual([2, expect.stringMatching(/^support\.yaml:9:5: .*expcet/m)])
  })

  test("--watch runs again when a scenario changes and when the policy does", async () => {
    const own = house()
    const scenarios = join(own.policies, "scenarios/support.yaml")
    const watching = startCli(["policy", "test", own.policies, "--watch"])
    await watching.said(/10 of 10 passed/)
    writeFileSync(scenarios, failing)
    await watching.said(/9 of 10 passed/)
    writeFileSync(scenarios, support)
    const policy = join(own.policies, "support.yaml")
    writeFileSync(
      policy,
      readFileSync(policy, "utf8").replace("agents: [triage-bot]", "agents: [summarizer]"),
    )
    await watching.said(/6 of 10 passed/)
    watching.child.kill("SIGTERM")
    await watching.ended
  })
})
