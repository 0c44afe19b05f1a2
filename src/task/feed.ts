// The feed of revocations as it grows, for those who follow it: one look at the database after each commit that wrote
// to it, and one every two seconds in case a notice was missed, shared by all. It decides what is news; who may follow,
// and how they are told, is decided elsewhere.
import type { Engine, Statement, Values } from "../database/database.ts"
import type { Clock } from "../time.ts"
import type { RevocationItem } from "../token/revocation.ts"
import { oneAtATime } from "../turn.ts"
import { feedDelegation } from "./delegation-statements.ts"
import { feedToken } from "./outgrown-statements.ts"
import { feedCovered, feedEnd, feedKey, feedSince, itemOf } from "./revocation-statements.ts"
import { feedWholeApi } from "./rollback-statements.ts"
import { feedTask } from "./statements.ts"

/**
 * Told of the items of its API, in their order, and at every round without any. Everything that was committed before
 * `lookedAt` (monotonic) has then been told. It may be told what it knows already; it must not throw.
 */
export type Follower = (items: readonly RevocationItem[], lookedAt: number) => void

export interface FeedWatch {
  /** The engine for all who write to the feed: its commits are noticed. */
  readonly engine: Engine
  /** `api` is the name in the policy. Answers how to stop. */
  follow(api: string, follower: Follower): () => void
  /** No look begins after this; resolves when the last one is over. */
  close(): Promise<void>
}

const ROUND_MILLISECONDS = 2000
const PAGE = 1000
const WRITES_TO_FEED: ReadonlySet<unknown> = new Set([
  feedCovered,
  feedDelegation,
  feedKey,
  feedTask,
  feedToken,
  feedWholeApi,
])

/** Begins where the feed ends now. A look that fails is told to `onFault`, and followers are told nothing. */
export async function watchFeed(options: {
  readonly engine: Engine
  readonly clock: Clock
  readonly onFault: (error: unknown) => void
}): Promise<FeedWatch> {
  const { engine, clock, onFault } = options
  const followers = new Map<string, Set<Follower>>()
  const [end] = await engine.query(feedEnd)
  let seen = end?.cursor ?? 0

  const look = oneAtATime(async () => {
    for (;;) {
      const lookedAt = clock.monotonic()
      const rows = await engine.query(feedSince, { after: seen, limit: PAGE })
      seen = rows.at(-1)?.cursor ?? seen
      for (const [api, items] of Map.groupBy(rows, (row) => row.api))
        for (const follower of followers.get(api) ?? []) follower(items.map(itemOf), lookedAt)
      if (rows.length < PAGE) return
    }
  })
  const round = async () => {
    const lookedAt = clock.monotonic()
    await look.now()
    for (const ofOne of followers.values()) for (const follower of ofOne) follower([], lookedAt)
  }
  const timer = setInterval(() => void round().catch(onFault), ROUND_MILLISECONDS)
  timer.unref()
  const notice = () => {
    if (followers.size > 0) look.now().catch(onFault)
  }
  const deafen = engine.hearOthers(notice)
  return {
    engine: noticing(engine, notice),
    follow: (api, follower) => join(followers, api, follower),
    async close() {
      deafen()
      clearInterval(timer)
      await look.settled()
    },
  }
}

function join(followers: Map<string, Set<Follower>>, api: string, follower: Follower): () => void {
  const ofOne = followers.get(api) ?? new Set()
  followers.set(api, ofOne.add(follower))
  return () => {
    ofOne.delete(follower)
    if (ofOne.size === 0 && followers.get(api) === ofOne) followers.delete(api)
  }
}

function noticing(engine: Engine, notice: () => void): Engine {
  return {
    query: <Row>(statement: Statement<Row>, values?: Values) => engine.query(statement, values),
    atomically(steps) {
      const writes = steps.some(({ statement }) => WRITES_TO_FEED.has(statement))
      const written = engine.atomically(steps)
      return writes ? written.then(notice) : written
    },
    close: () => engine.close(),
    hearOthers: (listener) => engine.hearOthers(listener),
    scrub: () => engine.scrub(),
    broken: engine.broken,
  }
}
