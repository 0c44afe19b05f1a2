// `policy explain`: one request, decided on the files at hand, step by step. The decision and its reasons are the policy
// room's.
import type { Command } from "commander"
import { Refusal } from "../errors.ts"
import { fittingUser } from "../policy/behalf.ts"
import type { Circumstances } from "../policy/conditioned.ts"
import type { TaskRequest } from "../policy/decide.ts"
import { authorityBelow } from "../policy/delegate.ts"
import { editsFor, type PolicyEdit } from "../policy/edit.ts"
import { type Explanation, explain } from "../policy/explain.ts"
import type { Policy } from "../policy/policy.ts"
import { parseInstant } from "../time.ts"
import { formatResource } from "../token/resource.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { answerIsNo, wrongUse } from "./exit.ts"
import { collect, readInput, required, withJson } from "./options.ts"
import { type FolderFlags, loadFolder } from "./policy-folder.ts"

interface ExplainFlags extends FolderFlags {
  readonly orchestrator: string
  readonly agent: string
  readonly user?: string
  readonly input?: Readonly<Record<string, string>>
  readonly operation?: readonly string[]
  readonly resource?: readonly string[]
  readonly delegatedTo?: readonly string[]
  readonly purpose?: string
  readonly reference?: string
  readonly now?: string
  readonly policies?: string
}

export function addExplain(policy: Command, context: Context): void {
  withJson(policy.command("explain"))
    .description(
      "why a task would be allowed or not, step by step, and what would have to change; limits, locks and proofs are not looked at",
    )
    .argument("<type>", "the task type's name in the policy")
    .addOption(required("--orchestrator <name>", "who starts it"))
    .addOption(required("--agent <agent>", "who acts: triage-bot, or triage-bot/pod-7f3c"))
    .option("--user <rule>", "for somebody whom this rule in users lets in")
    .option("--input <name=value>", "an input of the task type; again for each", readInput)
    .option("--operation <name>", "asks for this operation only; again for more", collect)
    .option("--resource <url>", "the API whose token is wanted; again for more", collect)
    .option("--delegated-to <agent>", "handed down to this agent; again for one below it", collect)
    .option("--purpose <text>", "what conditions are told as the task's purpose")
    .option("--reference <id>", "the same of its reference")
    .option("--now <time>", "as of then, as 2026-03-29T01:30:00Z; otherwise as of now")
    .option("--policies <folder>", "the policy folder (TASKMINT_POLICIES)")
    .option("--dev", "as `serve --dev` would read it")
    .action((type: string, flags: ExplainFlags) => explainOne(context, type, flags))
}

async function explainOne(context: Context, type: string, flags: ExplainFlags): Promise<void> {
  const { terminal, settings } = context
  const policy = await loadFolder(context, settings.need("policies", flags.policies), flags)
  const request = {
    type,
    orchestrator: flags.orchestrator,
    agent: flags.agent.split("/")[0] ?? "",
    inputs: flags.input ?? {},
    ...(flags.user !== undefined && { user: fittingUser(policy, flags.user) }),
    circumstances: circumstancesOf(flags),
    ...(flags.operation && { operations: flags.operation }),
    ...(flags.resource && { resources: flags.resource }),
  }
  const chain = flags.delegatedTo ?? []
  const explanation = handedDown(policy, request, chain, explain(policy, request))
  const edits = editsFor(policy, request, chain)
  if (flags.json) terminal.json({ ...explanation, edits })
  else {
    showExplanation(context, explanation)
    showEdits(context, edits)
  }
  if (!explanation.allowed) throw answerIsNo("The policy does not allow this", "The steps marked ✗ say why")
}

/** An agent that has done nothing yet: what one has done, the issuer knows and the files don't. */
function circumstancesOf({ agent, purpose, reference, now }: ExplainFlags): Circumstances {
  const at = now === undefined ? Date.now() : parseInstant(now)
  if (at === undefined) throw wrongUse(`--now ${now} is no time`, "Write it as 2026-03-29T01:30:00Z")
  const usage = { starts: 0, uses: 0, refusals: 0 }
  return { now: at, purpose, reference, instance: agent.split("/")[1], usage }
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

/** The explanation of what the last of the chain may, where the task itself is allowed. */
function handedDown(
  policy: Policy,
  { type: name, agent }: TaskRequest,
  chain: readonly string[],
  explanation: Explanation,
): Explanation {
  const { allowed, steps, authority = [] } = explanation
  const type = policy.tasks.get(name)
  if (!allowed || !type || chain.length === 0) return explanation
  const links = chain.map((one) => ({ agent: one }))
  const below = authorityBelow(policy, type, agent, authority, links)
  const place = type.place
  if (below instanceof Refusal)
    return { allowed: false, steps: [...steps, { ok: false, text: `refused: ${below.reason}`, place }] }
  const text = `"${name}" may be handed down to ${chain.join(", then ")}`
  if (below.length > 0) return { allowed, steps: [...steps, { ok: true, text, place }], authority: below }
  return { allowed: false, steps: [...steps, { ok: false, text: `${text}, with nothing left to do`, place }] }
}

function showEdits({ terminal }: Context, edits: readonly PolicyEdit[]): void {
  if (edits.length === 0) return
  const { bold, dim, green } = terminal.colors
  terminal.print(bold("\nWhat would have to change for all of it to be allowed:"))
  for (const { place, why, yaml } of edits) {
    terminal.print(
      `  ${forTerminal(`${place.file}:${place.line}:${place.column}`)}  ${dim(forTerminal(why))}`,
    )
    for (const line of yaml?.split("\n") ?? []) terminal.print(green(`    + ${forTerminal(line)}`))
  }
}
