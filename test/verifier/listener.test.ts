// When a verifier follows the feed and when it asks for it, and a whole verifier on a stream.
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { Unreachable } from "../../src/remote/exchange.ts"
import { openSpool, type Spool } from "../../src/spool/spool.ts"
import { FeedFault } from "../../src/verifier/feed.ts"
import { createListener } from "../../src/verifier/listener.ts"
import type { Revocations } from "../../src/verifier/revocations.ts"
import { createVerifier } from "../../src/verifier/verifier.ts"
import { optionsOf } from "../support/guarded-api.ts"
import { event, openScriptedFeed, type ScriptedFeed, TOKEN } from "../support/scripted-feed.ts"

/** Robust on a loaded machine. */
const soon = <T>(look: () => T) => expect.poll(look, { timeout: 15_000, interval: 10 })

let feed: ScriptedFeed
let spool: Spool
let revocations: Revocations
let ending: AbortController

beforeEach(async () => {
  feed = await openScriptedFeed()
  spool = await openSpool(join(feed.folder, "uses.db"))
  ending = new AbortController()
  revocations = feed.openRevocations(spool)
})
afterEach(async () => {
  ending.abort()
  await spool.close()
  await feed.close()
})

const codeOf = () => {
  const found = revocations.judge(TOKEN, "k")
  return found instanceof Refusal ? found.code : "stands"
}

describe("a verifier without a stream asks for the feed", () => {
  const listener = (failed: (fault?: unknown) => void = () => undefined) =>
    createListener({ revocations, clock: feed.clock, signal: ending.signal, told: () => undefined, failed })
  const accepts = () => feed.asked.map((one) => one.split(" ")[0])

  test("of an issuer that has none, and tries again only later; that is no fault", async () => {
    const faults: unknown[] = []
    feed.stub.overrides.set("/revocations", (request) => {
      feed.asked.push(`${request.headers.accept} ${request.url}`)
      return undefined
    })
    feed.stub.revoke({ kind: "task", value: "task_1" })
    const round = listener((fault) => faults.push(fault))
    await round()
    expect(codeOf()).toBe("token_revoked")
    await round()
    expect(accepts()).toEqual(["text/event-stream", ...Array(3).fill("application/json")])
    feed.clock.advance(60_000)
    await round()
    expect(accepts().at(-2)).toBe("text/event-stream")
    expect(faults).toEqual([undefined, undefined])
  })

  test("after a stream that broke, which is a fault; then it goes on with the cursor", async () => {
    const faults: unknown[] = []
    feed.streamOf(`${event({ cursor: 3 })}: head 3 at 0\n\n`)
    const round = listener((fault) => faults.push(fault))
    const first = round()
    await soon(() => revocations.age()).toBe(0)
    feed.say(": head 2 at 0\n\n")
    await first
    expect(faults).toEqual([expect.any(FeedFault)])
    expect(feed.asked).toEqual([
      "text/event-stream /revocations?after=0",
      "application/json /revocations?after=3",
    ])
    feed.streamOf(": head 3 at 0\n\n")
    await round()
    expect(feed.asked.at(-1)).toBe("application/json /revocations?after=3")
    feed.clock.advance(1000)
    const next = round()
    await soon(() => feed.open.length).toBe(2)
    expect(feed.asked.at(-1)).toBe("text/event-stream /revocations?after=3")
    ending.abort()
    await next
  })

  test("a good stream that the issuer ended is followed by the next at once; one that ends at once is not", async () => {
    feed.streamOf(": head 0 at 0\n\n")
    const round = listener()()
    await soon(() => revocations.age()).toBe(0)
    feed.clock.advance(300_000)
    const [first] = feed.open
    first?.end()
    await soon(() => feed.open.length).toBe(2)
    feed.streamOf("", true)
    feed.open.at(-1)?.end()
    await round
    expect(accepts()).toEqual([...Array(2).fill("text/event-stream"), "application/json"])
  })

  test("G04 a proxy that holds everything back: after some seconds of silence, and its age never lies", async () => {
    feed.streamOf("")
    const faults: unknown[] = []
    const round = listener((fault) => faults.push(fault))()
    await round
    expect(faults).toEqual([expect.any(Unreachable)])
    expect(accepts()).toEqual(["text/event-stream", "application/json"])
    expect(revocations.age()).toBe(0)
  }, 30_000)
})

describe("a verifier as a whole", () => {
  test("is ready by the stream alone, names what broke it, and closes without waiting for it", async () => {
    feed.streamOf(": head 0 at 0\n\n")
    const verifier = await createVerifier(
      optionsOf(feed.stub.issuer, join(feed.folder, "more.db"), { clock: feed.clock }),
    )
    await soon(() => verifier.ready().ready).toBe(true)
    expect(accepts("application/json")).toBe(0)
    feed.say(event({ kind: "galaxy" }))
    await soon(() => verifier.ready().reasons.join()).toMatch(/stream/)
    expect(verifier.ready().ready).toBe(true)
    feed.clock.advance(60_000)
    await soon(() => feed.open.length).toBe(2)
    await soon(() => verifier.ready().reasons).toEqual([])
    const began = performance.now()
    await verifier.close()
    expect(performance.now() - began).toBeLessThan(4000)
    await soon(() => feed.open.at(-1)?.destroyed).toBe(true)
  }, 40_000)

  test("G06 starts with what its disk knows, and lets nothing pass before the feed is known", async () => {
    feed.stub.overrides.set("/revocations", () => "hang")
    const verifier = await createVerifier(
      optionsOf(feed.stub.issuer, join(feed.folder, "more.db"), { clock: feed.clock }),
    )
    await soon(() => feed.stub.requests.includes("GET /catalogue")).toBe(true)
    const view = { method: "GET", target: "/", rawHeaders: ["Authorization", `Bearer ${feed.stub.mint()}`] }
    await soon(async () => {
      const decision = await verifier.check(view, "tickets:read", ["tickets", "SUP-1042"])
      return decision.outcome === "refused" && JSON.parse(decision.answer.body).code
    }).toBe("revocations_stale")
    await verifier.close()
  }, 30_000)

  const accepts = (type: string) => feed.asked.filter((one) => one.startsWith(type)).length
})
