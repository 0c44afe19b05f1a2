// `serve`: the issuer as a process. It decides when to listen, when to stop and what an operator is told; everything that
// callers ask is the issuer's.
import { type Command, Option } from "commander"
import type { Issuer } from "../issuer/issuer.ts"
import type { Context } from "./context.ts"
import { answerIsNo, cannotTell } from "./exit.ts"
import type { Log } from "./log.ts"
import type { Management } from "./management.ts"
import { returnMemory } from "./memory.ts"
import { type Metrics, startMetrics } from "./metrics.ts"
import { createPolicyLog } from "./policy-log.ts"
import { nameOfDatabase, readServeSettings, type ServeFlags, type ServeSettings } from "./serve-settings.ts"
import type { Listening } from "./server.ts"
import { watchEnd } from "./signals.ts"

/** Together ten seconds at most: for requests, then for what outlasted its connection. */
const GRACE_MILLISECONDS = 8000
const LAST_MILLISECONDS = 1000

export function addServe(program: Command, context: Context): void {
  program
    .command("serve")
    .description("run the issuer until SIGTERM; SIGHUP reads the policies again")
    .option("--issuer <url>", "the issuer's name, in every token (TASKMINT_ISSUER)")
    .option("--host <address>", "where to listen (TASKMINT_HOST, 127.0.0.1)")
    .option("--port <number>", "where to listen; 0: any that is free (TASKMINT_PORT, 8787)")
    .option("--management-port <number>", "/metrics, /livez and /readyz (TASKMINT_MANAGEMENT_PORT)")
    .option("--management-host <address>", "where that port is (TASKMINT_MANAGEMENT_HOST, 127.0.0.1)")
    .option("--database <address>", "sqlite:<path> or postgres://<user>@<host>/<name> (TASKMINT_DATABASE)")
    .option("--policies <folder>", "the policy files (TASKMINT_POLICIES)")
    .option(
      "--accept-rollback",
      "once: goes on with a database that was rolled back; ends every task and key",
    )
    .option("--dev", "for trying out on one machine: makes keys and policies when there are none")
    .addOption(
      new Option("--algorithm <name>", "of new signing keys; ES256 where none is named").choices([
        "ES256",
        "EdDSA",
      ]),
    )
    .option("--key-rotation <duration>", "how long a key signs, an hour or more (TASKMINT_KEY_ROTATION, 30d)")
    .option(
      "--retention <duration>",
      "entries that are older are archived, a day or more (TASKMINT_RETENTION, none)",
    )
    .option(
      "--archive <folder>",
      "what is archived goes to files there, not to the database (TASKMINT_ARCHIVE)",
    )
    .option("--webhook <url>", "who is told of approvals and alarms; repeatable (TASKMINT_WEBHOOK)", joined)
    .option(
      "--webhook-allow-private <host>",
      "a webhook's host that is at a private address; repeatable (TASKMINT_WEBHOOK_ALLOW_PRIVATE)",
      joined,
    )
    .option(
      "--console-provider <name>",
      "the policy's provider at which people sign in to /console (TASKMINT_CONSOLE_PROVIDER)",
    )
    .option(
      "--console-client-id <id>",
      "by which it knows the console; default: its audience (TASKMINT_CONSOLE_CLIENT_ID)",
    )
    .option("--console-scope <scopes>", "that it is asked for (TASKMINT_CONSOLE_SCOPE, openid)")
    .addOption(
      new Option("--log-level <level>", "the least that is logged")
        .choices(["debug", "info", "warn", "error"])
        .default("info"),
    )
    .addHelpText("after", WITHOUT_FLAGS)
    .action((flags: ServeFlags) => serve(context, flags))
}

const WITHOUT_FLAGS = `
Without --dev an issuer's name, a database, policies and a key-encryption key have to be given. What is secret has no flag:
  TASKMINT_KEY_ENCRYPTION_KEY_FILE     what stored signing keys are encrypted with: 32 bytes in base64url
  TASKMINT_DATABASE_FILE               a database's address that holds a password
  TASKMINT_CONSOLE_CLIENT_SECRET_FILE  the console's secret at the provider, where it has one
name files that only you can read; the same without _FILE is the value itself.
TASKMINT_DANGEROUSLY_ALLOW_PLAIN_HTTP=true lets the issuer's name be http elsewhere than on loopback.`

/** What is given several times, as the variable has it. */
const joined = (value: string, before?: string) => (before === undefined ? value : `${before},${value}`)

async function serve(context: Context, flags: ServeFlags): Promise<void> {
  const settings = readServeSettings(context, flags)
  context.settings.forgetSecrets()
  const [{ createLog }, { listen }] = await Promise.all([import("./log.ts"), import("./server.ts")])
  const log = createLog(process.stdout, flags.logLevel)
  if (settings.dev) warn(context)
  let issuer: Issuer | undefined
  const metrics = settings.management && (await startMetrics())
  const signals = watchSignals(log, () => issuer)
  try {
    const server = await listen(settings.host, settings.port)
    const address = `http://${settings.host}:${server.port}`
    const name = settings.issuer ?? address
    issuer = await start(settings, name, log, server)
    const management = await watchWith(settings, issuer, server, metrics)
    await (await import("../policy/load.ts")).endReading()
    returnMemory()
    server.serve(issuer.fetch)
    greet(context, settings, name, address)
    tellLinks(context, issuer)
    const told = { issuer: name, address, management_port: management?.port, policy: issuer.policyDigest() }
    log.info(told, "listening")
    tellStopped(context, log, issuer)
    await end(await Promise.race([signals.ended, issuer.broken]), issuer, server, log).finally(() =>
      management?.close(),
    )
  } finally {
    await metrics?.stop()
    signals.forget()
  }
}

