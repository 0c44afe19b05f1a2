// The verifier instances that have ever reported: which there are, how far each has come, what each has not told, and
// writing one off whose spool is gone. It decides what state one is in and when it may be written off; what a vanished
// spool held nobody knows, so that stands in the ledger as a gap.
import type { Step } from "../database/database.ts"
import { type Refusal, refuse } from "../errors.ts"
import { QUIET_MILLISECONDS } from "../token/batch.ts"
import { commitDecision } from "./commit.ts"
import { type GapRow, gapsBetween, openGaps, writeOffGaps } from "./gap-statements.ts"
import { assembleParts, type Parts, type TaskOptions } from "./parts.ts"
import { instanceById, instancesPage, type ListedRow, writeOffInstance } from "./use-statements.ts"

/** `gap`: something is missing that nobody wrote off: batches, or the end of one whose place another instance took. */
export const VERIFIER_STATES = ["reporting", "silent", "gap", "written_off", "ended"] as const

/** Batches that were not taken in. */
export interface MissingBatches {
  readonly from: number
  readonly to: number
  readonly why: GapRow["why"]
  readonly toldAt: number
  /** An operator gave them up. */
  readonly writtenOffAt: number | undefined
}

/** Times are epoch milliseconds. */
export interface VerifierSeen {
  /** UUIDv7. */
  readonly instance: string
  readonly api: string
  readonly state: (typeof VERIFIER_STATES)[number]
  /** It reports or has ended, and nothing is missing of what it numbered. */
  readonly complete: boolean
  /** Of its last batch. */
  readonly sequence: number
  /** How far the feed of revocations is applied; undefined before the first time. */
  readonly cursor: number | undefined
  /** Undefined of one that joined before that was stored. */
  readonly joinedAt: number | undefined
  readonly lastSeen: number
  /** It has said its last word, or was written off: its silence means nothing. */
  readonly closed: boolean
  /** Nothing was heard of it for longer than three heartbeats take. */
  readonly silent: boolean
  /** Milliseconds that its clock was ahead of ours at its last batch; undefined where that is not known. */
  readonly drift: number | undefined
  /** Since when that is too much; undefined: it is not. */
  readonly driftedSince: number | undefined
  /** The oldest first. */
  readonly missing: readonly MissingBatches[]
}

export interface VerifierFilter {
  /** `next` of an earlier answer. */
  readonly before?: number | undefined
  /** 1 to 1,000; default 100. */
  readonly limit?: number | undefined
  readonly api?: string | undefined
  /** Only those that are not complete. */
  readonly incomplete?: boolean | undefined
}

export interface VerifierPage {
  /** The last to join first. */
  readonly verifiers: readonly VerifierSeen[]
  /** Where the next page begins; undefined when there is none. */
  readonly next: number | undefined
}

export interface Verifiers {
  /** Every instance, the last to join first. */
  list(): Promise<readonly VerifierSeen[]>
  page(filter: VerifierFilter): Promise<VerifierPage>
  /**
   * Writes an instance off as `verifier.gap`, durable before it resolves; revocations wait for it no more, and what is
   * missing of it is given up. Of one that reports only what is missing is given up; refused where nothing is. One that
   * reports again is followed again. Done already: answered alike.
   */
  forget(by: string, instance: string, reason: string): Promise<VerifierSeen | Refusal>
}

/** Longer than any heartbeat of a live instance takes. */
const SILENT_MILLISECONDS = 60_000
const MOST = 1000

export function createVerifiers(options: TaskOptions): Verifiers {
  const parts = assembleParts(options)
  return {
    async list() {
      const all: VerifierSeen[] = []
      for (let before: number | undefined = Number.MAX_SAFE_INTEGER; before !== undefined; ) {
        const page: VerifierPage = await readPage(parts, { before, limit: MOST })
        all.push(...page.verifiers)
        before = page.next
      }
      return all
    },
    page: (filter) => readPage(parts, filter),
    async forget(by, instance, reason) {
      const outcome = await commitDecision<true>(parts, () => planForget(parts, { by, instance, reason }))
      if (outcome !== true) return outcome
      const [row] = await parts.engine.query(instanceById, { instance, quiet: quietBefore(parts) })
      return row ? ((await seenOf(parts, [row]))[0] ?? gone()) : gone()
    },
  }
}

const gone = () => refuse("not_found", "[instance] no instance by that id has ever reported")
const quietBefore = ({ ledger }: Parts): number => ledger.at() - QUIET_MILLISECONDS

