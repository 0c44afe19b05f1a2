// `policy`: look at policy files before they decide. Nothing is sent: the files are read as the issuer would read them.
import type { Command } from "commander"
import { fittingUser } from "../policy/behalf.ts"
import { type Explanation, explain } from "../policy/explain.ts"
import { formatFault, PolicyFaults } from "../policy/fault.ts"
import { loadPolicy } from "../policy/load.ts"
import type { Policy } from "../policy/policy.ts"
import { formatResource } from "../token/resource.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { answerIsNo } from "./exit.ts"
import { collect, readInput, required, withJson } from "./options.ts"

interface Flags {
  readonly dev?: boolean
  readonly json?: boolean
}

interface ExplainFlags extends Flags {
  readonly orchestrator: string
  readonly agent: string
  readonly user?: string
  readonly input?: Readonly<Record<string, string>>
  readonly operation?: readonly string[]
  readonly resource?: readonly string[]
  readonly policies?: string
}

export function addPolicy(program: Command, context: Context): void {
  const policy = program.command("policy").description("policy files: find mistakes, explain decisions")
  withJson(policy.command("check"))
    .description("read a policy folder as the issuer would, and say what is wrong with it")
    .argument("[folder]", "the policy folder (TASKMINT_POLICIES)")
    .option("--dev", "as `serve --dev` would read it")
    .action((folder: string | undefined, flags: Flags) => check(context, folder, flags))
  addExplain(policy, context)
}

function addExplain(policy: Command, context: Context): void {
  withJson(policy.command("explain"))
    .description(
      "why a task would be allowed or not, step by step; limits, locks and proofs are not looked at",
    )
    .argument("<type>", "the task type's name in the policy")
    .addOption(required("--orchestrator <name>", "who starts it"))
    .addOption(required("--agent <agent>", "who acts: triage-bot, or triage-bot/pod-7f3c"))
    .option("--user <rule>", "for somebody whom this rule in users lets in")
    .option("--input <name=value>", "an input of the task type; again for each", readInput)
    .option("--operation <name>", "asks for this operation only; again for more", collect)
    .option("--resource <url>", "the API whose token is wanted; again for more", collect)
    .option("--policies <folder>", "the policy folder (TASKMINT_POLICIES)")
    .option("--dev", "as `serve --dev` would read it")
    .action((type: string, flags: ExplainFlags) => explainOne(context, type, flags))
}

async function explainOne(context: Context, type: string, flags: ExplainFlags): Promise<void> {
  const { terminal, settings } = context
  const policy = await load(context, settings.need("policies", flags.policies), flags)
  const explanation = explain(policy, {
    type,
    orchestrator: flags.orchestrator,
    agent: flags.agent.split("/")[0] ?? "",
    inputs: flags.input ?? {},
    ...(flags.user !== undefined && { user: fittingUser(policy, flags.user) }),
    ...(flags.operation && { operations: flags.operation }),
    ...(flags.resource && { resources: flags.resource }),
  })
  if (flags.json) terminal.json(explanation)
  else showExplanation(context, explanation)
  if (!explanation.allowed) throw answerIsNo("The policy does not allow this", "The steps marked ✗ say why")
}

function showExplanation({ terminal }: Context, { steps, authority = [] }: Explanation): void {
  const { green, red, dim } = terminal.colors
  for (const { ok, text, place } of steps) {
    const where = place ? dim(forTerminal(`  ${place.file}:${place.line}`)) : ""
    terminal.print(`${ok ? green("✓") : red("✗")} ${forTerminal(text)}${where}`)
  }
  if (authority.length === 0) return
  terminal.print()
  const rows = authority.map((grant) => [
    grant.api,
    grant.operations.join(" "),
    grant.resources.map(formatResource).join(" "),
    grant.rule,
  ])
  terminal.table(["API", "MAY", "ON", "BY"], rows)
}

async function check(context: Context, given: string | undefined, flags: Flags): Promise<void> {
  const { terminal, settings } = context
  const read = await load(context, settings.need("policies", given), flags)
  const warnings = warningsOf(read)
  if (flags.json) terminal.json({ valid: true, digest: read.digest, warnings, counts: countsOf(read) })
  else showValid(context, read, warnings)
}

/** The policy of a folder; Stop (the answer is no) after telling everything that is wrong with it. */
async function load({ terminal }: Context, folder: string, { dev = false, json }: Flags): Promise<Policy> {
  const read = await terminal.progress("reading the policy", loadPolicy(folder, { dev }))
  if (!(read instanceof PolicyFaults)) return read
  if (json) terminal.json({ valid: false, faults: read.faults })
  else for (const fault of read.faults) terminal.print(forTerminal(formatFault(fault)))
  throw answerIsNo(`${read.faults.length} mistake(s) in ${folder}; the issuer would refuse it`)
}

/** What is allowed and yet better said out loud. */
function warningsOf(policy: Policy): string[] {
  return [...policy.tasks.values()].flatMap((task) => {
    const risks = task.grants.flatMap(({ api, operations }) =>
      operations.map((operation) => policy.apis.get(api)?.operations.get(operation)?.risk),
    )
    const risky = risks.some((risk) => risk === "moderate" || risk === "high")
    if (!risky || task.proofOfPossession === "required") return []
    const { file, line, column } = task.place
    return [
      `${file}:${line}:${column}: ${task.name} grants operations of moderate or high risk without proof_of_possession: required`,
    ]
  })
}

const countsOf = ({ tasks, apis, agents, orchestrators, staff }: Policy) => ({
  tasks: tasks.size,
  apis: apis.size,
  agents: agents.size,
  orchestrators: orchestrators.size,
  staff: staff.size,
})

function showValid({ terminal }: Context, policy: Policy, warnings: readonly string[]): void {
  const { green, yellow, dim } = terminal.colors
  const counts = Object.entries(countsOf(policy)).map(([what, count]) => `${count} ${what}`)
  terminal.print(`${green("valid")}  ${counts.join(", ")}`)
  terminal.print(dim(policy.digest))
  for (const warning of warnings) terminal.note(`${yellow("warning")} ${forTerminal(warning)}`)
}
