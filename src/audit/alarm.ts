// What an alarm is, and those that stand. It decides nothing: what raises and clears them is in silence.ts and anomaly.ts.
import type { Engine, Step } from "../database/database.ts"
import { ANOMALY_RULES } from "../policy/anomaly-rules.ts"
import type { Side } from "./refusals.ts"
import { type AlarmRow, alarmCounts, alarmsPage } from "./statements.ts"

/** What nobody reports: silence.ts finds them. */
export const SILENCES = [
  "verifier_silent",
  "verifier_gap",
  "verifier_drifted",
  "task_unrenewed",
  "task_uncollected",
  "agent_refused",
  "key_shared",
] as const
export type SilenceKind = (typeof SILENCES)[number]

/** With what is unusual: anomaly.ts finds that. */
export const ALARMS = [...SILENCES, ...ANOMALY_RULES] as const
export type AlarmKind = (typeof ALARMS)[number]

/** What is known of an alarm, spelled as in an entry; nothing personal. Times are seconds since the epoch. */
export interface AlarmFacts {
  readonly task?: string
  readonly type?: string
  readonly agent?: string
  readonly instance?: string
  readonly orchestrator?: string
  readonly api?: string
  readonly agents?: readonly string[]
  /** Of an agent: who refuses, how often it did, and the code of the last refusal. */
  readonly side?: Side
  readonly refusals?: number
  readonly last_code?: string
  /** Of a verifier instance: the number of its last batch. */
  readonly sequence?: number
  /** How many of its batches are missing. */
  readonly missing?: number
  /** Milliseconds that its clock was ahead of ours when it was raised. */
  readonly drift?: number
  readonly operation?: string
  /** Of what is unusual, in words; and what becomes of the tasks behind it. */
  readonly usual?: string
  readonly happened?: string
  readonly action?: "pause" | "revoke"
}

export interface Alarm {
  readonly kind: AlarmKind
  /** A verifier instance, a task id, `agent/instance`, the thumbprint of a key; of what is unusual `type/agent/` and more. */
  readonly value: string
  readonly facts: AlarmFacts
  /** Epoch milliseconds: when it began. */
  readonly since: number
}

/** What nobody has said yet. */
export interface Begun extends Alarm {
  /** Holds at the commit while it is still so. */
  readonly guards: readonly Step[]
}

/** An alarm that stands in the database. */
export interface Standing extends Alarm {
  readonly id: number
  readonly raisedAt: number
}

export type AlarmCounts = ReadonlyMap<string, number>

export interface AlarmFilter {
  readonly kind?: SilenceKind | undefined
  /** `next` of an earlier answer. */
  readonly after?: number | undefined
  /** 1 to 1,000; default 100. */
  readonly limit?: number | undefined
}

export interface AlarmPage {
  /** The oldest first. */
  readonly alarms: readonly Standing[]
  /** Where the next page begins; undefined when there is none. */
  readonly next: number | undefined
}

/** Alarms of silence that stand now. Throws Unavailable. */
export async function standingAlarms(engine: Engine, filter: AlarmFilter = {}): Promise<AlarmPage> {
  const { kind = "", after = 0, limit = 100 } = filter
  const rows = await engine.query(alarmsPage, { kind, after, limit: limit + 1 })
  const alarms = rows.slice(0, limit).map(standingOf)
  return { alarms, next: rows.length > limit ? alarms.at(-1)?.id : undefined }
}

/** How many of each kind stand now; a kind without any is left out. Throws Unavailable. */
export async function countAlarms(engine: Engine): Promise<AlarmCounts> {
  return new Map((await engine.query(alarmCounts)).map(({ kind, count }) => [kind, count]))
}

export const standingOf = ({ id, kind, value, facts, since, raised_at }: AlarmRow): Standing => ({
  id,
  kind: ALARMS.find((one) => one === kind) ?? "verifier_silent",
  value,
  facts: JSON.parse(facts),
  since,
  raisedAt: raised_at,
})
