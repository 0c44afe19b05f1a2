// Whose rights are exchanged: the subject token of a token exchange, opened, looked up in the database and held against who
// brings it. Depth, holder and state come from the rows, never from the token. It decides who stands behind a token and
// that it may be exchanged now; what comes of it is exchange.ts's.

import type { Step } from "../database/database.ts"
import { type Refusal, refuse } from "../errors.ts"
import { toEpochSeconds } from "../time.ts"
import type { Authority } from "../token/authority.ts"
import { Unreadable } from "../token/jwt.ts"
import { type OwnScope, type OwnToken, openOwnToken } from "../token/own-token.ts"
import type { TaskToken } from "../token/token.ts"
import { openTaskToken } from "../token/verify.ts"
import {
  chainOf,
  type DelegationRow,
  holderLives,
  livesUntil,
  type SubjectRow,
  taskOfToken,
} from "./delegation-statements.ts"

import type { Link } from "./gate.ts"
import type { Parts } from "./parts.ts"
import { usedUp } from "./use-left.ts"

/** Who brings a subject token: an agent that proves a key, or a caller that authenticated by itself. */
export type Bringer =
  | {
      readonly kind: "agent"
      readonly jkt: string
      /** Who it says it is, where it says so: its name in the policy. */
      readonly agent: string | undefined
    }
  | { readonly kind: "caller"; readonly name: string; readonly orchestrator: boolean }

/** A subject token that is genuine and in the right hands; nothing is said about its time or its holder. */
export interface Opened {
  readonly token: OwnToken | TaskToken
  /** What its bearer may do with it; undefined: whatever the task's orchestrator may. */
  readonly may: readonly OwnScope[] | undefined
  /** Of an API's token: what it grants, and the only API that it can be exchanged for. */
  readonly granted?: { readonly resource: string; readonly grants: Authority }
}

/** Who holds the subject token, as the rows say. */
export interface Subject {
  readonly task: SubjectRow
  readonly links: readonly Link[]
  /** Of the holder's key. */
  readonly jkt: string | undefined
  /** Of every holder from the task's own agent on. */
  readonly jkts: readonly (string | null)[]
}

/**
 * The agent's own token in the hands of who proves its key, or an API's token in the hands of an orchestrator: that it is the
 * task's own is seen in the row. Everything else is `subject_token_invalid` or `exchange_not_allowed`.
 */
export function openSubject(parts: Parts, text: string, by: Bringer): Opened | Refusal {
  const own = openOwnToken(text, parts.keyring.keyOf, parts.issuer, parts.ownTokens)
  if (!(own instanceof Unreadable)) {
    if (by.kind !== "agent") return refuse("exchange_not_allowed", "[own] brought without its key")
    if (own.jkt !== by.jkt) return refuse("proof_invalid", "[jkt] the proof is by another key")
    if (by.agent !== undefined && by.agent !== own.actors[0]?.agent)
      return refuse("exchange_not_allowed", "[client_id] another agent than the token's")
    return { token: own, may: own.scope }
  }
  const genuine = openTaskToken(text, parts.keyring.keyOf)
  if (genuine instanceof Unreadable)
    return refuse("subject_token_invalid", `[${own.tag === "claims" ? genuine.tag : own.tag}] subject token`)
  const { token } = genuine
  if (token.iss !== parts.issuer) return refuse("subject_token_invalid", "[iss] subject token")
  if (by.kind === "agent") return refuse("exchange_not_allowed", "[api] an API's token by its bearer")
  return { token, may: undefined, granted: { resource: token.aud, grants: token.grants } }
}

/** The holder as of now. Time, state and endings are judged here, and guarded again in the transaction. */
export async function findSubject(parts: Parts, row: SubjectRow): Promise<Subject | Refusal> {
  const stopped = (await usedUp(parts, row)) ?? stoppedBy(row)
  if (stopped) return stopped
  const chain =
    row.delegation === null ? [] : await parts.engine.query(chainOf, { delegation: row.delegation })
  if (chain.some((one) => one.ended_at !== null))
    return refuse("delegation_ended", "[delegation] it or one above it has ended")
  const jkts = [row.jkt, ...chain.map((one) => one.jkt)]
  return { task: row, links: chain.map(linkOf), jkt: jkts.at(-1) ?? undefined, jkts }
}

function stoppedBy(row: SubjectRow): Refusal | undefined {
  if (row.state === "paused") return refuse("task_paused", "[state] the task is paused")
  if (row.state !== "active") return refuse("task_ended", `[state] the task is ${row.state}`)
  return undefined
}

/** Whether the token is over: ended, or run out, a grace apart. No skew is allowed where a token is exchanged. */
export function judgeTime(row: SubjectRow, now: number, graceSeconds: number): Refusal | undefined {
  if (row.token_ended_at !== null) return refuse("subject_token_invalid", "[ended] subject token")
  return row.token_exp + graceSeconds > toEpochSeconds(now)
    ? undefined
    : refuse("subject_token_expired", "[expired] subject token")
}

/**
 * Until when a token below this holder may live (epoch seconds), and the guard of it. `delegation` undefined: the task's own
 * agent.
 */
export async function aliveUntil(
  parts: Parts,
  { task }: { readonly task: Pick<SubjectRow, "task_id"> },
  delegation: string | undefined,
  now: number,
): Promise<{ readonly until: number; readonly guards: readonly Step[] } | Refusal> {
  const holder = { task_id: task.task_id, holder: delegation ?? null }
  const [row] = await parts.engine.query(livesUntil, { ...holder, now_seconds: toEpochSeconds(now) })
  const until = row?.until ?? null
  if (until === null) return refuse("holder_above_expired", "[above] the holder above has no live token")
  return { until, guards: [{ statement: holderLives, values: { ...holder, until }, rows: 1 }] }
}

export const linkOf = (row: DelegationRow): Link => ({
  delegationId: row.delegation_id,
  agent: row.agent,
  instance: row.instance,
  authority: JSON.parse(row.authority),
})

/** The row behind a genuine token. One that is not there was never minted on this database: an alarm says so. */
export async function rowOf(parts: Parts, { jti, txn }: Opened["token"]): Promise<SubjectRow | Refusal> {
  const [row] = await parts.engine.query(taskOfToken, { jti })
  if (row?.task_id === txn) return row
  const at = parts.ledger.at()
  const body = { alarm: "unknown_jti", claimed_task: txn, claimed_jti: jti }
  await parts.ledger.append([{ kind: "alarm.raised", at, code: "subject_token_invalid", body }])
  return refuse("subject_token_invalid", "[jti] genuine, and unknown to this database")
}
