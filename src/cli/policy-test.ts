// `policy test`: the scenario files beside the policies, run against them. What a scenario is and whether it passes is the
// policy room's (scenario.ts); here files are read, results laid out and, with --watch, changes waited for.
import { existsSync, type FSWatcher, readdirSync, readFileSync, watch } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { type Command, InvalidArgumentError } from "commander"
import { formatFault } from "../policy/fault.ts"
import {
  coverageOf,
  type GrantCoverage,
  isScenarios,
  percentCovered,
  readScenarios,
  runScenario,
  type Scenario,
  type ScenarioResult,
} from "../policy/scenario.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { answerIsNo, endOf, wrongUse } from "./exit.ts"
import { withJson } from "./options.ts"
import { type FolderFlags, loadFolder } from "./policy-folder.ts"

interface TestFlags extends FolderFlags {
  readonly scenarios?: string
  readonly minCoverage: number
  readonly watch?: boolean
}

export function addTest(policy: Command, context: Context): void {
  withJson(policy.command("test"))
    .description("run the scenarios beside the policies: who is expected to get what, and who is refused")
    .argument("[folder]", "the policy folder (TASKMINT_POLICIES)")
    .option("--scenarios <folder>", "their *.yaml files (default: scenarios in the policy folder)")
    .option("--min-coverage <percent>", "the answer is no below this", readPercent, 0)
    .option("--watch", "run again whenever a file changes, until it is interrupted")
    .option("--dev", "as `serve --dev` would read it")
    .action((folder: string | undefined, flags: TestFlags) => {
      const policies = context.settings.need("policies", folder)
      const scenarios = flags.scenarios ?? join(policies, "scenarios")
      const once = () => testOnce(context, policies, scenarios, flags)
      return flags.watch ? testForEver(context, [policies, scenarios], once) : once()
    })
}

function readPercent(text: string): number {
  if (!/^(\d|[1-9]\d|100)$/.test(text)) throw new InvalidArgumentError("Give a whole number from 0 to 100.")
  return Number(text)
}

async function testOnce(context: Context, policies: string, folder: string, flags: TestFlags): Promise<void> {
  const scenarios = scenariosOf(context, folder)
  const policy = await loadFolder(context, policies, flags)
  const results = scenarios.map((scenario) => runScenario(policy, scenario))
  const coverage = coverageOf(policy, results)
  const percent = percentCovered(coverage)
  if (flags.json) context.terminal.json({ results: results.map(toJson), coverage, percent })
  else showResults(context, results, coverage)
  const failed = results.filter(({ passed }) => !passed).length
  if (failed > 0) throw answerIsNo(`${failed} of ${results.length} scenarios failed`, "- expected, + got")
  if (percent < flags.minCoverage)
    throw answerIsNo(
      `${percent} % of the grants are covered, fewer than ${flags.minCoverage} %`,
      "Each grant wants a scenario that is given it and one that is not",
    )
}

function scenariosOf({ terminal }: Context, folder: string): readonly Scenario[] {
  if (!existsSync(folder))
    throw wrongUse(`${folder} is not there`, "Write a scenario file, or name --scenarios")
  const names = readdirSync(folder).filter((name) => name.endsWith(".yaml") && !name.startsWith("."))
  const read = names.sort().map((name) => readScenarios(name, readFileSync(join(folder, name), "utf8")))
  const faults = read.flatMap((one) => (isScenarios(one) ? [] : one))
  for (const fault of faults) terminal.print(forTerminal(formatFault(fault)))
  if (faults.length > 0) throw wrongUse(`${faults.length} mistake(s) in the scenarios of ${folder}`)
  const scenarios = read.flatMap((one) => (isScenarios(one) ? one : []))
  if (scenarios.length === 0) throw wrongUse(`${folder} holds no scenarios (*.yaml)`)
  return scenarios
}

const toJson = ({ scenario, passed, difference }: ScenarioResult) => ({
  name: scenario.name,
  task: scenario.task,
  place: scenario.place,
  passed,
  difference,
})

function showResults(
  { terminal }: Context,
  results: readonly ScenarioResult[],
  coverage: readonly GrantCoverage[],
): void {
  const { green, red, bold, dim } = terminal.colors
  for (const { scenario, passed, difference } of results) {
    const { file, line } = scenario.place
    const where = dim(forTerminal(`  ${file}:${line}`))
    const name = forTerminal(`${scenario.task}: ${scenario.name}`)
    terminal.print(`${passed ? green("✓") : red("✗")} ${name}${where}`)
    for (const one of difference)
      terminal.print(`    ${(one.startsWith("-") ? red : green)(forTerminal(one))}`)
  }
  terminal.print()
  const shown = (is: boolean) => (is ? "yes" : "NO")
  const rows = coverage.map(({ rule, allowed, refused }) => [rule, shown(allowed), shown(refused)])
  terminal.table(["GRANT", "GIVEN", "NOT GIVEN"], rows)
  const passed = results.filter((one) => one.passed).length
  terminal.print(bold(`\n${passed} of ${results.length} passed, ${percentCovered(coverage)} % covered`))
}

/** Editors write a file in several steps. */
const QUIET_MILLISECONDS = 100

async function testForEver({ terminal }: Context, folders: readonly string[], once: () => Promise<void>) {
  const changes = watchFolders(folders)
  for (;;) {
    try {
      await once()
    } catch (error) {
      for (const line of endOf(error).lines) terminal.note(line)
    }
    terminal.note("waiting for a change")
    await changes.next()
    terminal.print()
  }
}

/** `next` resolves when something has changed since it resolved last: what changes during a run is not missed. */
function watchFolders(folders: readonly string[]) {
  let changed = false
  let wake = () => {
    changed = true
  }
  const watchers: FSWatcher[] = folders.filter(existsSync).map((folder) => watch(folder, () => wake()))
  if (watchers.length === 0) throw wrongUse(`${folders[0]} is not there`)
  return {
    async next() {
      if (!changed)
        await new Promise<void>((resolve) => {
          wake = () => {
            changed = true
            resolve()
          }
        })
      await pause(QUIET_MILLISECONDS)
      changed = false
    },
  }
}
