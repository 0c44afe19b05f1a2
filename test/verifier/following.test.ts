// The feed as a stream, read by a verifier: what applies, what is fresh, what makes no sense. The issuer's side is a
// server on loopback that writes whatever the test says.
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { Unreachable } from "../../src/remote/exchange.ts"
import { openSpool, type Spool } from "../../src/spool/spool.ts"
import { FeedFault, NoStream } from "../../src/verifier/feed.ts"
import type { Revocations } from "../../src/verifier/revocations.ts"
import { json } from "../support/issuer-stub.ts"
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

const follow = () => revocations.follow(ending.signal, () => undefined)
const codeOf = () => {
  const found = revocations.judge(TOKEN, "k")
  return found instanceof Refusal ? found.code : "stands"
}

/** Follows in the background until the test ends; answers how that went. */
const following = () => follow().catch((fault: unknown) => fault)

describe("what a stream tells", () => {
  test("applies at once, and its cursor is on disk: after a restart it goes on from there", async () => {
    feed.streamOf(event({ cursor: 7 }))
    void following()
    await soon(() => revocations.cursor()).toBe(7)
    expect(codeOf()).toBe("token_revoked")
    feed.say(event({ cursor: 9, kind: "agent", value: "triage-bot" }))
    await soon(() => revocations.cursor()).toBe(9)
    ending.abort()
    await spool.close()

    spool = await openSpool(join(feed.folder, "uses.db"))
    ending = new AbortController()
    revocations = feed.openRevocations(spool)
    expect(codeOf()).toBe("token_revoked")
    feed.streamOf(": head 9 at 0\n\n")
    void following()
    await soon(() => revocations.age()).toBe(0)
    expect(feed.asked.at(-1)).toBe("text/event-stream /revocations?after=9")
  })

  test("is read however it is cut", async () => {
    const text = `${event({ value: "täsk_ü" })}: head 1 at 0\r\n\r\n${event({ cursor: 2 })}: head 2 at 0\n\n`
    feed.streamOf("")
    void following()
    await soon(() => feed.open.length).toBe(1)
    for (const byte of Buffer.from(text)) {
      feed.open.at(-1)?.write(Buffer.of(byte))
      await new Promise(setImmediate)
    }
    await soon(() => revocations.cursor()).toBe(2)
    expect(codeOf()).toBe("token_revoked")
  })

  test("G05 ends the token in memory even when the disk fails, and the cursor does not skip it", async () => {
    await spool.close()
    feed.streamOf(event({ cursor: 7 }))
    await expect(follow()).rejects.toThrow()
    expect(codeOf()).toBe("token_revoked")
    expect(revocations.cursor()).toBe(0)
    spool = await openSpool(join(feed.folder, "uses.db"))
  })
})

describe("how fresh that is", () => {
  test("comments keep the age small while nothing happens; without them it grows", async () => {
    feed.streamOf(": head 0 at 0\n\n")
    void following()
    await soon(() => revocations.age()).toBe(0)
    for (let elapsed = 2000; elapsed <= 60_000; elapsed += 2000) {
      feed.clock.advance(2000)
      feed.say(`: head 0 at ${elapsed}\n\n`)
      await soon(() => revocations.age()).toBe(0)
    }
    feed.clock.advance(40_000)
    feed.say(": still here\n\n")
    expect(revocations.age()).toBe(40_000)
  })

  test("what was held back on the way is as old as when it was said, and never younger than when it was asked", async () => {
    feed.streamOf("")
    void following()
    await soon(() => feed.open.length).toBe(1)
    feed.clock.advance(30_000)
    feed.say(": head 0 at 4000\n\n")
    await soon(() => revocations.age()).toBe(26_000)
    feed.say(": head 0 at 99000\n\n")
    await soon(() => revocations.age()).toBe(0)
  })

  test("L08 what the issuer's clock read is of when it was said, however long that was held back on the way", async () => {
    feed.streamOf("")
    void following()
    await soon(() => feed.open.length).toBe(1)
    const wall = feed.clock.now()
    feed.clock.advance(300_000)
    feed.say(`: head 0 at 4000\n\n: clock ${wall + 4000} at 4000\n\n`)
    await soon(() => revocations.age()).toBe(296_000)
    expect(feed.issuerTime.judge()).toBeUndefined()
    feed.say(`: head 0 at 9000\n\n: clock ${wall + 709_000} at 9000\n\n`)
    await soon(() => feed.issuerTime.complaints()).toEqual(["this host's clock is 700 s behind the issuer's"])
  })

  test("L08 a stream whose beginning was long on the way tells no time: it is left, and asked for again", async () => {
    const wall = feed.clock.now()
    const text = `: head 0 at 0\n\n: clock ${wall + 150_000} at 0\n\n`
    feed.streamOf(text, false, () => feed.clock.advance(150_000))
    await expect(follow()).rejects.toThrow("began too late")
    await soon(() => feed.open.at(-1)?.destroyed).toBe(true)
    expect(revocations.age()).toBeUndefined()
    feed.streamOf(text)
    void following()
    await soon(() => revocations.age()).toBe(0)
    expect(feed.issuerTime.complaints()).toEqual([])
  })

  test("an item alone makes nothing fresh: more may follow it", async () => {
    feed.streamOf(event())
    void following()
    await soon(() => revocations.cursor()).toBe(1)
    expect(revocations.age()).toBeUndefined()
  })

  test("a clock that is set makes it neither younger nor older", async () => {
    feed.streamOf(": head 0 at 0\n\n")
    void following()
    await soon(() => revocations.age()).toBe(0)
    feed.clock.advance(5000)
    feed.clock.step(-3_600_000)
    expect(revocations.age()).toBe(5000)
    feed.clock.step(7_200_000)
    expect(revocations.age()).toBe(5000)
  })
})

