// `guard`: the verifier as a process of its own, before an API in any language. It decides when to listen and when to stop;
// what passes is decided by the verifier.
import { type Command, Option } from "commander"
import { Unavailable } from "../database/database.ts"
import { FRONTS } from "../sidecar/forward-auth.ts"
import { createVerifier, type Verifier } from "../verifier/verifier.ts"
import type { Context } from "./context.ts"
import { cannotTell } from "./exit.ts"
import { watchReasons } from "./guard-log.ts"
import { type GuardServer, openGuardServer } from "./guard-server.ts"
import { type GuardFlags, type GuardSettings, readGuardSettings } from "./guard-settings.ts"
import { createLog, type Log } from "./log.ts"
import { type Metrics, startMetrics } from "./metrics.ts"
import { ASSERTION_FILE } from "./options.ts"
import { watchEnd } from "./signals.ts"

const GRACE_MILLISECONDS = 10_000

export function addGuard(program: Command, context: Context): void {
  program
    .command("guard")
    .description("check and record every request before an API, as its proxy or for one, until SIGTERM")
    .option("--routes <file>", "which request is which operation on what (TASKMINT_ROUTES)")
    .option("--upstream <url>", "the API: what is allowed goes there (TASKMINT_UPSTREAM)")
    .addOption(
      new Option("--forward-auth <proxy>", "instead: answer that proxy at /check, forward nothing").choices(
        FRONTS,
      ),
    )
    .option("--resource <url>", "the API's public URL, as in the policy (TASKMINT_RESOURCE)")
    .option("--issuer <url>", "the issuer's name (TASKMINT_ISSUER)")
    .option("--issuer-address <url>", "where it is reached, when elsewhere (TASKMINT_ISSUER_ADDRESS)")
    .option("--client-id <name>", "the API's name in the policy (TASKMINT_CLIENT_ID)")
    .option("--client-key-file <file>", "its private JWK (TASKMINT_CLIENT_KEY_FILE)")
    .option("--client-assertion-file <file>", ASSERTION_FILE)
    .option("--spool <file>", "uses until the issuer has them (TASKMINT_SPOOL, ./uses.db)")
    .option("--spool-limit <MiB>", "uses that it holds before requests are refused; 1024, and 16 with direct")
    .option(
      "--ledger-key <vkey>",
      "the key of the issuer's ledger, as noted down (TASKMINT_LEDGER_KEY); without it, the one that the issuer names first",
    )
    .addOption(
      new Option("--recording <how>", "direct needs no disk; batched waits for no disk, and can lose some")
        .choices(["write-ahead", "direct", "batched"])
        .default("write-ahead"),
    )
    .option("--dpop-nonces", "ask for a nonce in proofs of possession, for an API on several hosts")
    .option(
      "--observe-until <time>",
      "until then let pass what would be refused, and tell it: an RFC 3339 time",
    )
    .option("--host <address>", "where to listen (TASKMINT_HOST, 127.0.0.1)")
    .option("--port <number>", "where to listen; 0: any that is free (TASKMINT_GUARD_PORT, 8788)")
    .option("--management-port <number>", "/livez, /readyz and /metrics (TASKMINT_MANAGEMENT_PORT)")
    .option("--management-host <address>", "where that port is (TASKMINT_MANAGEMENT_HOST, 127.0.0.1)")
    .addOption(
      new Option("--log-level <level>", "the least that is logged")
        .choices(["debug", "info", "warn", "error"])
        .default("info"),
    )
    .action((flags: GuardFlags) => guard(context, flags))
}

async function guard(context: Context, flags: GuardFlags): Promise<void> {
  const settings = readGuardSettings(context, flags)
  const log = createLog(process.stdout, flags.logLevel)
  const signals = watchEnd()
  const metrics = settings.management && (await startMetrics())
  try {
    const verifier = await createVerifier(settings.verifier).catch(spoolClosed)
    const server = await listen(verifier, settings, metrics)
    greet(context, settings, server, log)
    const { mode } = settings.verifier
    if (mode) log.warn({ observe_until: mode.observe.until }, "observing")
    const reasons = watchReasons(verifier, log)
    const fault = await signals.ended
    reasons.stop()
    await end(fault, verifier, server, log)
  } finally {
    await metrics?.stop()
    signals.forget()
  }
}

/** Its own words are for programs, which may share a spool. */
function spoolClosed(error: unknown): never {
  if (!(error instanceof Unavailable)) throw error
  throw cannotTell(
    error.message,
    "Guards share none: give each a file of its own, on a local disk, with --spool",
  )
}

async function listen(
  verifier: Verifier,
  settings: GuardSettings,
  metrics: Metrics | undefined,
): Promise<GuardServer> {
  try {
    return await openGuardServer(verifier, settings, metrics)
  } catch (error) {
    await verifier.close()
    throw error
  }
}

function greet({ terminal }: Context, settings: GuardSettings, server: GuardServer, log: Log): void {
  const { host, routes, duty } = settings
  const { bold, dim } = terminal.errorColors
  const address = `http://${host}:${server.port}`
  const does = "upstream" in duty ? `before ${duty.upstream}` : `answers ${duty.front} at /check`
  terminal.note(`${bold("taskmint guard")} ${address}  ${does}`)
  for (const { method, path, operation, resource } of routes)
    terminal.note(dim(`  ${method} ${path}  ${operation} on ${resource}`))
  terminal.note(`${refusalsOf(settings)} SIGTERM or Ctrl-C ends it.`)
  const { managementPort } = server
  log.info({ address, management_port: managementPort, ...duty, routes: routes.length }, "listening")
}

/** That it observes is said by the verifier's own warning, too. */
function refusalsOf({ verifier: { mode } }: GuardSettings): string {
  if (!mode) return "Everything else is refused."
  return `Until ${mode.observe.until} these refuse nobody, and tell what they would have refused; what is not among them is refused.`
}

/** The answers that are under way go out first, then their uses. */
async function end(
  fault: Error | undefined,
  verifier: Verifier,
  server: GuardServer,
  log: Log,
): Promise<void> {
  const grace = fault ? 1000 : GRACE_MILLISECONDS
  log.info({ grace_ms: grace }, "draining")
  await server.drain(grace)
  await verifier.close()
  log.info("stopped")
  if (!fault) return
  log.fatal({ err: fault }, "can't go on")
  throw cannotTell(`Can't go on: ${fault.message}`, "Look at the log, then start again")
}
