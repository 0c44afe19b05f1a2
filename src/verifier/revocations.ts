// What ended before its time: the issuer's feed, followed or asked for, kept on disk, matched against the claims of a
// token. It decides whether a token was ended and how old that knowledge is; how old it may be is the catalogue's.
import { type Refusal, refuse } from "../errors.ts"
import type { IssuerCalls, IssuerStreams } from "../remote/issuer-calls.ts"
import type { Applied } from "../spool/seal.ts"
import type { Spool } from "../spool/spool.ts"
import type { Clock } from "../time.ts"
import { type RevocationItem, type RevocationKind, revocableNames } from "../token/revocation.ts"
import type { TaskToken } from "../token/token.ts"
import { createEnded, type Ended } from "./ended.ts"
import { askFeed, followFeed, isCursor } from "./feed.ts"
import type { Order } from "./id-table.ts"
import type { IssuerTime } from "./issuer-time.ts"

export interface Revocations extends Applied {
  /** Asks for what is new until there is nothing more. Throws Unreachable, or FeedFault; what was known stays. */
  poll(): Promise<void>
  /**
   * Follows the feed for as long as the stream lasts; `told` is called at each news. Resolves when the issuer ended it.
   * Throws Unreachable, NoStream or FeedFault; what was known stays. Not while a poll is under way.
   */
  follow(signal: AbortSignal, told: () => void): Promise<void>
  /** Whether the token was ended, and how. Never waits. */
  judge(token: TaskToken, kid: string): Refusal | undefined
  /**
   * Forgets what ended no token after that (epoch seconds). Answers the time floor: tokens that ran out up to then are
   * over whatever the clock says, for an order that ended one of them may be forgotten. To be kept on disk.
   */
  forget(before: number): number
  /** Milliseconds since the feed was last known to its end; undefined: never. */
  age(): number | undefined
}

interface Position {
  readonly cursor: number
  /** Epoch milliseconds at which everything up to the cursor was applied. */
  readonly reachedAt: number
  /** Epoch milliseconds of the last time the feed was known to its end; zero: never. */
  readonly appliedAt: number
}

const KEEP_EVERY_MILLISECONDS = 5000

export interface RevocationsOptions {
  readonly calls: IssuerCalls
  readonly streams: IssuerStreams
  readonly spool: Spool
  readonly clock: Clock
  /** Told what the feed tells of the issuer's clock. */
  readonly issuerTime: Pick<IssuerTime, "heard">
  /** Told which key signs from now on, when another was revoked. */
  readonly succeeded: (kid: string) => void
}

/** Reads what the spool knows; sends nothing until polled. Age is monotonic; across a restart, wall time. */
export function createRevocations(options: RevocationsOptions): Revocations {
  const { calls, streams, spool, clock, issuerTime, succeeded } = options
  const ended = createEnded()
  for (const item of spool.revocations()) ended.remember(item)
  let floor = Number(spool.kept("floor") ?? 0)
  let position = readPosition(spool.kept("feed"))
  let knownAt = restoreAge(position, clock)
  let kept = position.appliedAt

  const take = async (items: readonly RevocationItem[], cursor: number) => {
    for (const item of items) ended.remember(item)
    const next = cursor === position.cursor ? position : { ...position, cursor, reachedAt: clock.now() }
    // Moved on only when it is on disk: else a later item would be kept beside a cursor that skips this one.
    if (items.length > 0) await spool.addRevocations(items, JSON.stringify(next))
    position = next
    const successor = items.findLast((item) => item.successor !== undefined)?.successor
    if (successor !== undefined) succeeded(successor)
  }
  const caughtUp = async (at: number) => {
    knownAt = Math.max(knownAt ?? at, at)
    const appliedAt = Math.max(1, Math.floor(clock.now() - (clock.monotonic() - knownAt)))
    position = { ...position, appliedAt, reachedAt: position.reachedAt || appliedAt }
    if (Math.abs(appliedAt - kept) < KEEP_EVERY_MILLISECONDS) return
    kept = appliedAt
    await spool.keep("feed", JSON.stringify(position))
  }
  return {
    async poll() {
      for (;;) {
        const asked = clock.monotonic()
        const { items, cursor, now } = await askFeed(calls, position.cursor)
        if (now !== undefined) issuerTime.heard(now, asked)
        await take(items, cursor)
        if (items.length === 0) return caughtUp(asked)
      }
    },
    async follow(signal, told) {
      for await (const news of followFeed(streams, clock, position.cursor, signal)) {
        if (news.clock) issuerTime.heard(news.clock.now, news.clock.at)
        await take(news.items, news.cursor)
        if (news.knownAt !== undefined) await caughtUp(news.knownAt)
        told()
      }
    },
    judge: (token, kid) =>
      token.exp <= floor ? refuse("token_expired", "time_floor") : judge(ended, token, kid),
    forget(before) {
      floor = Math.max(floor, ended.forget(before))
      return floor
    },
    age: () => (knownAt === undefined ? undefined : clock.monotonic() - knownAt),
    cursor: () => position.cursor,
    appliedAt: () => position.reachedAt,
  }
}

/** Across a restart wall time counts; knowledge of the future has no age that could be told. */
function restoreAge({ appliedAt }: Position, clock: Clock): number | undefined {
  const age = clock.now() - appliedAt
  return appliedAt === 0 || age < 0 ? undefined : clock.monotonic() - age
}

function judge(ended: Ended, token: TaskToken, kid: string): Refusal | undefined {
  let found: { readonly kind: RevocationKind; readonly order: Order } | undefined
  for (const kind of ended.kinds()) {
    for (const value of revocableNames(token, kid, kind)) {
      const order = ended.find(kind, value)
      if (order && token.iat <= order.before && (!found || order.cursor > found.order.cursor))
        found = { kind, order }
    }
  }
  return found && refuse(found.order.code, `ended_by_${found.kind}`)
}

const NOWHERE: Position = { cursor: 0, reachedAt: 0, appliedAt: 0 }

function readPosition(kept: string | undefined): Position {
  if (kept === undefined) return NOWHERE
  const { cursor, reachedAt, appliedAt }: { [Member in keyof Position]?: unknown } = JSON.parse(kept)
  if (!isCursor(cursor) || !isCursor(appliedAt)) return NOWHERE
  return { cursor, reachedAt: isCursor(reachedAt) ? reachedAt : appliedAt, appliedAt }
}