describe("what makes no sense closes the stream, and changes nothing", () => {
  test.each<[string, string]>([
    ["G05 an item told before", event({ cursor: 5 })],
    ["G05 an item out of order", `${event({ cursor: 7 })}${event({ cursor: 6 })}`],
    ["G05 a head that went back, as of an issuer restored from an older copy", ": head 4 at 9\n\n"],
    ["an id that is not the cursor", event({ cursor: 6 }, "7")],
    ["no id", event({ cursor: 6 }).slice("id: 6\n".length)],
    ["an unknown kind", event({ cursor: 6, kind: "galaxy" })],
    ["an unknown event", `event: reset\n${event({ cursor: 6 })}`],
    ["no JSON", "id: 6\ndata: {\n\n"],
    ["an unknown field", "cursor: 6\n\n"],
    ["a line without end", `data: ${"x".repeat(40_000)}`],
    ["an event without end", `data: ${"x".repeat(9000)}\ndata: ${"x".repeat(9000)}\n`],
    ["a comment without end", `: ${"x".repeat(40_000)}`],
  ])("%s", async (_what, text) => {
    feed.streamOf(`${event({ cursor: 5 })}: head 5 at 0\n\n`)
    const followed = following()
    await soon(() => revocations.age()).toBe(0)
    feed.clock.advance(1000)
    feed.say(text)
    expect(await followed).toBeInstanceOf(FeedFault)
    expect([revocations.cursor(), revocations.age(), codeOf()]).toEqual([5, 1000, "token_revoked"])
    await soon(() => feed.open.at(-1)?.destroyed).toBe(true)
  })

  test.each<[string, () => void, new (...parts: never[]) => Error]>([
    ["a redirect", () => redirect(), Unreachable],
    ["503", () => feed.stub.overrides.set("/revocations", () => json(503, {})), Unreachable],
    ["403", () => feed.stub.overrides.set("/revocations", () => json(403, {})), FeedFault],
    ["JSON", () => undefined, NoStream],
    ["404", () => feed.stub.overrides.set("/revocations", () => json(404, {})), NoStream],
    ["406", () => feed.stub.overrides.set("/revocations", () => json(406, {})), NoStream],
  ])("an answer that is none: %s", async (_what, prepare, fault) => {
    prepare()
    await expect(follow()).rejects.toBeInstanceOf(fault)
    expect([revocations.cursor(), revocations.age()]).toEqual([0, undefined])
  })

  const redirect = () =>
    feed.stub.overrides.set("/revocations", () => ({
      status: 307,
      body: "",
      headers: { location: `${feed.stub.issuer}/elsewhere` },
    }))

  test("a redirect is not followed", async () => {
    redirect()
    await follow().catch(() => undefined)
    expect(feed.stub.requests).not.toContain("GET /elsewhere")
  })
})