async function readPage(parts: Parts, filter: VerifierFilter): Promise<VerifierPage> {
  const { before = Number.MAX_SAFE_INTEGER, limit = 100, api = "", incomplete = false } = filter
  const values = { before, api, incomplete: incomplete ? 1 : 0, quiet: quietBefore(parts), limit: limit + 1 }
  const rows = await parts.engine.query(instancesPage, values)
  const page = rows.slice(0, limit)
  return {
    verifiers: await seenOf(parts, page),
    next: rows.length > limit ? page.at(-1)?.id : undefined,
  }
}

/** Rows in the order of their ids, the highest first. */
async function seenOf(parts: Parts, rows: readonly ListedRow[]): Promise<VerifierSeen[]> {
  const [last, first] = [rows[0], rows.at(-1)]
  if (!first || !last) return []
  const gaps = Map.groupBy(
    await parts.engine.query(gapsBetween, { from: first.id, to: last.id }),
    ({ instance }) => instance,
  )
  const now = parts.ledger.at()
  return rows.map((row) => viewInstance(row, gaps.get(row.instance) ?? [], now))
}

function viewInstance(row: ListedRow, gaps: readonly GapRow[], now: number): VerifierSeen {
  const silent = row.final === 0 && now - row.last_seen > QUIET_MILLISECONDS
  const state = stateOf(row, gaps, silent)
  return {
    instance: row.instance,
    api: row.api,
    state,
    complete: gaps.length === 0 && (state === "reporting" || state === "ended"),
    sequence: row.sequence,
    cursor: row.cursor ?? undefined,
    joinedAt: row.joined_at ?? undefined,
    lastSeen: row.last_seen,
    closed: row.final === 1,
    silent,
    drift: row.drift ?? undefined,
    driftedSince: row.drifted_since ?? undefined,
    missing: gaps.map(({ first, last, why, told_at, written_off_at }) => ({
      from: first,
      to: last,
      why,
      toldAt: told_at,
      writtenOffAt: written_off_at ?? undefined,
    })),
  }
}

function stateOf(row: ListedRow, gaps: readonly GapRow[], silent: boolean): VerifierSeen["state"] {
  if (row.written_off_at !== null) return "written_off"
  if (gaps.some((gap) => gap.written_off_at === null) || row.replaced === 1) return "gap"
  if (row.final === 1) return "ended"
  return silent ? "silent" : "reporting"
}

interface Asked {
  readonly by: string
  readonly instance: string
  readonly reason: string
}

async function planForget(parts: Parts, { by, instance, reason }: Asked) {
  const [row] = await parts.engine.query(instanceById, { instance, quiet: 0 })
  if (!row) return gone()
  const [open] = await parts.engine.query(openGaps, { instance })
  const gaps = open?.gaps ?? 0
  const at = parts.ledger.at()
  const silent = at - row.last_seen
  const reports = row.final === 0 && silent < SILENT_MILLISECONDS
  if (gaps === 0 && row.final === 1) return { settled: true as const }
  if (gaps === 0 && reports)
    return refuse("verifier_active", "[instance] it has reported within the last minute", {
      retryAfterSeconds: Math.ceil((SILENT_MILLISECONDS - silent) / 1000),
    })
  const vanished = row.final === 0 && !reports
  const steps = forgetSteps(parts, row, { at, by, reason, gaps, vanished })
  return { steps, answer: () => true as const }
}

interface Forgetting {
  readonly at: number
  readonly by: string
  readonly reason: string
  /** Runs of missing batches that are given up. */
  readonly gaps: number
  /** The instance itself is. */
  readonly vanished: boolean
}

function forgetSteps(parts: Parts, row: ListedRow, { at, by, reason, gaps, vanished }: Forgetting): Step[] {
  const { instance, api, sequence, last_seen } = row
  const body = {
    verifier: instance,
    ...(vanished && { from: sequence + 1 }),
    ...(gaps > 0 && { gaps }),
    written_off: true,
    by,
    reason,
  }
  const known = { instance, known: sequence, last_seen, now: at }
  return [
    ...(vanished ? [{ statement: writeOffInstance, values: known, rows: 1 }] : []),
    ...(gaps > 0 ? [{ statement: writeOffGaps, values: { instance, now: at }, rows: gaps }] : []),
    ...parts.ledger.steps({ kind: "verifier.gap", at, api, body }),
  ]
}
