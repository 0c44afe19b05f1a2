// `serve`: the issuer as a process. It decides when to listen, when to stop and what an operator is told; everything that
// callers ask is the issuer's.
import { type Command, Option } from "commander"
import type { Issuer } from "../issuer/issuer.ts"
import type { Context } from "./context.ts"
import { answerIsNo, cannotTell } from "./exit.ts"
import type { Log } from "./log.ts"
import { readServeSettings, type ServeFlags, type ServeSettings } from "./serve-settings.ts"
import type { Listening } from "./server.ts"

const GRACE_MILLISECONDS = 10_000

export function addServe(program: Command, context: Context): void {
  program
    .command("serve")
    .description("run the issuer until SIGTERM; SIGHUP reads the policies again")
    .option("--issuer <url>", "the issuer's name, in every token (TASKMINT_ISSUER)")
    .option("--host <address>", "where to listen (TASKMINT_HOST, 127.0.0.1)")
    .option("--port <number>", "where to listen; 0: any that is free (TASKMINT_PORT, 8787)")
    .option("--database <address>", "sqlite:<path> (TASKMINT_DATABASE)")
    .option("--policies <folder>", "the policy files (TASKMINT_POLICIES)")
    .option("--dev", "for trying out on one machine: makes keys and policies when there are none")
    .addOption(new Option("--algorithm <name>", "of new signing keys").choices(["ES256", "EdDSA"]))
    .addOption(new Option("--log-level <level>").choices(["debug", "info", "warn", "error"]).default("info"))
    .action((flags: ServeFlags) => serve(context, flags))
}

async function serve(context: Context, flags: ServeFlags): Promise<void> {
  const settings = readServeSettings(context, flags)
  const [{ createLog }, { listen }] = await Promise.all([import("./log.ts"), import("./server.ts")])
  const log = createLog(process.stdout, flags.logLevel)
  const server = await listen(settings.host, settings.port)
  const name = settings.issuer ?? `http://${settings.host}:${server.port}`
  const address = `http://${settings.host}:${server.port}`
  const issuer = await start(settings, name, log, server)
  server.serve(issuer.fetch)
  log.info({ issuer: name, address, policy: issuer.policyDigest() }, "listening")
  greet(context, settings, name, address)
  await untilTold(issuer, server, log)
}

async function start(settings: ServeSettings, name: string, log: Log, server: Listening): Promise<Issuer> {
  const { createIssuer, NotStarted } = await import("../issuer/issuer.ts") // most of what there is to load
  const { KeysLocked } = await import("../keys/keyring.ts")
  try {
    return await createIssuer({
      issuer: name,
      database: settings.database,
      policies: settings.policies,
      keyEncryptionKey: settings.keyEncryptionKey,
      dev: settings.dev,
      dangerouslyAllowPlainHttp: settings.plainHttp,
      ...(settings.algorithm && { algorithm: settings.algorithm }),
      onFault: (error, request) => log.error({ err: error, request }, "fault"),
    })
  } catch (error) {
    await server.drain(0)
    if (error instanceof NotStarted || error instanceof KeysLocked) throw answerIsNo(error.message)
    throw error
  }
}

/** For the person who started it; a program reads the line `listening` in the log. */
function greet(
  { terminal, settings: { command } }: Context,
  settings: ServeSettings,
  name: string,
  address: string,
): void {
  const { bold, yellow, dim } = terminal.errorColors
  if (settings.dev) for (const line of DEVELOPMENT) terminal.note(yellow(bold(line)))
  terminal.note(`${bold("taskmint")} ${name}${name === address ? "" : dim(`  at ${address}`)}`)
  terminal.note(dim(`policies ${settings.policies}   database ${settings.database}`))
  terminal.note(
    `Next: ${command} task start --help   (SIGTERM or Ctrl-C ends it, SIGHUP reads the policies again)`,
  )
}

const DEVELOPMENT = [
  "DEVELOPMENT: example keys are let in, people's decisions are not asked for, and loopback is",
  "all it listens on. What it writes is refused without --dev. Never use it for real work.",
]

/** Resolves when a signal asked for the end and everything is on disk; throws when the engine can't commit any more. */
async function untilTold(issuer: Issuer, server: Listening, log: Log): Promise<void> {
  const signals = watchSignals(issuer, log)
  const broken = await Promise.race([signals.ended, issuer.broken])
  issuer.drain()
  log.info({ grace_ms: GRACE_MILLISECONDS }, "draining")
  await server.drain(broken instanceof Error ? 1000 : GRACE_MILLISECONDS)
  await issuer.close()
  signals.forget()
  log.info("stopped")
  if (broken instanceof Error) {
    log.fatal({ err: broken }, "the database can't be written any more")
    throw cannotTell(
      `The database can't be written any more: ${broken.message}`,
      "Look at the disk, then start again",
    )
  }
}

function watchSignals(issuer: Issuer, log: Log) {
  const ending = Promise.withResolvers<void>()
  const end = () => ending.resolve()
  const reload = () => {
    issuer.reload().then(
      () => log.info({ policy: issuer.policyDigest() }, "policies read"),
      (error: unknown) => log.error({ err: error }, "policies not read; those in force stay"),
    )
  }
  const fault = (error: unknown) => {
    log.fatal({ err: error }, "unexpected fault")
    process.exitCode = 3
    ending.resolve()
  }
  process.on("SIGTERM", end).on("SIGINT", end).on("SIGHUP", reload)
  process.on("uncaughtException", fault).on("unhandledRejection", fault)
  return {
    ended: ending.promise,
    forget() {
      process.off("SIGTERM", end).off("SIGINT", end).off("SIGHUP", reload)
    },
  }
}
