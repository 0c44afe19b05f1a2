// Granted against used over a window of days: for a task type, an agent or a rule, page by page, and who did nothing at all.
// It decides what a window is; counting is rollup.ts's, and what follows for a policy is the policy room's.
import type { Engine } from "../database/database.ts"
import type { Policy } from "../policy/policy.ts"
import { toInstant, withinYears } from "../time.ts"
import { dayOf } from "./privilege-count.ts"
import {
  countedUntil,
  entriesOfDays,
  type PrivilegeRow,
  privilegesOfAgent,
  privilegesOfAll,
  rollupPlaces,
  seenInDays,
} from "./rollup-statements.ts"

/** Spelled as on the wire: what `--json` prints, and what is read as evidence of it. */
export interface LeastPrivilege {
  /** RFC 3339: whole days, UTC. `to` is exclusive. */
  readonly from: string
  readonly to: string
  /** Entries of any kind in these days. */
  readonly entries: number
  /** Entries up to this place are counted. */
  readonly up_to: number
  /** When that one was written; null: none is counted. */
  readonly up_to_at: string | null
  /** The signed note of that moment. */
  readonly checkpoint?: string
  readonly items: readonly PrivilegeItem[]
  /** Enabled in the policy in force, and neither given anything nor using anything in these days. */
  readonly dormant: { readonly agents: readonly string[]; readonly types: readonly string[] }
  readonly next: string | null
}

export interface PrivilegeItem {
  readonly type: string
  /** The holder's: of a delegation the sub-agent. */
  readonly agent: string
  /** As grants name it, `support.yaml#/tasks/triage-ticket/grants/0`; empty: none of the token's rules grants it. */
  readonly rule: string
  readonly api: string
  readonly operation: string
  /** Tasks that were given it. */
  readonly granted: number
  /** Uses allowed. */
  readonly used: number
  readonly refused: number
  readonly last_used: string | null
  /** How many resources: not counted in this version. */
  readonly resources: number | null
}

export interface PrivilegeFilter {
  readonly type?: string | undefined
  readonly agent?: string | undefined
  readonly rule?: string | undefined
  /** Epoch milliseconds: the day that it is in is the first. */
  readonly from: number
  /** Epoch milliseconds: the day that it is in is the last; of a midnight, the day before. */
  readonly to: number
  /** `next` of an earlier answer. */
  readonly after?: string | undefined
  /** 1 to 1,000. */
  readonly limit: number
}

/** The names that could have done something. */
type Named = Pick<Policy, "agents" | "tasks">

const DAY_MILLISECONDS = 86_400_000
const IDS = ["type_id", "agent_id", "rule_id", "api_id", "operation_id"] as const
const START = { type_id: 0, agent_id: 0, rule_id: 0, api_id: 0, operation_id: 0 }

/** Tells a cursor that this report may have given out from other text. */
export const isPrivilegeCursor = (text: string): boolean => placeOf(text) !== undefined

const cursorOf = (row: PrivilegeRow): string => IDS.map((name) => row[name]).join("-")

function placeOf(cursor: string): Readonly<Record<string, number>> | undefined {
  if (!/^\d{1,15}(-\d{1,15}){4}$/.test(cursor)) return undefined
  const ids = cursor.split("-").map(Number)
  return Object.fromEntries(IDS.map((name, index) => [name, ids[index] ?? 0]))
}

/** Throws TypeError on a cursor that can't be, Unavailable. */
export async function leastPrivilege(
  engine: Engine,
  policy: Named,
  filter: PrivilegeFilter,
): Promise<LeastPrivilege> {
  const { type = "", agent, rule = "", limit } = filter
  const days = { from: dayOf(filter.from), to: Math.ceil(filter.to / DAY_MILLISECONDS) }
  const after = filter.after === undefined ? START : placeOf(filter.after)
  if (!after) throw new TypeError("after is not a cursor of this report")
  const [place] = await engine.query(rollupPlaces)
  const [until] = await engine.query(countedUntil)
  const [counted] = await engine.query(entriesOfDays, days)
  const values = { type, rule, ...days, ...after, limit: limit + 1 }
  const rows =
    agent === undefined
      ? await engine.query(privilegesOfAll, values)
      : await engine.query(privilegesOfAgent, { ...values, agent })
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return {
    from: toInstant(withinYears(days.from * DAY_MILLISECONDS)),
    // The end of the last day of all can't be said.
    to: toInstant(withinYears(days.to * DAY_MILLISECONDS)),
    entries: counted?.entries ?? 0,
    up_to: place?.seq ?? 0,
    up_to_at: until?.at == null ? null : toInstant(until.at),
    items: shown.map(itemOf),
    dormant: await dormantIn(engine, policy, days),
    next: rows.length > limit && last ? cursorOf(last) : null,
  }
}

const itemOf = ({ type, agent, rule, api, operation, granted, used, refused, ...row }: PrivilegeRow) => ({
  ...{ type, agent, rule: rule ?? "", api, operation, granted, used, refused },
  last_used: row.last_used === null ? null : toInstant(row.last_used),
  resources: null,
})

async function dormantIn(engine: Engine, policy: Named, days: { from: number; to: number }) {
  const seen = await engine.query(seenInDays, days)
  const [agents, types] = [new Set(seen.map(({ agent }) => agent)), new Set(seen.map(({ type }) => type))]
  const enabled = (named: ReadonlyMap<string, { readonly enabled: boolean }>) =>
    [...named].flatMap(([name, one]) => (one.enabled ? [name] : []))
  return {
    agents: enabled(policy.agents).filter((name) => !agents.has(name)),
    types: enabled(policy.tasks).filter((name) => !types.has(name)),
  }
}
