// `policy`: look at policy files before they decide. Nothing is sent: the files are read as the issuer would read them.
import type { Command } from "commander"
import { formatFault, PolicyFaults } from "../policy/fault.ts"
import { loadPolicy } from "../policy/load.ts"
import type { Policy } from "../policy/policy.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { answerIsNo } from "./exit.ts"
import { withJson } from "./options.ts"

interface Flags {
  readonly dev?: boolean
  readonly json?: boolean
}

export function addPolicy(program: Command, context: Context): void {
  const policy = program.command("policy").description("policy files: find mistakes, explain decisions")
  withJson(policy.command("check"))
    .description("read a policy folder as the issuer would, and say what is wrong with it")
    .argument("[folder]", "the policy folder (TASKMINT_POLICIES)")
    .option("--dev", "as `serve --dev` would read it")
    .action((folder: string | undefined, flags: Flags) => check(context, folder, flags))
}

async function check(context: Context, given: string | undefined, flags: Flags): Promise<void> {
  const { terminal, settings } = context
  const folder = settings.need("policies", given)
  const read = await terminal.progress("reading the policy", loadPolicy(folder, { dev: flags.dev ?? false }))
  if (read instanceof PolicyFaults) {
    if (flags.json) terminal.json({ valid: false, faults: read.faults })
    else for (const fault of read.faults) terminal.print(forTerminal(formatFault(fault)))
    throw answerIsNo(`${read.faults.length} mistake(s) in ${folder}; the issuer would refuse it`)
  }
  const warnings = warningsOf(read)
  if (flags.json) terminal.json({ valid: true, digest: read.digest, warnings, counts: countsOf(read) })
  else showValid(context, read, warnings)
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
