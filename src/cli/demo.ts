// `demo`: taskmint in ten seconds, on the shipped policies, in processes of its own. It decides when the story begins and
// that nothing of it is left behind.
import type { Command } from "commander"
import { asRecord } from "../client/issuer-call.ts"
import type { Context } from "./context.ts"
import type { Scenery } from "./demo/stage.ts"
import { EXIT, Stop } from "./exit.ts"

export function addDemo(program: Command, context: Context): void {
  program
    .command("demo")
    .description(
      "the whole story in ten seconds: an issuer, two APIs, an orchestrator and an agent on this computer",
    )
    .option("--keep", "leave everything running afterwards, with commands to try, until Ctrl-C")
    .action((flags: { readonly keep?: boolean }) => demo(context, flags.keep === true))
}

async function demo(context: Context, keep: boolean): Promise<void> {
  const { createStage } = await import("./demo/stage.ts")
  const stage = createStage()
  const interrupted = Promise.withResolvers<never>()
  const interrupt = () => interrupted.reject(new Stop(EXIT.cannotTell, "The demo was interrupted"))
  for (const signal of SIGNALS) process.on(signal, interrupt)
  try {
    const began = performance.now()
    const scenery = await Promise.race([perform(context, stage.open()), interrupted.promise])
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    context.terminal.print(
      `\n${context.terminal.colors.green("Every step behaved as it must")}, in ${seconds} s.`,
    )
    if (keep) await untilInterrupted(context, scenery, interrupted.promise)
  } finally {
    await stage.end()
    for (const signal of SIGNALS) process.off(signal, interrupt)
  }
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const

async function perform({ terminal }: Context, opening: Promise<Scenery>): Promise<Scenery> {
  const [{ play }, { createTeller }] = await Promise.all([
    import("./demo/story.ts"),
    import("./demo/tell.ts"),
  ])
  const { bold, dim } = terminal.colors
  terminal.print(
    `${bold("taskmint demo")}  ${dim("five processes, real HTTP on loopback, the shipped policies")}`,
  )
  const scenery = await terminal.progress("starting the processes", opening)
  terminal.print()
  const { issuer, tickets, deployments } = scenery
  for (const [name, where] of Object.entries({ issuer, tickets, deployments }))
    terminal.print(`   ${name.padEnd(14)}${dim(where)}`)
  await play(scenery, createTeller(terminal), terminal)
  return scenery
}

async function untilInterrupted(
  { terminal, settings: { command } }: Context,
  scenery: Scenery,
  interrupted: Promise<never>,
) {
  const { house, issuer, tickets, deployments } = scenery
  const { bold } = terminal.colors
  const as = (name: string) =>
    `--issuer ${issuer} --client-id ${name} --client-key-file ${house.keyFileOf(name)}`
  const agent = "--agent triage-bot/pod-1 --input ticket=SUP-1042"
  terminal.print(`\n${bold("Still running")}, until Ctrl-C:`)
  terminal.print(`   issuer ${issuer}   tickets ${tickets}   deployments ${deployments}`)
  terminal.print(`   policies ${house.policies}   (changes take force within 5 s)`)
  terminal.print(`\n${bold("Try")}, in another terminal:`)
  terminal.print(
    `   ${command} task start triage-ticket ${agent} --purpose "my own try" ${as("support-orchestrator")}`,
  )
  terminal.print(`   ${command} task list ${as("audit-team")}`)
  terminal.print(`   ${command} ledger query --kind use.refused ${as("audit-team")}`)
  terminal.print(`   ${command} lock list ${as("operations-team")}`)
  terminal.print(`\n${bold("Look")}, in a browser (each link once, within 60 s):`)
  for (const [name, calls] of Object.entries({
    "audit-team": scenery.auditor,
    "operations-team": scenery.operator,
  }))
    terminal.print(`   as ${name.padEnd(16)}${await linkOf(calls)}`)
  await interrupted.catch(() => terminal.print("\nEnding what was started..."))
}

/** Signs in to the console as the caller, which an issuer for development lets whoever has the key. */
async function linkOf(calls: Scenery["auditor"]): Promise<string> {
  const { body } = await calls.call("POST", "/console/links")
  return String(asRecord(body).url)
}
