// `policy explain`: one request, decided on the files at hand, step by step. The decision and its reasons are the policy
// room's.
import type { Command } from "commander"
import { fittingUser } from "../policy/behalf.ts"
import { type Explanation, explain } from "../policy/explain.ts"
import { formatResource } from "../token/resource.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { answerIsNo } from "./exit.ts"
import { collect, readInput, required, withJson } from "./options.ts"
import { type FolderFlags, loadFolder } from "./policy-folder.ts"

interface ExplainFlags extends FolderFlags {
  readonly orchestrator: string
  readonly agent: string
  readonly user?: string
  readonly input?: Readonly<Record<string, string>>
  readonly operation?: readonly string[]
  readonly resource?: readonly string[]
  readonly policies?: string
}

export function addExplain(policy: Command, context: Context): void {
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
  const policy = await loadFolder(context, settings.need("policies", flags.policies), flags)
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
