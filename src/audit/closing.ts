// Which tasks are owed a closing statement: those that ended, once every verifier instance of their APIs has reported past the
// end or a day has gone by, and those of which uses came after a final one, or word of reports that are missing. It keeps how far it has read and what is owed,
// both of which the ledger could be asked again, and writes no entry: closing is the issuer's (issuer/closing.ts).
import { setImmediate } from "node:timers/promises"
import { type Engine, type Step, Unexpected } from "../database/database.ts"
import type { Ledger } from "../ledger/ledger.ts"
import { withBytes } from "../ledger/resting.ts"
import { parseInstant } from "../time.ts"
import { earliestId } from "../token/id.ts"
import { MAX_TOKEN_SECONDS } from "../token/token.ts"
import {
  beginClosingPlace,
  type DueRow,
  dueStatements,
  moveClosingPlace,
  owe,
  oweAfterGap,
  oweSuccessors,
  readClosingPlace,
  toldGaps,
} from "./account-statements.ts"
import { PAST_END_MILLISECONDS } from "./statement.ts"
import { newestNumbers } from "./statements.ts"

export interface Closing {
  /** Reads on in the ledger, then answers whose statement can be made now. Throws Unavailable; nothing is lost by that. */
  look(): Promise<readonly DueRow[]>
}

/** Who has not reported by then is not waited for. */
const AWAITED_MILLISECONDS = 86_400_000
/** What a spool sends late comes in many batches: they become one successor, not many. */
const LATE_MILLISECONDS = 60_000

const ENTRIES_AT_ONCE = 10_000
const ROWS_AT_ONCE = 500
/** Looked at in one look; the next one goes on from there. */
const MOST_LOOKED_AT = 2000

export function createClosing(options: { readonly engine: Engine; readonly ledger: Ledger }): Closing {
  const { engine, ledger } = options
  let after = 0
  return {
    async look() {
      await readOn(engine, ledger.at())
      const now = ledger.at()
      const found: DueRow[] = []
      for (let seen = 0; seen < MOST_LOOKED_AT; seen += ROWS_AT_ONCE) {
        const values = { after, margin: PAST_END_MILLISECONDS, limit: ROWS_AT_ONCE }
        const page = await engine.query(dueStatements, values)
        found.push(...page.filter((row) => isDue(row, now)))
        after = page.length < ROWS_AT_ONCE ? 0 : (page.at(-1)?.id ?? 0)
        if (after === 0) break
        await setImmediate()
      }
      return found
    },
  }
}

function isDue({ since, late, awaited }: DueRow, now: number): boolean {
  if (late === 1) return now >= since + LATE_MILLISECONDS
  return now >= since + AWAITED_MILLISECONDS || (awaited === 0 && now > since + PAST_END_MILLISECONDS)
}

/** Window by window; where another issuer reads, it is left to that one. */
async function readOn(engine: Engine, now: number): Promise<void> {
  const [kept] = await engine.query(readClosingPlace)
  if (!kept) await engine.atomically([{ statement: beginClosingPlace, values: {} }])
  const [newest] = await engine.query(newestNumbers)
  for (let from = Number(kept?.value ?? 0); from < (newest?.seq ?? 0); ) {
    const to = Math.min(from + ENTRIES_AT_ONCE, newest?.seq ?? 0)
    const window = { after: from, up_to: to }
    try {
      await engine.atomically([
        { statement: moveClosingPlace, values: { from: String(from), to: String(to) }, rows: 1 },
        { statement: owe, values: window },
        { statement: oweSuccessors, values: { ...window, now } },
        ...(await gapSteps(engine, window, now)),
      ])
    } catch (cause) {
      if (cause instanceof Unexpected) return
      throw cause
    }
    from = to
  }
}

/** Deadlines are at most seven days from the start. */
const LONGEST_TASK_MILLISECONDS = 8 * 86_400_000

type Window = { readonly after: number; readonly up_to: number }

/**
 * Successors that gaps make owed. The last token of a task runs out within half an hour of its end: a gap that began later
 * can't hold a use of it, and its statement stays as it is.
 */
async function gapSteps(engine: Engine, window: Window, now: number): Promise<Step[]> {
  const rows = await withBytes(engine, await engine.query(toldGaps, window))
  return rows.flatMap(({ seq, bytes, at, api }): Step[] => {
    const { body } = JSON.parse(Buffer.from(bytes).toString("utf8"))
    if (typeof body?.why !== "string") return [] // it closed one, or an operator gave one up
    const since = typeof body.since === "string" ? (parseInstant(body.since) ?? at) : at
    const ended = since - MAX_TOKEN_SECONDS * 1000
    const oldest = earliestId("task", ended - LONGEST_TASK_MILLISECONDS)
    return [{ statement: oweAfterGap, values: { now, seq, api, told: at, ended, oldest } }]
  })
}
