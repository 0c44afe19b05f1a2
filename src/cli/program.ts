// The command line, whole: which nouns there are, how a command begins and how it ends. Each noun's file decides what its
// commands do; exit.ts decides what an error means.
import { Command, CommanderError } from "commander"
import { addApproval } from "./approval.ts"
import { addBackup } from "./backup.ts"
import { addCanary } from "./canary.ts"
import { addCompletion } from "./completion.ts"
import type { Context } from "./context.ts"
import { addCredential } from "./credential.ts"
import { addDemo } from "./demo.ts"
import { addDrill } from "./drill.ts"
import { CommandEnded, EXIT, endOf } from "./exit.ts"
import { addGuard } from "./guard.ts"
import { addInit } from "./init.ts"
import { addKeys } from "./keys.ts"
import { addLedger } from "./ledger.ts"
import { addLock } from "./lock.ts"
import { addPolicy } from "./policy.ts"
import { addRevoke } from "./revoke.ts"
import { addScan } from "./scan.ts"
import { addServe } from "./serve.ts"
import { addSession } from "./session.ts"
import { createSettings } from "./settings.ts"
import { addTask } from "./task.ts"
import { createTerminal } from "./terminal.ts"
import { addToken } from "./token.ts"
import { addVerifier } from "./verifier.ts"
import { versionOfPackage } from "./version.ts"

/** Runs one command line and answers its exit code. Never throws. */
export async function run(args: readonly string[]): Promise<number> {
  const terminal = createTerminal(process.stdout, process.stderr)
  const settings = createSettings(process.env, process.argv[1])
  try {
    await createProgram({ terminal, settings }).parseAsync([...args], { from: "user" })
    return EXIT.done
  } catch (error) {
    if (error instanceof CommanderError)
      return /help|version/.test(error.code) && args.length > 0 ? EXIT.done : EXIT.wrongUse
    if (error instanceof CommandEnded) return error.exitCode
    const { exitCode, lines } = endOf(error)
    const [first = "", ...rest] = lines
    terminal.note(`${terminal.errorColors.red(exitCode === EXIT.no ? "no:" : "error:")} ${first}`)
    for (const line of rest) terminal.note(`  ${line}`)
    return exitCode
  }
}

/** Every command, ready to be parsed. */
export function createProgram(context: Context): Command {
  const program = new Command("taskmint")
    .description("Task tokens for AI agents: minted by policy, checked and recorded by every API")
    .version(versionOfPackage())
    .exitOverride()
    .showHelpAfterError("(add --help for the whole of it)")
    .showSuggestionAfterError()
    .addHelpText("after", EXIT_CODES)
  addServe(program, context)
  addGuard(program, context)
  addDemo(program, context)
  addInit(program, context)
  addPolicy(program, context)
  addCredential(program, context)
  addTask(program, context)
  addSession(program, context)
  addApproval(program, context)
  addRevoke(program, context)
  addLock(program, context)
  addVerifier(program, context)
  addKeys(program, context)
  addLedger(program, context)
  addToken(program, context)
  addScan(program, context)
  addCanary(program, context)
  addDrill(program, context)
  addBackup(program, context)
  addCompletion(program)
  return program
}

const EXIT_CODES =
  "\nExit codes: 0 done, 1 the answer is no, 2 wrong use, 3 could not tell; of `session`, the command's."
