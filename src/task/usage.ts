// What an agent has done in the last hour, for conditions that ask it, and what else conditions are told of a task. It counts
// entries of the ledger, by the minute, and reads each of them once; whether a condition asks is the policy's to say.
import type { Engine } from "../database/database.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { Usage } from "../policy/condition.ts"
import { asksUsage, type Circumstances } from "../policy/conditioned.ts"
import type { PolicyStore } from "../policy/in-force.ts"
import { countedAs, firstMinuteAt, NO_USAGE, sumOfUsage, USAGE_MINUTES } from "../policy/usage.ts"
import { entriesOfAgent, newestEntry } from "./usage-statements.ts"

/** So many entries of one agent are read for the first answer; one with more in the hour is not told. */
const MOST_ENTRIES = 200_000

export interface UsageReader {
  /** `now` in epoch milliseconds. Undefined where it can't be told. What commits meanwhile may be missing. */
  read(agent: string, now: number): Promise<Usage | undefined>
}

interface Known {
  /** Place of the last entry that was read. */
  readonly upTo: number
  /** The first minute of which all entries are counted. */
  readonly from: number
  readonly minutes: ReadonlyMap<number, Usage>
}

/** Remembers, for each agent that was asked about, where it has read to. */
export function createUsageReader(engine: Engine, most = MOST_ENTRIES): UsageReader {
  const known = new Map<string, Promise<Known>>()
  return {
    async read(agent, now) {
      const first = firstMinuteAt(now)
      // One after the other, or two would count the same entries.
      const before = known.get(agent)?.catch(() => undefined) ?? Promise.resolve(undefined)
      const reading = before.then((read) => readOn({ engine, agent, most }, read, first))
      known.set(agent, reading)
      const { from, minutes } = await reading
      return from <= first ? sumOfUsage(minutes.values()) : undefined
    },
  }
}

async function readOn(
  { engine, agent, most }: { readonly engine: Engine; readonly agent: string; readonly most: number },
  before: Known | undefined,
  first: number,
): Promise<Known> {
  const after = before?.upTo ?? 0
  const [newest] = await engine.query(newestEntry)
  const upTo = Math.max(newest?.seq ?? 0, after)
  const since = first * 60_000
  const rows = upTo === after ? [] : await engine.query(entriesOfAgent, { agent, after, upTo, since, most })
  const entries = rows.reduce((sum, row) => sum + row.entries, 0)
  // Those before can't be told apart from what is out of the window, so the hour begins anew.
  if (entries >= most) return { upTo, from: first + USAGE_MINUTES, minutes: new Map() }
  const minutes = new Map([...(before?.minutes ?? [])].filter(([minute]) => minute >= first))
  for (const { kind, minute, entries: count } of rows) {
    const what = countedAs(kind)
    if (!what) continue
    const counted = minutes.get(minute) ?? NO_USAGE
    minutes.set(minute, { ...counted, [what]: counted[what] + count })
  }
  return { upTo, from: before?.from ?? 0, minutes }
}

/** What conditions are told of a task beside what decides without them. Reads only where the task type's conditions ask. */
export async function circumstancesOf(
  parts: {
    readonly policies: Pick<PolicyStore, "inForce">
    readonly usage: UsageReader
    readonly ledger: Pick<Ledger, "at">
  },
  task: {
    readonly type: string
    readonly agent: string
    readonly purpose: string | null
    readonly reference: string | null
  },
): Promise<Circumstances> {
  const { agent, purpose, reference } = task
  const told = { purpose: purpose ?? undefined, reference: reference ?? undefined }
  const type = parts.policies.inForce().tasks.get(task.type)
  if (!type || !asksUsage(type)) return told
  return { ...told, usage: await parts.usage.read(agent, parts.ledger.at()) }
}
