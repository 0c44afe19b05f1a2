// The verifier instances that have ever reported: which there are, how far each has come, and writing one off whose spool
// is gone. It decides when that may be done; what a vanished spool held nobody knows, so that stands in the ledger as a gap.
import { type Refusal, refuse } from "../errors.ts"
import { QUIET_MILLISECONDS } from "../token/batch.ts"
import { commitDecision } from "./commit.ts"
import { assembleParts, type Parts, type TaskOptions } from "./parts.ts"
import { allInstances, instanceByName, type SeenRow, writeOffInstance } from "./use-statements.ts"

/** Times are epoch milliseconds. */
export interface VerifierSeen {
  /** UUIDv7. */
  readonly instance: string
  readonly api: string
  /** Of its last batch. */
  readonly sequence: number
  /** How far the feed of revocations is applied; undefined before the first time. */
  readonly cursor: number | undefined
  readonly lastSeen: number
  /** It has said its last word, or was written off: its silence means nothing. */
  readonly closed: boolean
  /** Nothing was heard of it for longer than three heartbeats take. */
  readonly silent: boolean
}

export interface Verifiers {
  /** Every instance, the last to join first. */
  list(): Promise<readonly VerifierSeen[]>
  /**
   * Writes an instance off as `verifier.gap`, durable before it resolves; revocations wait for it no more. One that
   * reports again is followed again. Refused while it reports; done already: answered alike.
   */
  forget(by: string, instance: string, reason: string): Promise<VerifierSeen | Refusal>
}

/** Longer than any heartbeat of a live instance takes. */
const SILENT_MILLISECONDS = 60_000

export function createVerifiers(options: TaskOptions): Verifiers {
  const parts = assembleParts(options)
  const list = async () => {
    const rows = await parts.engine.query(allInstances, {})
    return rows.map((row) => seenOf(row, parts.ledger.at()))
  }
  return {
    list,
    forget: (by, instance, reason) =>
      commitDecision<VerifierSeen>(parts, () => planForget(parts, { by, instance, reason })),
  }
}

interface Asked {
  readonly by: string
  readonly instance: string
  readonly reason: string
}

async function planForget(parts: Parts, { by, instance, reason }: Asked) {
  const [row] = await parts.engine.query(instanceByName, { instance })
  if (!row) return refuse("not_found", "[instance] no instance by that id has ever reported")
  const at = parts.ledger.at()
  if (row.final === 1) return { settled: seenOf(row, at) }
  const silent = at - row.last_seen
  if (silent < SILENT_MILLISECONDS)
    return refuse("verifier_active", "[instance] it has reported within the last minute", {
      retryAfterSeconds: Math.ceil((SILENT_MILLISECONDS - silent) / 1000),
    })
  const body = { verifier: instance, from: row.sequence + 1, written_off: true, by, reason }
  return {
    steps: [
      { statement: writeOffInstance, values: { instance, known: row.sequence }, rows: 1 },
      ...parts.ledger.steps({ kind: "verifier.gap", at, api: row.api, body }),
    ],
    answer: () => seenOf({ ...row, final: 1 }, at),
  }
}

const seenOf = (
  { instance, api, sequence, cursor, last_seen, final }: SeenRow,
  now: number,
): VerifierSeen => ({
  instance,
  api,
  sequence,
  cursor: cursor ?? undefined,
  lastSeen: last_seen,
  closed: final === 1,
  silent: final === 0 && now - last_seen > QUIET_MILLISECONDS,
})
