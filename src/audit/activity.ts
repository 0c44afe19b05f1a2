// What agents do now and did within a day, as the overview and the pages of agents show it. It decides how far back is looked
// and reads counts that are kept up with the ledger; what they count is hour-count.ts's and privilege-count.ts's.
import type { Engine } from "../database/database.ts"
import {
  type AgentDelegationRow,
  type AgentTaskRow,
  agentSeen,
  alarmsOfAgent,
  delegationsOfAgent,
  type HourRow,
  hoursOfAgent,
  hoursOfAll,
  isNameKnown,
  newestAlarms,
  newestRefusals,
  type OperationRow,
  operationsOfAgent,
  type RefusalRow,
  resourcesOfAgent,
  type SeenRow,
  type SpreadRow,
  standingCounts,
  standingHours,
  tasksOfAgent,
} from "./activity-statements.ts"
import type { AlarmKind, Standing } from "./alarm.ts"
import { standingOf } from "./alarm.ts"
import { hourOf } from "./hour-count.ts"
import { dayOf } from "./privilege-count.ts"
import { levelsOf, type StandingKind } from "./standing-count.ts"

const HOURS = 24
/** Of what was granted and used. */
const DAYS = 30
const HOUR_MILLISECONDS = 3_600_000
/** Entries that are looked through for what an agent touched, back from its last one. */
export const SPREAD_ENTRIES = 10_000

/** One hour of the last 24, the one under way included: every hour is there, whether anything happened or not. */
export interface Hour extends Omit<HourRow, "hour"> {
  /** Epoch milliseconds at which it began. */
  readonly from: number
}

/** Throws Unavailable, as all of these do. */
export async function lastHours(engine: Engine, now: number, agent?: string): Promise<readonly Hour[]> {
  const from = hourOf(now) - HOURS + 1
  const rows =
    agent === undefined
      ? await engine.query(hoursOfAll, { from })
      : await engine.query(hoursOfAgent, { from, agent })
  const known = new Map(rows.map((row) => [row.hour, row]))
  return Array.from({ length: HOURS }, (_, at) => {
    const { starts = 0, uses = 0, refusals = 0 } = known.get(from + at) ?? {}
    return { from: (from + at) * HOUR_MILLISECONDS, starts, uses, refusals }
  })
}

export async function standing(engine: Engine, now: number): Promise<{ tasks: number; approvals: number }> {
  return (await engine.query(standingCounts, { now }))[0] ?? { tasks: 0, approvals: 0 }
}

/** Of each how many stood at the end of each of the last 24 hours, the last being now: `now` says how many do. */
export async function lastStanding(
  engine: Engine,
  at: number,
  now: Readonly<Record<StandingKind, number>>,
): Promise<Readonly<Record<StandingKind, readonly number[]>>> {
  const from = hourOf(at) - HOURS + 1
  const hours = Array.from({ length: HOURS }, (_each, n) => from + n)
  const counts = await engine.query(standingHours, { from })
  const levels = (what: StandingKind) =>
    levelsOf(
      now[what],
      hours,
      counts.filter((one) => one.what === what),
    )
  return {
    tasks: levels("tasks"),
    approvals: levels("approvals"),
    silent_agents: levels("silent_agents"),
    silent_verifiers: levels("silent_verifiers"),
  }
}

export const lastRefusals = (engine: Engine, limit: number): Promise<RefusalRow[]> =>
  engine.query(newestRefusals, { limit })

export interface AlarmsPage {
  /** The newest first. */
  readonly alarms: readonly Standing[]
  /** Where the next page begins; undefined: there is none. */
  readonly next: number | undefined
}

export async function lastAlarms(
  engine: Engine,
  filter: {
    readonly kind?: AlarmKind | undefined
    readonly before?: number | undefined
    readonly limit: number
  },
): Promise<AlarmsPage> {
  const { kind = "", before = Number.MAX_SAFE_INTEGER, limit } = filter
  const rows = await engine.query(newestAlarms, { kind, before, limit: limit + 1 })
  const alarms = rows.slice(0, limit).map(standingOf)
  return { alarms, next: rows.length > limit ? alarms.at(-1)?.id : undefined }
}

/** Uses and refusals of 24 hours, operations of 30 days. */
export async function seenOf(engine: Engine, agent: string, now: number): Promise<SeenRow> {
  const since = { hour: hourOf(now) - HOURS + 1, day: dayOf(now) - DAYS + 1 }
  const [row] = await engine.query(agentSeen, { agent, ...since })
  return row ?? { last_at: null, last_seq: null, uses: 0, refusals: 0, granted: 0, used: 0 }
}

/** Whether entries or tasks name this agent: policy may know it no more. */
export const isKnownAgent = async (engine: Engine, agent: string): Promise<boolean> =>
  (await engine.query(isNameKnown, { agent }))[0]?.known === 1

export interface AgentActivity {
  readonly hours: readonly Hour[]
  readonly seen: SeenRow
  readonly operations: readonly OperationRow[]
  readonly spread: readonly SpreadRow[]
  readonly alarms: readonly Standing[]
  readonly tasks: readonly AgentTaskRow[]
  /** The task that the next page begins after. */
  readonly next: string | undefined
  readonly delegations: readonly AgentDelegationRow[]
}

const MOST_OPERATIONS = 50
const MOST_ALARMS = 25

/** The name is one that policies can have: it is looked for in texts. */
export async function activityOf(
  engine: Engine,
  agent: string,
  {
    now,
    after = "",
    limit,
  }: { readonly now: number; readonly after?: string | undefined; readonly limit: number },
): Promise<AgentActivity> {
  const seen = await seenOf(engine, agent, now)
  const upTo = seen.last_seq ?? 0
  const tasks = await engine.query(tasksOfAgent, { agent, after, limit: limit + 1 })
  const shown = tasks.slice(0, limit)
  const names = { named: `%"agent":"${agent}"%`, listed: `%"${agent}"%` }
  return {
    hours: await lastHours(engine, now, agent),
    seen,
    operations: await engine.query(operationsOfAgent, {
      agent,
      day: dayOf(now) - DAYS + 1,
      limit: MOST_OPERATIONS,
    }),
    spread: await engine.query(resourcesOfAgent, { agent, after: upTo - SPREAD_ENTRIES, upTo }),
    alarms: (await engine.query(alarmsOfAgent, { ...names, limit: MOST_ALARMS })).map(standingOf),
    tasks: shown,
    next: tasks.length > limit ? shown.at(-1)?.task_id : undefined,
    delegations: after === "" ? await engine.query(delegationsOfAgent, { agent, limit: MOST_ALARMS }) : [],
  }
}
