// `revoke`: end live tokens by what they have in common, as an operator. For names it is also a lock. It waits a few
// seconds for the verifiers, and says who has applied it and who has not.
import { setTimeout as sleep } from "node:timers/promises"
import { Argument, type Command } from "commander"
import { asRecord, type IssuerCalls } from "../client/issuer-call.ts"
import { parseDuration, parseInstant, toInstant, withinYears } from "../time.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { wrongUse } from "./exit.ts"
import { nextCommand } from "./next-command.ts"
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
    .argument(
      "<value>",
      "the id or the name: task_..., triage-bot; an instance with its agent: triage-bot/pod-7f3c",
    )
    .addOption(required("--reason <text>", "why, for people"))
    .option(
      "--until <time>",
      "how long the lock stands: 2h, or an RFC 3339 time to come; without it, until lifted",
    )
    .action(async (kind: string, value: string, flags: Flags) => {
      const until = flags.until === undefined ? {} : { until: readUntil(flags.until, kind) }
      const asked = { kind, value, reason: flags.reason, ...until }
      const issuer = issuerOf(context, flags)
      const { body } = await context.terminal.progress("revoking", issuer.call("POST", "/revocations", asked))
      const view = await context.terminal.progress(
        "waiting for verifiers",
        awaitApplied(issuer, asRecord(body)),
      )
      if (flags.json) return context.terminal.json(view)
      showRevoked(context, view, kind, flags)
    })
}

type View = Readonly<Record<string, unknown>>

const PATIENCE_MILLISECONDS = 5000
const LOOK_MILLISECONDS = 200
/** An instance that was silent before the order, for longer than any heartbeat takes, is told of but not waited for. */
const SILENT_MILLISECONDS = 60_000

/** The order is carried out already: what can't be learnt any more is left out, and is no error. */
export async function awaitApplied(issuer: IssuerCalls, revoked: View): Promise<View> {
  const began = performance.now()
  let view = revoked
  while (instancesOf(view).some(isAwaited(view)) && performance.now() - began < PATIENCE_MILLISECONDS) {
    await sleep(LOOK_MILLISECONDS)
    const path = `/revocations/${encodeURIComponent(String(revoked.id))}`
    const answer = await issuer.call("GET", path).catch(() => undefined)
    if (!answer) return view
    view = asRecord(answer.body)
  }
  return view
}

const instancesOf = ({ instances }: View): View[] => (Array.isArray(instances) ? instances.map(asRecord) : [])

const hasApplied = ({ applied_at }: View): boolean => applied_at !== undefined

const isAwaited =
  ({ at }: View) =>
  (instance: View): boolean =>
    !hasApplied(instance) &&
    instance.closed !== true &&
    (parseInstant(String(instance.last_seen)) ?? 0) >= (parseInstant(String(at)) ?? 0) - SILENT_MILLISECONDS

function readUntil(text: string, kind: string): string {
  if (!LOCKING.has(kind)) throw wrongUse(`--until is for locks; a ${kind} ends for good`)
  const seconds = parseDuration(text)
  const until = seconds === undefined ? parseInstant(text) : Date.now() + seconds * 1000
  if (until === undefined)
    throw wrongUse(`--until ${text} is no time`, "Write 30m, 2h, 7d, or 2026-01-31T12:00:00Z")
  return toInstant(withinYears(until))
}

function showRevoked(context: Context, view: View, kind: string, flags: CallerFlags): void {
  const { terminal } = context
  const id = forTerminal(String(view.id ?? ""))
  const tokens = typeof view.tokens_ended === "number" ? view.tokens_ended : 0
  terminal.print(`${terminal.colors.bold(id)}  ${tokens} live token(s) ended`)
  showApplied(terminal, view)
  if (LOCKING.has(kind))
    terminal.note(
      `Nothing more is minted for it. Lift the lock with: ${nextCommand(context, flags, `lock lift ${id}`)}`,
    )
}

export function showApplied(terminal: Context["terminal"], view: View): void {
  const instances = instancesOf(view).filter((one) => hasApplied(one) || one.closed !== true)
  if (instances.length === 0) return
  const applied = instances.filter(hasApplied)
  const last = typeof view.applied_in_ms === "number" ? `, the last after ${view.applied_in_ms} ms` : ""
  terminal.print(`${applied.length} of ${instances.length} verifier instance(s) have applied it${last}`)
  for (const { api, instance, last_seen } of instances.filter((one) => !hasApplied(one)))
    terminal.note(
      `Not applied yet: ${forTerminal(`${api} ${instance}`)}, last heard of ${forTerminal(String(last_seen))}`,
    )
}
