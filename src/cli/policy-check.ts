// `policy check`: whether the issuer would take the files of a folder, and what a reviewer would say about them. What
// that is, is the policy room's (review.ts); here it is laid out, and what makes the answer "no" is chosen.
import { readFileSync } from "node:fs"
import { type Command, Option } from "commander"
import { type Evidence, readEvidence } from "../policy/evidence.ts"
import { PolicyFaults } from "../policy/fault.ts"
import { loadPolicy } from "../policy/load.ts"
import type { Place, Policy } from "../policy/policy.ts"
import { type Remark, review } from "../policy/review.ts"
import { SEVERITIES, type Severity } from "../policy/review-rule.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { answerIsNo, wrongUse } from "./exit.ts"
import { withJson } from "./options.ts"
import { type FolderFlags, refusedFolder, showFaults } from "./policy-folder.ts"
import { sarifOf } from "./sarif.ts"
import { versionOfPackage } from "./version.ts"

interface CheckFlags extends FolderFlags {
  readonly sarif?: boolean
  readonly failOn: Severity
  readonly evidence?: string
}

export function addCheck(policy: Command, context: Context): void {
  withJson(policy.command("check"))
    .description("read a policy folder as the issuer would, and say what is wrong with it or too wide")
    .argument("[folder]", "the policy folder (TASKMINT_POLICIES)")
    .addOption(
      new Option("--fail-on <severity>", "from which severity on the answer is no (exit code 1)")
        .choices([...SEVERITIES].reverse())
        .default("error"),
    )
    .option("--evidence <file>", "the least-privilege report of the ledger as JSON: what was used")
    .addOption(new Option("--sarif", "SARIF 2.1.0, for code scanning").conflicts("json"))
    .option("--dev", "as `serve --dev` would read it")
    .action((folder: string | undefined, flags: CheckFlags) => check(context, folder, flags))
}

async function check(context: Context, given: string | undefined, flags: CheckFlags): Promise<void> {
  const { terminal, settings } = context
  const folder = settings.need("policies", given)
  const evidence = flags.evidence === undefined ? undefined : evidenceOf(flags.evidence)
  const read = await terminal.progress("reading the policy", loadPolicy(folder, { dev: flags.dev ?? false }))
  const [faults, remarks] = read instanceof PolicyFaults ? [read.faults, []] : [[], review(read, evidence)]
  if (flags.sarif) terminal.json(sarifOf({ folder, version: versionOfPackage(), remarks, faults }))
  else if (read instanceof PolicyFaults) showFaults(context, read, flags)
  else if (flags.json)
    terminal.json({ valid: true, digest: read.digest, findings: remarks, counts: countsOf(read) })
  else showReviewed(context, read, remarks)
  if (read instanceof PolicyFaults) throw refusedFolder(folder, read)
  const least = SEVERITIES.indexOf(flags.failOn)
  const grave = remarks.filter(({ severity }) => SEVERITIES.indexOf(severity) >= least)
  if (grave.length > 0)
    throw answerIsNo(
      `${grave.length} finding(s) of severity ${flags.failOn} or above`,
      "Each says what to do",
    )
}

function evidenceOf(path: string): Evidence {
  const read = readEvidence(textOf(path))
  if (typeof read !== "string") return read
  throw wrongUse(`--evidence ${path} is no least-privilege report: ${read}`)
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable"
    throw wrongUse(`--evidence ${path} can't be read (${code})`)
  }
}

const countsOf = ({ tasks, apis, agents, orchestrators, staff }: Policy) => ({
  tasks: tasks.size,
  apis: apis.size,
  agents: agents.size,
  orchestrators: orchestrators.size,
  staff: staff.size,
})

function showReviewed({ terminal }: Context, policy: Policy, remarks: readonly Remark[]): void {
  const { green, red, yellow, cyan, dim } = terminal.colors
  const counts = Object.entries(countsOf(policy)).map(([what, count]) => `${count} ${what}`)
  terminal.print(`${green("valid")}  ${counts.join(", ")}`)
  terminal.print(dim(policy.digest))
  const colors = { error: red, warning: yellow, note: cyan }
  for (const { rule, severity, place, message, fix } of remarks) {
    terminal.print()
    terminal.print(
      `${colors[severity](severity)} ${forTerminal(`${spot(place)}: ${message}`)} ${dim(`[${rule}]`)}`,
    )
    terminal.print(dim(`  ${forTerminal(fix)}`))
  }
}

const spot = ({ file, line, column }: Place): string => `${file}:${line}:${column}`
