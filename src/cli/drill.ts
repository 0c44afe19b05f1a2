// `drill leak`: a leak from beginning to end against a running installation, with a token that grants nothing, and how long
// each step took. It decides what is asked and in which order, and that nothing is left alive; the steps are leak-drill.ts's.
import { createInterface } from "node:readline/promises"
import type { Command } from "commander"
import { type LikeFlags, likeATask } from "./canary.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { answerIsNo, CommandEnded, EXIT, wrongUse } from "./exit.ts"
import { type DrillReport, runLeakDrill } from "./leak-drill.ts"
import { servedLog } from "./ledger-verify.ts"
import { issuerOf } from "./options.ts"

interface Flags extends LikeFlags {
  readonly url?: string
  readonly yes?: boolean
}

export function addDrill(program: Command, context: Context): void {
  const drill = program
    .command("drill")
    .description("incidents that are played with tokens that grant nothing")
  likeATask(drill.command("leak"))
    .description(
      "leak a token, find it, end it and prove it, against a running installation; exit code 1: a step failed, 3: one could not be told",
    )
    .option("--url <url>", "a guarded address of the API, asked with GET; without it the API's own URL")
    .option("--yes", "begin without asking")
    .action((type: string, flags: Flags) => leak(context, type, flags))
}

async function leak(context: Context, type: string, flags: Flags): Promise<void> {
  const { terminal } = context
  const issuer = issuerOf(context, flags)
  if (!flags.yes) await agree(context, issuer.issuer)
  const drilled = runLeakDrill({ issuer, log: servedLog(context, flags) }, type, flags)
  const report = await terminal.progress("drilling", drilled)
  if (flags.json) terminal.json(forPrograms(report))
  else show(context, report)
  const results = report.steps.map(({ result }) => result)
  if (results.includes("failed")) throw new CommandEnded(EXIT.no)
  if (results.includes("unknown")) throw new CommandEnded(EXIT.cannotTell)
}

async function agree({ terminal }: Context, issuer: string): Promise<void> {
  if (!process.stdin.isTTY) throw wrongUse("Nobody is there to agree", "Give --yes")
  terminal.note(
    `A token that grants nothing is minted by ${forTerminal(issuer)}, shown to its API and revoked.`,
  )
  terminal.note("Entries, an alarm canary_used and its webhooks follow, as they would from a real leak.")
  const asked = createInterface({ input: process.stdin, output: process.stderr })
  try {
    if (!/^y(es)?$/i.test((await asked.question("Begin? [y/N] ")).trim()))
      throw answerIsNo("Nothing was done")
  } finally {
    asked.close()
  }
}

const forPrograms = ({ jti, taskId, steps, checkpoint }: DrillReport) => ({
  jti,
  task_id: taskId,
  checkpoint,
  steps: steps.map(({ what, result, at, detail }) => ({ what, result, at_ms: Math.round(at), detail })),
})

function show({ terminal }: Context, { jti, taskId, steps, checkpoint }: DrillReport): void {
  terminal.print(`${terminal.colors.bold(forTerminal(jti))}  of ${forTerminal(taskId)}\n`)
  const rows = steps.map(({ what, result, at, detail }) => [
    `${(at / 1000).toFixed(2)} s`,
    result,
    what,
    detail,
  ])
  terminal.table(["AFTER", "", "STEP", ""], rows)
  if (checkpoint === undefined) return
  terminal.note(
    "\nThe ledger is signed up to this checkpoint; `ledger verify` and `ledger follow` hold it to that:",
  )
  for (const line of checkpoint.trimEnd().split("\n")) terminal.print(forTerminal(line))
}
