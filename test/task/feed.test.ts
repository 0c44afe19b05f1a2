// The feed as it grows and the streams on it, on a real database: what is told, in which order, to whom, and how much may
// wait.
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { createCompiler } from "../../src/database/compiled.ts"
import { type Engine, type Statement, statement } from "../../src/database/database.ts"
import { SQLITE_SPELLING, sql } from "../../src/database/drizzle.ts"
import { nameId } from "../../src/database/names.ts"
import { Refusal } from "../../src/errors.ts"
import type { Caller } from "../../src/issuer/caller.ts"
import { createFeedStreams, type FeedStreams, type StreamLimits } from "../../src/issuer/feed-stream.ts"
import { type FeedWatch, type Follower, watchFeed } from "../../src/task/feed.ts"
import { cursors, listen } from "../support/event-stream.ts"
import { everyStatement } from "../support/every-statement.ts"
import { createWorld, type World } from "../support/world.ts"

/** Robust on a loaded machine. */
const soon = <T>(look: () => T) => expect.poll(look, { timeout: 15_000, interval: 10 })

const insert = statement(
  "test.feed",
  sql`INSERT INTO feed (kind, value, before, until, api, code)
    VALUES ('task', ${sql.placeholder("value")}, 1, 2000000000, ${nameId("api")}, 'token_revoked')`,
)

const { exported } = await everyStatement()
const { compile } = createCompiler({ ...SQLITE_SPELLING, escapeParam: () => "?" })

describe("the feed", () => {
  let world: World
  let watch: FeedWatch
  let streams: FeedStreams
  const faults: unknown[] = []

  beforeEach(async () => {
    world = await createWorld()
    await world.names.ensure(["tickets", "deployments"])
    watch = await watchFeed({ engine: world.engine, clock: world.clock, onFault: (one) => faults.push(one) })
    streams = createStreams()
  })
  afterEach(async () => {
    streams.close()
    await watch.close()
    await world.leave()
  })

  const createStreams = (limits?: StreamLimits) =>
    createFeedStreams({
      revocations: world.revocations,
      feed: watch,
      clock: world.clock,
      onFault: (one) => faults.push(one),
      ...(limits && { limits }),
    })
  const callerOf = (clientId: string): Caller => ({
    clientId,
    kind: "api",
    scopes: new Set(["api"]),
    stands: () => true,
  })
  const open = (after = 0, clientId = "tickets") => {
    const opened = streams.open(callerOf(clientId), after)
    if (opened instanceof Refusal) throw new Error(opened.reason)
    return opened
  }
  const add = (count: number, api = "tickets", engine = world.engine) =>
    engine.atomically(
      Array.from({ length: count }, (_each, at) => ({
        statement: insert,
        values: { value: `task_${at}`, api },
      })),
    )
  const upTo = (last: number, first = 1) =>
    Array.from({ length: last - first + 1 }, (_each, at) => first + at)

  test("all of a long feed is told in order, once, also what is committed while it catches up", async () => {
    await add(1200)
    const stream = listen(open(100))
    await stream.until(/^id: 101$/m)
    await add(5)
    const text = await stream.until(/^: head 1205 /m)
    expect(cursors(text)).toEqual(upTo(1205, 101))
    expect(text.match(/^: head \d+/gm)).toEqual([": head 1205"])
  })

  test("a commit that nobody noticed is told all the same, within the next round", async () => {
    const stream = listen(open())
    await stream.until(/: head 0/)
    await add(1)
    const text = await stream.until(/: head 1 /)
    expect(cursors(text)).toEqual([1])
  })

  test("whatever writes to it is noticed at once, and nothing else", async () => {
    const isNoticed = async (one: Statement<unknown>) => {
      let looks = 0
      const engine: Engine = {
        query: async () => {
          looks += 1
          return []
        },
        atomically: async () => undefined,
        hearOthers: () => () => undefined,
        scrub: async () => true,
        close: async () => undefined,
        broken: world.engine.broken,
      }
      const noticing = await watchFeed({ engine, clock: world.clock, onFault: (fault) => faults.push(fault) })
      noticing.follow("tickets", () => undefined)
      const before = looks
      await noticing.engine.atomically([{ statement: one, values: {} }])
      await noticing.close()
      return looks > before
    }
    const noticed: string[] = []
    for (const one of exported) if (await isNoticed(one)) noticed.push(one.name)
    const writers = [...exported].filter((one) => /INSERT INTO feed\b/.test(compile(one).sql))
    expect(writers).not.toEqual([])
    expect(noticed.sort()).toEqual(writers.map(({ name }) => name).sort())
  })

  test("a reader from a time that this database has not seen is told how far it is, and nothing else", async () => {
    await add(3)
    const text = await listen(open(50)).until(/: head/)
    expect(text).toMatch(/^: head 3 at 0\n\n: clock \d+ at 0\n\n$/)
  })

  test("freshness is counted from the opening of the stream to the look at the database", async () => {
    const stream = listen(open())
    await stream.until(/: head 0 at 0/)
    world.clock.advance(1234)
    await stream.until(/: head 0 at 1234/)
  })

  test("while the database can't be read nothing is called fresh", async () => {
    const stream = listen(open())
    await stream.until(/: head 0 at 0/)
    const failed = faults.length
    await world.close()
    await soon(() => faults.length).toBeGreaterThan(failed + 1)
    streams.close()
    expect((await stream.ended()).match(/: head/g)).toHaveLength(1)
  })

  test("a reader that is too slow loses its stream, and with it everything that waited", async () => {
    let tell: Follower | undefined
    const follow = (_api: string, follower: Follower) => {
      tell = follower
      return () => {
        tell = undefined
      }
    }
    const { revocations, clock } = world
    const limits = { perCaller: 1, inAll: 1, bufferedBytes: 1000 }
    streams = createFeedStreams({
      revocations,
      clock,
      feed: { follow },
      limits,
      onFault: (one) => faults.push(one),
    })
    const reader = open().body?.getReader()
    await reader?.read()
    await add(20)
    const { items } = await world.revocations.feed("tickets", 0, 100)
    tell?.(items.slice(0, 10), 0)
    expect(streams.open(callerOf("tickets"), 0)).toBeInstanceOf(Refusal)
    tell?.(items.slice(10), 0)
    expect(tell).toBeUndefined()
    expect(await reader?.read()).toEqual({ done: true, value: undefined })
    expect(cursors(await listen(open()).until(/: head/))).toEqual(upTo(20))
  })

  test("there are never more streams than the limit of all, and each end makes room", async () => {
    streams = createStreams({ perCaller: 2, inAll: 3, bufferedBytes: 1000 })
    const [first] = [open(), open()]
    expect(streams.open(callerOf("tickets"), 0)).toMatchObject({ retryAfterSeconds: 5 })
    open(0, "deployments")
    expect(streams.open(callerOf("deployments"), 0)).toBeInstanceOf(Refusal)
    await first?.body?.cancel()
    expect(streams.open(callerOf("deployments"), 0)).toBeInstanceOf(Response)
  })
})
