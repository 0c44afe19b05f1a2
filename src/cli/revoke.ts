// `revoke`: end live tokens by what they have in common, as an operator. For names it is also a lock.
import { Argument, type Command } from "commander"
import { asRecord } from "../client/issuer-call.ts"
import { parseDuration, parseInstant, toInstant } from "../time.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { wrongUse } from "./exit.ts"
import { asCaller, type CallerFlags, issuerOf, required } from "./options.ts"

const KINDS = ["token", "delegation", "task", "instance", "agent", "orchestrator", "subject", "api", "key"]
/** For these a revocation is a lock too: nothing more is minted for the name until it is lifted. */
const LOCKING = new Set(["instance", "agent", "orchestrator", "subject", "api"])

interface Flags extends CallerFlags {
  readonly reason: string
  readonly until?: string
}

export function addRevoke(program: Command, context: Context): void {
  asCaller(program.command("revoke"))
    .description("end live tokens by what they have in common; a name is locked as well")
    .addArgument(new Argument("<kind>").choices(KINDS))
    .argument("<value>", "the id or the name: task_..., triage-bot, triage-bot/pod-7f3c")
    .addOption(required("--reason <text>", "why, for people"))
    .option("--until <time>", "how long the lock stands: 2h, or an RFC 3339 time; without it, until lifted")
    .action(async (kind: string, value: string, flags: Flags) => {
      const until = flags.until === undefined ? {} : { until: readUntil(flags.until, kind) }
      const asked = { kind, value, reason: flags.reason, ...until }
      const { body } = await context.terminal.progress(
        "revoking",
        issuerOf(context, flags).call("POST", "/revocations", asked),
      )
      if (flags.json) return context.terminal.json(body)
      showRevoked(context, asRecord(body), kind)
    })
}

function readUntil(text: string, kind: string): string {
  if (!LOCKING.has(kind)) throw wrongUse(`--until is for locks; a ${kind} ends for good`)
  const seconds = parseDuration(text)
  const until = seconds === undefined ? parseInstant(text) : Date.now() + seconds * 1000
  if (until === undefined)
    throw wrongUse(`--until ${text} is no time`, "Write 30m, 2h, 7d, or 2026-01-31T12:00:00Z")
  return toInstant(until)
}

function showRevoked(
  { terminal, settings }: Context,
  view: Readonly<Record<string, unknown>>,
  kind: string,
): void {
  const id = forTerminal(String(view.id ?? ""))
  const tokens = typeof view.tokens_ended === "number" ? view.tokens_ended : 0
  terminal.print(`${terminal.colors.bold(id)}  ${tokens} live token(s) ended`)
  if (LOCKING.has(kind))
    terminal.note(`Nothing more is minted for it. Lift the lock with: ${settings.command} lock lift ${id}`)
}
