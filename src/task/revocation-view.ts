// A revocation as it is told: what it ended, whether it is a lock, and which verifier instances have applied it. It decides
// when an instance counts as having applied it.
import type { AppliedRow, RevocationRow } from "./revocation-statements.ts"

/** These are locks too, until lifted or the time given: tasks become revoked and nothing is minted. */
export const LOCKS: ReadonlySet<string> = new Set(["instance", "agent", "orchestrator", "subject", "api"])

export interface Revocation {
  readonly id: string
  readonly kind: string
  readonly value: string
  /** Epoch seconds: tokens with `iat` up to it have ended. */
  readonly before: number
  readonly until: number | undefined
  readonly reason: string | undefined
  readonly setBy: string
  readonly at: number
  readonly tokensEnded: number
  readonly lock: boolean
  readonly liftedAt: number | undefined
  /** The verifier instances of the APIs concerned. */
  readonly instances: readonly AppliedInstance[]
  /** From the order to the last instance that has told that it applied it; those that came later don't count. */
  readonly appliedInMilliseconds: number | undefined
}

interface AppliedInstance {
  readonly instance: string
  readonly api: string
  /** Epoch milliseconds, between the order and its report; absent where it has not told that it knows. */
  readonly appliedAt?: number
  readonly lastSeen: number
  /** It was closed in order: it reads the feed before it lets anything through again. */
  readonly closed: boolean
}

export const view = (row: RevocationRow, applied: readonly AppliedRow[]): Revocation => ({
  id: row.id,
  kind: row.kind,
  value: row.value,
  before: row.before,
  until: row.until ?? undefined,
  reason: row.reason ?? undefined,
  setBy: row.set_by,
  at: row.at,
  tokensEnded: row.tokens,
  lock: LOCKS.has(row.kind),
  liftedAt: row.lifted_at ?? undefined,
  instances: applied.map(viewInstance),
  appliedInMilliseconds: applied.reduce<number | undefined>(
    (last, { at }) => (at === null ? last : Math.max(last ?? 0, at - row.at)),
    undefined,
  ),
})

function viewInstance(row: AppliedRow): AppliedInstance {
  const { instance, api, wanted, cursor, applied_at, at, last_seen, final } = row
  const appliedAt = at ?? (cursor !== null && cursor >= wanted ? applied_at : null)
  return {
    instance,
    api,
    ...(appliedAt !== null && { appliedAt }),
    lastSeen: last_seen,
    closed: final === 1,
  }
}
