// Agents that get nothing but refusals, told from those that are refused now and then. It decides by what it is told of the
// ledger, in order: at least five refusals within five minutes and nothing allowed among them. APIs and the issuer are
// looked at apart, for an agent whose tokens are renewed can still be refused everywhere.
import type { OutcomeRow } from "./statements.ts"

/** Refusals in a row of one agent instance, at one side. Times are epoch milliseconds. */
export interface RefusedRun {
  readonly agent: string
  readonly instance: string
  readonly side: Side
  readonly refusals: number
  readonly since: number
  readonly lastAt: number
  /** Of the last refusals; undefined where they had none. */
  readonly code: string | undefined
}

/** Who refuses. */
export type Side = "api" | "issuer"

export interface Refusals {
  /**
   * Takes in what came after what was taken in before. Where something was allowed between refusals it asks `since` what
   * came after that place: what counts must not depend on who looked when.
   */
  take(
    rows: readonly OutcomeRow[],
    since: (holder: Pick<OutcomeRow, "agent" | "instance">, after: number) => Promise<readonly OutcomeRow[]>,
  ): Promise<void>
  /** Those that are refused only, as of now. */
  runs(now: number): readonly RefusedRun[]
  /** Whether this instance was refused lately at that side, and nothing allowed since. */
  isRefused(side: Side, holder: string, now: number): boolean
}

export const REFUSED_WITHIN_MILLISECONDS = 300_000
/** The last of them not so long ago: one issuer must not raise what another has just found to be over. */
const RAISED_WITHIN_MILLISECONDS = 240_000
const FEWEST = 5
/** Instances that are followed at once; more than that many are refused for one reason, which the first of them tell. */
const MOST_FOLLOWED = 10_000

const SIDES: Readonly<Record<string, Side>> = {
  "use.allowed": "api",
  "use.observed": "api",
  "use.refused": "api",
  "task.started": "issuer",
  "task.refused": "issuer",
  "token.issued": "issuer",
  "token.renewed": "issuer",
  "token.delegated": "issuer",
  "token.refused": "issuer",
}

interface Run {
  readonly agent: string
  readonly instance: string
  readonly side: Side
  parts: { readonly count: number; readonly first: number; readonly last: number }[]
  code: string | undefined
}

export function createRefusals(): Refusals {
  const runs = new Map<string, Run>()

  const add = ({ side, row }: Sided) => {
    const { agent, instance, entries: count, first_at: first, last_at: last } = row
    const key = keyOf(side, `${agent}/${instance}`)
    const run = runs.get(key) ?? { agent, instance, side, parts: [], code: undefined }
    if (!runs.has(key) && runs.size >= MOST_FOLLOWED) return
    run.parts.push({ count, first, last })
    run.code = row.code ?? undefined
    runs.set(key, run)
  }
  /** What is older than the window counts no more. */
  const lately = (run: Run | undefined, now: number): boolean => {
    if (!run) return false
    run.parts = run.parts.filter((part) => part.last > now - REFUSED_WITHIN_MILLISECONDS)
    return run.parts.length > 0
  }
  return {
    async take(rows, since) {
      const sided = sidesOf(rows)
      const allowed = lastAllowed(sided)
      for (const key of allowed.keys()) runs.delete(key)
      for (const one of sided) {
        const { side, row } = one
        const place = allowed.get(keyOf(side, `${row.agent}/${row.instance}`)) ?? 0
        if (row.outcome === 1 || row.last_seq < place) continue
        if (row.first_seq > place) add(one)
        else
          for (const after of sidesOf(await since(row, place)))
            if (after.row.kind === row.kind && after.row.outcome === 0) add(after)
      }
    },
    runs(now) {
      for (const [key, run] of runs) if (!lately(run, now)) runs.delete(key)
      return [...runs.values()]
        .map(summarise)
        .filter(({ refusals, lastAt }) => refusals >= FEWEST && lastAt > now - RAISED_WITHIN_MILLISECONDS)
    },
    isRefused: (side, holder, now) => lately(runs.get(keyOf(side, holder)), now),
  }
}

interface Sided {
  readonly side: Side
  readonly row: OutcomeRow
}

const keyOf = (side: Side, holder: string): string => `${side} ${holder}`

const sidesOf = (rows: readonly OutcomeRow[]): Sided[] =>
  rows.flatMap((row) => {
    const side = SIDES[row.kind]
    return side === undefined ? [] : [{ side, row }]
  })

/** Where in the ledger each was allowed something last. */
function lastAllowed(sided: readonly Sided[]): ReadonlyMap<string, number> {
  const places = new Map<string, number>()
  for (const { side, row } of sided) {
    const key = keyOf(side, `${row.agent}/${row.instance}`)
    if (row.outcome === 1) places.set(key, Math.max(places.get(key) ?? 0, row.last_seq))
  }
  return places
}

const summarise = ({ agent, instance, side, parts, code }: Run): RefusedRun => ({
  agent,
  instance,
  side,
  refusals: parts.reduce((sum, part) => sum + part.count, 0),
  since: Math.min(...parts.map((part) => part.first)),
  lastAt: Math.max(...parts.map((part) => part.last)),
  code,
})