/** The management port, where there is one: the issuer's own answers to /livez and /readyz, and the metrics. */
async function watchWith(
  { management: place }: ServeSettings,
  issuer: Issuer,
  server: Listening,
  metrics: Metrics | undefined,
): Promise<Management | undefined> {
  if (!place || !metrics) return undefined
  const [{ getRequestListener }, { openManagement }] = await Promise.all([
    import("@hono/node-server"),
    import("./management.ts"),
  ])
  const health = getRequestListener((request) =>
    /\/(livez|readyz)$/.test(request.url) ? issuer.fetch(request) : new Response(null, { status: 404 }),
  )
  try {
    return await openManagement(place, (...exchange) => void health(...exchange), metrics)
  } catch (error) {
    await server.drain(0)
    await issuer.close()
    throw error
  }
}

async function start(settings: ServeSettings, name: string, log: Log, server: Listening): Promise<Issuer> {
  const { createIssuer, NotStarted } = await import("../issuer/issuer.ts") // most of what there is to load
  const { KeysLocked } = await import("../keys/held.ts")
  try {
    return await createIssuer({
      issuer: name,
      database: settings.database,
      policies: settings.policies,
      keyEncryptionKey: settings.keyEncryptionKey,
      dev: settings.dev,
      dangerouslyAllowPlainHttp: settings.plainHttp,
      keyRotationSeconds: settings.keyRotationSeconds,
      acceptRollback: settings.acceptRollback,
      ...(settings.retentionSeconds !== undefined && { retentionSeconds: settings.retentionSeconds }),
      ...(settings.archive !== undefined && { archive: settings.archive }),
      ...(settings.algorithm && { algorithm: settings.algorithm }),
      ...(settings.webhooks && { webhooks: settings.webhooks }),
      console: settings.console,
      onFault: (error, request) => log.error({ err: error, request }, "fault"),
      onPolicy: createPolicyLog(log),
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
  const { bold, dim } = terminal.errorColors
  terminal.note(`${bold("taskmint")} ${name}${name === address ? "" : dim(`  at ${address}`)}`)
  terminal.note(dim(`policies ${settings.policies}   database ${nameOfDatabase(settings.database)}`))
  terminal.note(
    `Next: ${command} task start --help   (SIGTERM or Ctrl-C ends it, SIGHUP reads the policies again)`,
  )
}

/** To the terminal alone, never to the log: each is a way in. */
function tellLinks({ terminal }: Context, issuer: Issuer): void {
  for (const [entry, link] of Object.entries(issuer.consoleLinks() ?? {}))
    terminal.note(`Console, as ${entry}, once and within 60 s: ${link}`)
}

function tellStopped({ terminal }: Context, log: Log, issuer: Issuer): void {
  const why = issuer.ledgerStopped()
  if (why === undefined) return
  log.error({ why }, "ledger_broken")
  for (const line of STOPPED) terminal.note(terminal.errorColors.bold(line))
}

const STOPPED = [
  "NOTHING IS MINTED: the database is not the one that was signed, because an older copy or another took its place.",
  "If there is a newer one, put it back. If it is lost, start once with --accept-rollback: every task ends, every key goes.",
]

function warn({ terminal }: Context): void {
  const { bold, yellow } = terminal.errorColors
  for (const line of DEVELOPMENT) terminal.note(yellow(bold(line)))
}

const DEVELOPMENT = [
  "DEVELOPMENT: example keys are let in, people's decisions are not asked for, and loopback is",
  "all it listens on. What it writes is refused without --dev. Never use it for real work.",
]

/** Everything is on disk when it resolves; throws when the engine can't commit any more, also when it broke in the end. */
async function end(first: Error | undefined, issuer: Issuer, server: Listening, log: Log): Promise<void> {
  const grace = first ? 1000 : GRACE_MILLISECONDS
  issuer.drain()
  log.info({ grace_ms: grace }, "draining")
  await server.drain(grace)
  await issuer.close(LAST_MILLISECONDS)
  log.info("stopped")
  const reason = first ?? (await Promise.race([issuer.broken, undefined]))
  if (!reason) return
  log.fatal({ err: reason }, "can't go on")
  throw cannotTell(`Can't go on: ${reason.message}`, "Look at the log and the disk, then start again")
}

/** SIGHUP reloads the issuer once there is one, which says itself what came of it. */
function watchSignals(log: Log, issuer: () => Issuer | undefined) {
  const end = watchEnd()
  const reload = () => void reloadNow(log, issuer())
  process.on("SIGHUP", reload)
  return {
    ended: end.ended,
    forget() {
      process.off("SIGHUP", reload)
      end.forget()
    },
  }
}

async function reloadNow(log: Log, issuer: Issuer | undefined): Promise<void> {
  try {
    await issuer?.reload()
  } catch (error) {
    log.error({ err: error }, "policies not read; those in force stay")
  }
}
