// Granted against used, a row for each day and right, how much happened by hour and by API, and what is usual, kept up with the
// ledger: entries are counted after they were committed, a window at a time, once, by whichever issuer is first. It decides that
// the place and the counts move together; what an entry counts as is privilege-count.ts's, hour-count.ts's and anomaly/tally.ts's.
import { setImmediate } from "node:timers/promises"
import { committed, type Engine, type Step } from "../database/database.ts"
import type { Names } from "../database/names.ts"
import { withBytes } from "../ledger/resting.ts"
import { createShared } from "../turn.ts"
import { closeEnded, workSteps } from "./anomaly/rollup.ts"
import { forgetAll } from "./anomaly/statements.ts"
import { type HourTally, tallyHours } from "./hour-count.ts"
import { type Before, type Tally, tally } from "./privilege-count.ts"
import { type Between, createCountedRows } from "./rollup-rows.ts"
import {
  advanceRollup,
  beginRollup,
  type CountedRow,
  countApi,
  countEntries,
  countHour,
  countPrivilege,
  countStanding,
  delegatedBefore,
  delegatedEarlier,
  forgetApis,
  forgetDays,
  forgetHours,
  forgetPrivileges,
  forgetStanding,
  mintedWith,
  resetRollup,
  rollupPlaces,
} from "./rollup-statements.ts"
import { type StandingCount, tallyStanding } from "./standing-count.ts"

export interface Rollups {
  /** Counts what is new, at most 50,000 entries; the rest next time. Throws Unavailable; then nothing is counted twice. */
  advance(): Promise<void>
  /** The same unless another process does it for all: then only what that one has left since the last call. */
  tend(): Promise<void>
  /** Forgets every count: they are made again from the ledger, by this and later calls of `advance`. Throws Unavailable. */
  reset(): Promise<void>
}

/** Entries in one transaction: some milliseconds of the main thread; between two of them others get their turn. */
const WINDOW = 500
const MOST_WINDOWS = 100
/** Looks: whoever counts may have more to count than fits between two. */
const PATIENCE = 3

/** `usual`: what is kept of what is usual, for who measures what that costs. */
export function createRollups({
  engine,
  names,
  usual = workSteps,
}: {
  readonly engine: Engine
  readonly names: Names
  readonly usual?: typeof workSteps
}): Rollups {
  const read = createCountedRows(engine)
  const shared = createShared(PATIENCE)
  const places = async () => (await engine.query(rollupPlaces))[0]
  const rollups: Rollups = {
    async tend() {
      const place = await places()
      if (place && shared.isOurs(place.seq, place.newest)) await rollups.advance()
    },
    async advance() {
      for (let windows = 0; windows < MOST_WINDOWS; windows++) {
        const place = await places()
        if (!place || place.newest <= place.seq) break
        const upTo = Math.min(place.newest, place.seq + WINDOW)
        const rows = await read({ after: place.seq, upTo })
        const between = { after: place.seq, upTo }
        const before = readBefore(engine, rows, between)
        const told = { ...(await tally(rows, before)), ...tallyHours(rows), standing: tallyStanding(rows) }
        const counted = stepsOf(names, told, { from: place.seq, to: upTo })
        const work = await usual(engine, rows, between)
        if (!(await committed(engine, [...counted, ...work]))) return shared.taken()
        await setImmediate()
      }
      await closeEnded(engine)
    },
    reset: () =>
      engine.atomically(
        [
          forgetPrivileges,
          forgetDays,
          forgetHours,
          forgetApis,
          forgetStanding,
          ...forgetAll,
          resetRollup,
        ].map((statement) => ({
          statement,
          values: {},
        })),
      ),
  }
  return rollups
}

const DELEGATED = "token.delegated"

/** Most are delegated to for the first time: who was before is asked once for a window, and what with, of those alone. */
function readBefore(engine: Engine, rows: readonly CountedRow[], between: Between): Before {
  const here = rows.filter(({ kind, bytes }) => kind === DELEGATED && bytes !== null)
  let asked: Promise<ReadonlySet<number>> | undefined
  const askOnce = async () =>
    new Set((await engine.query(delegatedEarlier, { ...between, kind: DELEGATED })).map(({ task }) => task))
  const earlier = async ({ task, agent }: CountedRow) => {
    asked ??= askOnce()
    if (task === null || !(await asked).has(task)) return []
    const of = { task, agent, seq: between.after + 1, kind: DELEGATED }
    return (await withBytes(engine, await engine.query(delegatedBefore, of))).map(({ bytes }) => bytes)
  }
  return {
    async delegated(row) {
      const same = here.filter(
        ({ task, agent, seq }) => task === row.task && agent === row.agent && seq < row.seq,
      )
      return [...(await earlier(row)), ...same.map(({ bytes }) => bytes ?? "")]
    },
    minted: async ({ task, token }) =>
      (await withBytes(engine, await engine.query(mintedWith, { task, token })))[0]?.bytes,
  }
}

interface Told extends Tally, HourTally {
  readonly standing: readonly StandingCount[]
}

function stepsOf(names: Names, told: Told, move: { from: number; to: number }): Step[] {
  const { entries, hours, apis, standing } = told
  const counts = [...told.privileges.values()]
  const texts = [
    ...counts.flatMap(({ type, agent, api, operation, rule }) => [type, agent, api, operation, rule]),
    ...hours.map(({ agent }) => agent),
    ...apis.map(({ api }) => api),
  ]
  return [
    ...(move.from === 0 ? [{ statement: beginRollup, values: {} }] : []),
    { statement: advanceRollup, values: move, rows: 1 },
    ...names.steps([...new Set(texts)].filter((text) => text !== "")),
    ...[...entries].map(([day, count]) => ({
      statement: countEntries,
      values: { day, entries: count },
      rows: 1,
    })),
    ...counts.map(({ lastUsed, ...count }) => ({
      statement: countPrivilege,
      values: { ...count, last_used: lastUsed },
      rows: 1,
    })),
    ...hours.map((values) => ({ statement: countHour, values: { ...values }, rows: 1 })),
    ...apis.map((values) => ({ statement: countApi, values: { ...values }, rows: 1 })),
    ...standing.map((values) => ({ statement: countStanding, values: { ...values }, rows: 1 })),
  ]
}
