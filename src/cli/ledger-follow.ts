// `ledger follow`: an auditor's own copy of a running ledger, kept current until somebody ends it. It decides when it
// ends, and where a contradiction is kept; what is one, ledger/follow.ts decides, and what is told, follow-news.ts.
import { closeSync, existsSync, fsyncSync, openSync, writeFileSync } from "node:fs"
import type { Command } from "commander"
import { ClientError } from "../client/error.ts"
import type { AuditCopy } from "../ledger/audit-copy.ts"
import type { CaughtUp, Contradiction } from "../ledger/follow.ts"
import type { FetchFile } from "../ledger/verify-tiles.ts"
import { systemClock, toInstant } from "../time.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { answerIsNo, EXIT, endOf, Stop, wrongUse } from "./exit.ts"
import { newsIn, watchSilence } from "./follow-news.ts"
import { keyIn, servedLog } from "./ledger-verify.ts"
import { asCaller, type CallerFlags, required } from "./options.ts"
import { OutputLost } from "./output.ts"
import { watchEnd } from "./signals.ts"

interface Flags extends CallerFlags {
  readonly to: string
  readonly key: string
  readonly once?: boolean
  readonly ndjson?: boolean
}

const ROUND_MILLISECONDS = 1000
const TOLD_AT_ONCE = 256
export function addFollow(ledger: Command, context: Context): void {
  asCaller(ledger.command("follow"))
    .description(
      "keep a verified copy of the running ledger, as an auditor; exit code 1: it contradicts itself",
    )
    .addOption(required("--to <file>", "the copy, begun where there is none; `ledger verify` reads it"))
    .addOption(required("--key <vkey>", "the ledger's key as you know it, or a file that holds it"))
    .option("--once", "catch up, and end")
    .option("--ndjson", "every new entry as a line of JSON on standard output, once it is verified")
    .action((flags: Flags) => follow(context, flags))
}

async function follow(context: Context, flags: Flags): Promise<void> {
  const key = (await keyIn(flags.key)).trim()
  const { readVkey } = await import("../ledger/checkpoint.ts")
  const verifier = readVkey(key)
  if (!verifier) throw wrongUse("--key is not a vkey of an Ed25519 key (C2SP signed-note)")
  const { openToFollow } = await import("../ledger/audit-copy.ts")
  const fetch = servedLog(context, flags)
  const end = watchEnd()
  const copy = openToFollow(flags.to, verifier.name)
  let ended = false
  const ending = end.ended.then((fault) => {
    ended = true
    return fault
  })
  try {
    copy.trust(key)
    await run(context, flags, { copy, fetch, ending, ended: () => ended })
    const fault = ended ? await ending : undefined
    if (fault) throw fault
    summarise(context, flags, copy)
  } finally {
    end.forget()
    copy.close()
  }
}

interface Following {
  readonly copy: AuditCopy
  readonly fetch: FetchFile
  readonly ending: Promise<unknown>
  readonly ended: () => boolean
}

async function run(context: Context, flags: Flags, following: Following): Promise<void> {
  const { copy, ended, ending } = following
  const silence = watchSilence(context.terminal, systemClock)
  let heardOf = flags.ndjson ? copy.state().told : copy.state().signed.size
  while (!ended()) {
    try {
      const found = await round(context, following)
      if (found && "how" in found) throw keepEvidence(flags, found)
      if (found) silence.heard(found.fresh > 0)
    } catch (error) {
      if (flags.once || !isAway(error)) throw error
      silence.failed(error.message)
    }
    heardOf = await tell(context, flags, following, heardOf)
    if (flags.once) return
    await pause(ending)
  }
}

/** The issuer could not be asked, or not now; what fails on this side ends the command. */
const isAway = (error: unknown): error is Stop | ClientError =>
  (error instanceof Stop || error instanceof ClientError) && endOf(error).exitCode === EXIT.cannotTell

async function pause(ending: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const round = new Promise((resolve) => {
    timer = setTimeout(resolve, ROUND_MILLISECONDS)
  })
  await Promise.race([ending, round])
  clearTimeout(timer)
}

/** One look; a long one shows how far it is. */
async function round({ terminal }: Context, { copy, fetch, ended }: Following) {
  const { catchUp } = await import("../ledger/follow.ts")
  const [since, from] = [performance.now(), copy.state().taken.size]
  let line = "following"
  const progress = (done: number, total: number) => {
    const rate = Math.round((1000 * (done - from)) / Math.max(1, performance.now() - since))
    line = `catching up ${Math.floor((100 * done) / total)} %, ${rate} entries a second`
    return !ended()
  }
  const working: Promise<CaughtUp | Contradiction | undefined> = catchUp({
    copy,
    fetch,
    now: systemClock.now(),
    progress,
  })
  return terminal.progress(() => line, working)
}

/**
 * Passes on what was verified since the last time, and answers up to where. With --ndjson that is durable, once it was
 * written: a line may come twice, and none is left out.
 */
async function tell(
  { terminal }: Context,
  flags: Flags,
  { copy, ended }: Following,
  from: number,
): Promise<number> {
  let told = from
  for (const { size } = copy.state().signed; told < size && !ended(); ) {
    const entries = copy.entries(told, Math.min(size, told + TOLD_AT_ONCE))
    if (entries.length === 0) break // `ledger verify` says what is missing
    const { lines, alarms } = newsIn(entries, told)
    for (const alarm of alarms) terminal.note(alarm)
    told += lines.length
    if (!flags.ndjson) continue
    await write(lines.join(""))
    copy.tell(told)
  }
  return told
}

const write = (text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(new OutputLost(error)) : resolve()))
  })

/** Both sides in a file beside the copy; the first contradiction of a kind stays. */
function keepEvidence({ to }: Flags, found: Contradiction): Stop {
  const path = `${to}.${found.how}.json`
  if (!existsSync(path)) {
    const { how, ours = null, theirs, servedRoot = null } = found
    const at = toInstant(systemClock.now())
    const file = openSync(path, "wx", 0o600)
    writeFileSync(file, `${JSON.stringify({ how, at, ours, theirs, served_root: servedRoot }, null, 2)}\n`)
    fsyncSync(file)
    closeSync(file)
  }
  return answerIsNo(
    `alarm: ${found.how.replaceAll("_", " ")}: what the issuer serves contradicts this copy, or what it signed`,
    found.how === "checkpoint_unsigned"
      ? `Was its key rotated while nobody followed? Then give the new one with --key. Kept in ${path}`
      : `Both sides are kept in ${path}: keep it, and the copy as it is`,
  )
}

function summarise({ terminal }: Context, flags: Flags, copy: AuditCopy): void {
  const { origin, signed } = copy.state()
  if (flags.ndjson) return
  if (flags.json) terminal.json({ origin, entries: signed.size, checkpoint: copy.checkpoints().at(-1) })
  else
    terminal.print(`followed  ${signed.size} entries of ${forTerminal(origin)} in ${forTerminal(flags.to)}`)
}
