// Where a stream of the feed stands: what it catches up with and what it is told meanwhile are the same items, each once and
// none left out.
import { expect, test } from "vitest"
import type { Caller } from "../../src/issuer/caller.ts"
import { createFeedStreams } from "../../src/issuer/feed-stream.ts"
import type { Follower } from "../../src/task/feed.ts"
import type { RevocationItem } from "../../src/token/revocation.ts"
import { cursors, listen } from "../support/event-stream.ts"
import { createFakeClock } from "../support/fake-clock.ts"

const item = (cursor: number): RevocationItem => ({
  ...{ cursor, kind: "task", value: `task_${cursor}`, before: 1, until: 2, code: "task_ended" },
})
const caller: Caller = {
  ...{ clientId: "tickets", kind: "api", scopes: new Set(["api"] as const), stands: () => true },
}

/** A stream over these committed items; `read` is called when a page was read, before it is answered. */
function open(
  committed: readonly number[],
  read: (tell: (...told: number[]) => void) => void = () => undefined,
) {
  const clock = createFakeClock()
  let follower: Follower = () => undefined
  const tell = (...told: number[]) => follower(told.map(item), clock.monotonic())
  const streams = createFeedStreams({
    clock,
    revocations: {
      async feed(_api, after) {
        const found = committed.filter((one) => one > after)
        const cursor = Math.max(0, ...committed)
        read(tell)
        return { items: found.map(item), cursor }
      },
    },
    feed: {
      follow(_api, told) {
        follower = told
        return () => undefined
      },
    },
    onFault: (fault) => {
      throw fault
    },
  })
  const opened = streams.open(caller, 0)
  if (!(opened instanceof Response)) throw new Error(opened.reason)
  return { tell, ...listen(opened) }
}

test("what was caught up with is not told again by a look that was begun before", async () => {
  const { tell, until, leave } = open([1, 2])
  await until(/: head 2/)
  tell(1, 2, 3)
  expect(cursors(await until(/: head 3/))).toEqual([1, 2, 3])
  await leave()
})

test("what is told while a page is read, which does not have it, is read then", async () => {
  const committed = [1]
  const { until, leave } = open(committed, (tell) => {
    if (committed.length > 1) return
    committed.push(2)
    tell(2)
  })
  expect(cursors(await until(/: head \d/))).toEqual([1, 2])
  await leave()
})
