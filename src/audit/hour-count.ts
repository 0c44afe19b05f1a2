// What entries add to the counts by hour and by API: how much happened, when each agent was seen last, and how an API was
// heard. It decides what counts as a start, a use and a refusal, and reads nothing.
import { dayOf, timesOf } from "./privilege-count.ts"
import type { CountedRow } from "./rollup-statements.ts"

/** Of one agent in one hour; an empty agent: entries that name none. */
export interface HourCount {
  /** Whole hours since 1970, UTC. */
  readonly hour: number
  readonly agent: string
  starts: number
  /** Let through, by a verifier that only observes too. */
  uses: number
  /** Of starts, tokens and uses. */
  refusals: number
  /** Epoch milliseconds, and the place in the ledger, of the last of these entries. */
  last_at: number
  last_seq: number
}

/** Of one API on one day. */
export interface ApiCount {
  readonly day: number
  readonly api: string
  allowed: number
  observed: number
  refused: number
  introspected: number
}

export interface HourTally {
  readonly hours: readonly HourCount[]
  readonly apis: readonly ApiCount[]
}

const HOUR_MILLISECONDS = 3_600_000
export const hourOf = (at: number): number => Math.floor(at / HOUR_MILLISECONDS)

const REFUSED: ReadonlySet<string> = new Set(["task.refused", "token.refused", "use.refused"])
const USED: ReadonlySet<string> = new Set(["use.allowed", "use.observed"])

const HEARD: Readonly<Record<string, "allowed" | "observed" | "refused" | "introspected">> = {
  "use.allowed": "allowed",
  "use.observed": "observed",
  "use.refused": "refused",
  "token.introspected": "introspected",
}

export function tallyHours(rows: readonly CountedRow[]): HourTally {
  const hours = new Map<string, HourCount>()
  const apis = new Map<string, ApiCount>()
  for (const row of rows) {
    if (isOwnDoing(row)) countHour(hours, row)
    const heard = HEARD[row.kind]
    if (heard !== undefined && row.api !== null) apiCount(apis, row, row.api)[heard] += timesOf(row)
  }
  return { hours: [...hours.values()], apis: [...apis.values()] }
}

/** What people did about tokens: an order against an agent is no sign of it. */
const DONE_TO_IT: ReadonlySet<string> = new Set(["token.revoked", "token.exposed"])

/** What an agent, or somebody for it, asked for: not what was said of it. */
const isOwnDoing = ({ kind, agent }: CountedRow): boolean =>
  kind === "task.started" ||
  REFUSED.has(kind) ||
  USED.has(kind) ||
  (agent !== null && kind.startsWith("token.") && !DONE_TO_IT.has(kind))

function countHour(hours: Map<string, HourCount>, row: CountedRow): void {
  const { kind, at, seq, agent } = row
  const of = { hour: hourOf(at), agent: agent ?? "" }
  const key = `${of.hour} ${of.agent}`
  const known = hours.get(key) ?? { ...of, starts: 0, uses: 0, refusals: 0, last_at: at, last_seq: seq }
  hours.set(key, known)
  if (kind === "task.started") known.starts += 1
  if (USED.has(kind)) known.uses += 1
  if (REFUSED.has(kind)) known.refusals += timesOf(row)
  known.last_at = Math.max(known.last_at, at)
  known.last_seq = Math.max(known.last_seq, seq)
}

function apiCount(apis: Map<string, ApiCount>, { at }: CountedRow, api: string): ApiCount {
  const day = dayOf(at)
  const key = `${day} ${api}`
  const known = apis.get(key) ?? { day, api, allowed: 0, observed: 0, refused: 0, introspected: 0 }
  apis.set(key, known)
  return known
}
