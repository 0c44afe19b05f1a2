// `policy check`: whether the issuer would take the files of a folder, and what is better said out loud about them.
import type { Command } from "commander"
import type { Policy } from "../policy/policy.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { withJson } from "./options.ts"
import { type FolderFlags, loadFolder } from "./policy-folder.ts"

export function addCheck(policy: Command, context: Context): void {
  withJson(policy.command("check"))
    .description("read a policy folder as the issuer would, and say what is wrong with it")
    .argument("[folder]", "the policy folder (TASKMINT_POLICIES)")
    .option("--dev", "as `serve --dev` would read it")
    .action((folder: string | undefined, flags: FolderFlags) => check(context, folder, flags))
}

async function check(context: Context, given: string | undefined, flags: FolderFlags): Promise<void> {
  const { terminal, settings } = context
  const read = await loadFolder(context, settings.need("policies", given), flags)
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
