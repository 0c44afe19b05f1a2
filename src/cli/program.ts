// The command line, whole: which nouns there are, how a command begins and how it ends. Each noun's file decides what its
// commands do; exit.ts decides what an error means.
import { Command, CommanderError, Help } from "commander"
import { addCompletion, namingWords } from "./completion.ts"
import type { Context } from "./context.ts"
import { CommandEnded, EXIT, endOf } from "./exit.ts"
import { addNamed, type Loaders } from "./loading.ts"
import { OutputLost, openOutput } from "./output.ts"
import { createSettings } from "./settings.ts"
import { createTerminal } from "./terminal.ts"
import { versionOfPackage } from "./version.ts"

/** Runs one command line and answers its exit code. Never throws. */
export async function run(args: readonly string[]): Promise<number> {
  const output = openOutput(process.stdout)
  process.stderr.on("error", () => undefined) // there is nowhere left to say it
  const terminal = createTerminal(output, process.stderr)
  const settings = createSettings(process.env, process.argv[1])
  try {
    const program = await createProgram({ terminal, settings }, args)
    await program.parseAsync([...args], { from: "user" })
    await output.finish()
    return EXIT.done
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.wrongUse
    if (error instanceof CommandEnded) return error.exitCode
    if (error instanceof OutputLost && error.unwanted) return EXIT.cannotTell
    const { exitCode, lines } = endOf(error)
    const [first = "", ...rest] = lines
    terminal.note(`${terminal.errorColors.red(exitCode === EXIT.no ? "no:" : "error:")} ${first}`)
    for (const line of rest) terminal.note(`  ${line}`)
    return exitCode
  }
}

/** In the order in which they are shown. */
const NOUNS: Loaders = {
  serve: async () => (await import("./serve.ts")).addServe,
  guard: async () => (await import("./guard.ts")).addGuard,
  demo: async () => (await import("./demo.ts")).addDemo,
  init: async () => (await import("./init.ts")).addInit,
  policy: async () => (await import("./policy.ts")).addPolicy,
  credential: async () => (await import("./credential.ts")).addCredential,
  task: async () => (await import("./task.ts")).addTask,
  session: async () => (await import("./session.ts")).addSession,
  approval: async () => (await import("./approval.ts")).addApproval,
  revoke: async () => (await import("./revoke.ts")).addRevoke,
  lock: async () => (await import("./lock.ts")).addLock,
  verifier: async () => (await import("./verifier.ts")).addVerifier,
  keys: async () => (await import("./keys.ts")).addKeys,
  ledger: async () => (await import("./ledger.ts")).addLedger,
  token: async () => (await import("./token.ts")).addToken,
  scan: async () => (await import("./scan.ts")).addScan,
  canary: async () => (await import("./canary.ts")).addCanary,
  drill: async () => (await import("./drill.ts")).addDrill,
  backup: async () => (await import("./backup.ts")).addBackup,
}

/** Ready to be parsed: the noun that the arguments name, or all of them. */
export async function createProgram(context: Context, args: readonly string[] = []): Promise<Command> {
  const program = new Command("taskmint")
    .description("Task tokens for AI agents: minted by policy, checked and recorded by every API")
    .version(versionOfPackage())
    .exitOverride()
    .showHelpAfterError("(add --help for the whole of it)")
    .showSuggestionAfterError()
    .configureHelp({ optionDescription: saying })
    .addHelpText("after", EXIT_CODES)
  await addNamed(program, context, NOUNS, namingWords(args))
  addCompletion(program, context)
  return program
}

const help = new Help()

/** In help, an option that has to be given says so. */
const saying: Help["optionDescription"] = (option) =>
  `${help.optionDescription(option)}${option.mandatory ? " (required)" : ""}`

const EXIT_CODES =
  "\nExit codes: 0 done, 1 the answer is no, 2 wrong use, 3 could not tell; of `session`, the command's."
