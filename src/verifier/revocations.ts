// What ended before its time: the issuer's feed, polled, kept on disk, matched against the claims of a token. It decides
// whether a token was ended and how old that knowledge is; how old it may be is the catalogue's.
import { type Refusal, refuse } from "../errors.ts"
import type { IssuerCalls } from "../remote/issuer-calls.ts"
import type { Clock } from "../time.ts"
import { type RevocationItem, type RevocationKind, revocableNames } from "../token/revocation.ts"
import type { TaskToken } from "../token/token.ts"
import { askFeed, isCursor } from "./feed.ts"
import type { Spool } from "./spool.ts"

export interface Revocations {
  /** Asks for what is new until there is nothing more. Throws Unreachable, or FeedFault; what was known stays. */
  poll(): Promise<void>
  /** Whether the token was ended, and how. Never waits. */
  judge(token: TaskToken, kid: string): Refusal | undefined
  /** Forgets what ended no token after that (epoch seconds). */
  forget(before: number): void
  /** Milliseconds since the feed was last known to its end; undefined: never. */
  age(): number | undefined
  cursor(): number
  /** Epoch milliseconds of the last time the feed was known to its end; zero: never. */
  appliedAt(): number
}

interface Position {
  readonly cursor: number
  readonly appliedAt: number
}

const KEEP_EVERY_MILLISECONDS = 5000

/** Reads what the spool knows; sends nothing until polled. Age is monotonic; across a restart, wall time. */
export function createRevocations(options: {
  readonly calls: IssuerCalls
  readonly spool: Spool
  readonly clock: Clock
}): Revocations {
  const { calls, spool, clock } = options
  const ended = new Map<RevocationKind, Map<string, RevocationItem>>()
  for (const item of spool.revocations()) remember(ended, item)
  let position = readPosition(spool.kept("feed"))
  let knownAt = position.appliedAt
    ? clock.monotonic() - Math.max(0, clock.now() - position.appliedAt)
    : undefined
  let kept = position.appliedAt

  const take = async (items: readonly RevocationItem[], cursor: number) => {
    for (const item of items) remember(ended, item)
    const next = { ...position, cursor }
    // Moved on only when it is on disk: else a later item would be kept beside a cursor that skips this one.
    if (items.length > 0) await spool.addRevocations(items, JSON.stringify(next))
    position = next
  }
  const caughtUp = async (asked: number, askedAt: number) => {
    knownAt = asked
    position = { ...position, appliedAt: askedAt }
    if (askedAt - kept < KEEP_EVERY_MILLISECONDS) return
    kept = askedAt
    await spool.keep("feed", JSON.stringify(position))
  }
  return {
    async poll() {
      for (;;) {
        const [asked, askedAt] = [clock.monotonic(), clock.now()]
        const { items, cursor } = await askFeed(calls, position.cursor)
        await take(items, cursor)
        if (items.length === 0) return caughtUp(asked, askedAt)
      }
    },
    judge: (token, kid) => judge(ended, token, kid),
    forget(before) {
      for (const values of ended.values())
        for (const [value, item] of values) if (item.until < before) values.delete(value)
    },
    age: () => (knownAt === undefined ? undefined : clock.monotonic() - knownAt),
    cursor: () => position.cursor,
    appliedAt: () => position.appliedAt,
  }
}

type Ended = Map<RevocationKind, Map<string, RevocationItem>>

/** Two orders against one name: the later instant counts, and the word of the later order. */
function remember(ended: Ended, item: RevocationItem): void {
  const values = ended.get(item.kind) ?? new Map<string, RevocationItem>()
  ended.set(item.kind, values)
  const known = values.get(item.value)
  values.set(item.value, known ? merge(known, item) : item)
}

function merge(known: RevocationItem, item: RevocationItem): RevocationItem {
  const last = item.cursor >= known.cursor ? item : known
  const [before, until] = [Math.max(known.before, item.before), Math.max(known.until, item.until)]
  return { ...last, before, until }
}

function judge(ended: Ended, token: TaskToken, kid: string): Refusal | undefined {
  if (ended.size === 0) return undefined
  let found: RevocationItem | undefined
  for (const [kind, values] of ended) {
    for (const value of revocableNames(token, kid, kind)) {
      const item = values.get(value)
      if (item && token.iat <= item.before && (!found || item.cursor > found.cursor)) found = item
    }
  }
  return found && refuse(found.code, `ended_by_${found.kind}`)
}

function readPosition(kept: string | undefined): Position {
  if (kept === undefined) return { cursor: 0, appliedAt: 0 }
  const { cursor, appliedAt }: { cursor?: unknown; appliedAt?: unknown } = JSON.parse(kept)
  return isCursor(cursor) && isCursor(appliedAt) ? { cursor, appliedAt } : { cursor: 0, appliedAt: 0 }
}
