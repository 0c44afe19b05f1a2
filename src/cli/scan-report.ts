// What `scan` says: a line for each token, what was not looked through, and what to do next. It decides words; nothing of
// what it says is a token.

import type { Unread } from "../exposure/source.ts"
import { toInstant } from "../time.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { showApplied } from "./revoke.ts"
import type { Answered } from "./scan-asking.ts"

export interface Scanned {
  readonly answered: readonly Answered[]
  /** What could not be read to its end, and what was left out. */
  readonly unread: readonly Unread[]
  readonly sources: number
  /** As they rest. */
  readonly bytes: number
  readonly milliseconds: number
  /** Places of tokens of other issuers, and of such that don't say whose they are. */
  readonly others: number
  /** Why the issuer was not asked; undefined: it was, or there was nothing to ask. */
  readonly unasked: string | undefined
  /** Why not everything was ended that was to be. */
  readonly failed?: string | undefined
}

/** `live` and `ended` are the issuer's word; without it a token that has run out has, and of others nobody knows. */
function stateOf({ finding, told }: Answered, now: number): string {
  if (finding.standing === "forged") return "forged"
  if (told) return String(told.state)
  if (finding.expires === undefined) return "unknown"
  if (finding.expires * 1000 <= now) return "expired"
  // A service token can't be ended before its time.
  const isService = finding.task === undefined && finding.standing === "genuine"
  return isService ? "live" : "not asked"
}

export function forPrograms(scanned: Scanned, now: number) {
  return {
    findings: scanned.answered.map((one) => {
      const { finding, told = {}, ended } = one
      const { standing, jti, task, orchestrator, holder, audience, issuer, expires, places, found } = finding
      return {
        state: stateOf(one, now),
        standing,
        jti,
        task_id: task,
        task_state: told.task_state,
        holder,
        orchestrator,
        audience,
        issuer,
        ...(expires !== undefined && { expires_at: toInstant(expires * 1000) }),
        canary: told.canary,
        recorded: told.recorded ?? false,
        places,
        found,
        ended,
      }
    }),
    sources: scanned.sources,
    bytes: scanned.bytes,
    of_other_issuers: scanned.others,
    asked: scanned.unasked === undefined,
    unread: scanned.unread.map(({ name, why, leftOut = false }) => ({ file: name, why, left_out: leftOut })),
  }
}

export function showScanned({ terminal, settings }: Context, scanned: Scanned, now: number): void {
  const { answered } = scanned
  if (answered.length > 0)
    terminal.table(["STATE", "SIGNATURE", "TOKEN", "TASK", "HOLDER", "WHERE"], answered.map(rowOf(now)))
  for (const { ended } of answered)
    for (const one of ended) {
      terminal.print(`\nended: ${forTerminal(`${one.kind} ${one.value}`)}  ${forTerminal(String(one.id))}`)
      showApplied(terminal, one)
    }
  terminal.note(`\n${totalsOf(scanned)}`)
  for (const { name, why, leftOut } of scanned.unread)
    terminal.note(
      `${leftOut ? "left out" : "not read to its end"}: ${forTerminal(name)} (${forTerminal(why)})`,
    )
  if (scanned.others > 0)
    terminal.note(
      `${scanned.others} place(s) hold tokens of other issuers, or pieces that don't say whose they were`,
    )
  if (scanned.unasked !== undefined && answered.length > 0)
    terminal.note(
      `The issuer was not asked (${forTerminal(scanned.unasked)}): nobody wrote down what was found`,
    )
  for (const line of nextOf(answered, now, settings.command)) terminal.note(line)
}

const rowOf =
  (now: number) =>
  (one: Answered): string[] => {
    const { standing, jti, task, holder, orchestrator, places, found } = one.finding
    const [first] = places
    const more = found > 1 ? ` and ${found - 1} more` : ""
    const canary = one.told?.canary === true ? ", a canary" : ""
    return [
      `${stateOf(one, now)}${canary}`,
      standing,
      jti ?? "can't be told",
      task ?? taskOf(one),
      holder ?? orchestrator ?? "",
      `${first?.file}:${first?.line}${more}`,
    ]
  }

function taskOf({ finding: { jti, standing }, told }: Answered): string {
  if (told) return String(told.task_id ?? "")
  return jti !== undefined && standing !== "cut" ? "a service token" : ""
}

function totalsOf({ answered, sources, bytes, milliseconds }: Scanned): string {
  const places = answered.reduce((sum, { finding }) => sum + finding.found, 0)
  const found =
    answered.length === 0 ? "No token of ours" : `${answered.length} token(s) in ${places} place(s)`
  const rate = milliseconds > 1000 ? `, ${Math.round(bytes / milliseconds / 1000)} MB/s` : ""
  return `${found}; ${sources} file(s), ${(bytes / 1e6).toFixed(1)} MB${rate}`
}

/** Of what still lives, and was not ended now. */
function nextOf(answered: readonly Answered[], now: number, command: string): string[] {
  const open = answered.filter((one) => one.ended.length === 0 && stateOf(one, now) === "live")
  const lines: string[] = []
  if (answered.some(({ ended }) => ended.some(({ lock }) => lock === true)))
    lines.push(`Locks stand until they are lifted: ${command} lock list`)
  const own = open.filter(({ finding }) => finding.task !== undefined)
  if (own.some(({ finding }) => finding.standing === "genuine"))
    lines.push("Live tokens were found: run it again with --revoke, which ends them and locks their holders.")
  for (const { finding } of own.filter(({ finding }) => finding.standing !== "genuine").slice(0, 3))
    lines.push(
      `Not shown to be genuine, so not ended by --revoke: ${command} revoke token ${finding.jti} --reason ...`,
    )
  if (open.some(({ finding }) => finding.task === undefined))
    lines.push(
      "A service token ends by itself within five minutes; replace its caller's key if others could have had that, too.",
    )
  return lines
}
