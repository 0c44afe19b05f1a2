// The feed as a stream, read by a verifier: what applies, what is fresh, what makes no sense, and what happens without
// one. The issuer's side is a server on loopback that writes whatever the test says.
import type { IncomingMessage, ServerResponse } from "node:http"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { Unreachable } from "../../src/remote/exchange.ts"
import { createIssuerCalls, createIssuerStreams } from "../../src/remote/issuer-calls.ts"
import { createServiceTokens } from "../../src/remote/service-token.ts"
import type { RevocationItem } from "../../src/token/revocation.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import type { TaskToken } from "../../src/token/token.ts"
import { FeedFault, NoStream } from "../../src/verifier/feed.ts"
import { createListener } from "../../src/verifier/listener.ts"
import { createRevocations, type Revocations } from "../../src/verifier/revocations.ts"
import { openSpool, type Spool } from "../../src/verifier/spool.ts"
import { createVerifier } from "../../src/verifier/verifier.ts"
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts"
import { newFolder, optionsOf, removeFolder } from "../support/guarded-api.ts"
import { API_PRIVATE_JWK, type IssuerStub, json, startIssuerStub } from "../support/issuer-stub.ts"

const IAT = Math.floor(Date.parse("2026-03-01T09:00:00Z") / 1000)
const token: TaskToken = {
  iss: "",
  aud: "https://tickets.internal.example",
  iat: IAT,
  nbf: IAT,
  exp: IAT + 600,
  jti: "tok_1",
  clientId: "support-orchestrator",
  sub: "people/ana@example.com",
  act: { agent: "triage-bot", instance: "pod-1" },
  actors: [{ agent: "triage-bot", instance: "pod-1" }],
  txn: "task_1",
  lineage: [],
  scope: ["tickets:read"],
  grants: [],
  policy: "",
}
const ITEM: RevocationItem = {
  cursor: 1,
  kind: "task",
  value: "task_1",
  before: IAT,
  until: IAT + 600,
  code: "token_revoked",
}
const event = (changes: Partial<Record<keyof RevocationItem, unknown>> = {}, id?: string) => {
  const item = { ...ITEM, ...changes }
  return `id: ${id ?? item.cursor}\ndata: ${JSON.stringify(item)}\n\n`
}

/** Robust on a loaded machine. */
const soon = <T>(look: () => T) => expect.poll(look, { timeout: 15_000, interval: 10 })

let clock: FakeClock
let stub: IssuerStub
let folder: string
let spool: Spool
let revocations: Revocations
let ending: AbortController
/** What the issuer was asked, and the streams that are open. */
let asked: string[]
let open: ServerResponse[]

/** Answers every request for a stream with this text, and leaves it open unless `end`. */
const streamOf = (text: string, end = false) =>
  stub.overrides.set("/revocations", (request: IncomingMessage) => {
    asked.push(`${request.headers.accept} ${request.url}`)
    if (request.headers.accept !== "text/event-stream") return undefined
    return (response) => {
      response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" })
      response.write(text)
      if (end) response.end()
      else open.push(response)
    }
  })
const say = (text: string) => open.at(-1)?.write(text)

const openRevocations = () => {
  const tokens = createServiceTokens({
    issuer: stub.issuer,
    credential: { clientId: "tickets", privateJwk: API_PRIVATE_JWK },
    proofKey: importSigningKey(generatePrivateJwk("ES256")),
    clock,
  })
  const calls = createIssuerCalls(stub.issuer, stub.issuer, tokens)
  const streams = createIssuerStreams(stub.issuer, stub.issuer, tokens)
  return createRevocations({ calls, streams, spool, clock })
}

beforeEach(async () => {
  clock = createFakeClock()
  stub = await startIssuerStub(clock)
  folder = newFolder()
  spool = await openSpool(join(folder, "uses.db"))
  ending = new AbortController()
  asked = []
  open = []
  revocations = openRevocations()
})
afterEach(async () => {
  ending.abort()
  await spool.close()
  await stub.close()
  removeFolder(folder)
})

const follow = () => revocations.follow(ending.signal, () => undefined)
const codeOf = () => {
  const found = revocations.judge(token, "k")
  return found instanceof Refusal ? found.code : "stands"
}

/** Follows in the background until the test ends; answers how that went. */
const following = () => follow().catch((fault: unknown) => fault)

describe("what a stream tells", () => {
  test("applies at once, and its cursor is on disk: after a restart it goes on from there", async () => {
    streamOf(event({ cursor: 7 }))
    void following()
    await soon(() => revocations.cursor()).toBe(7)
    expect(codeOf()).toBe("token_revoked")
    say(event({ cursor: 9, kind: "agent", value: "triage-bot" }))
    await soon(() => revocations.cursor()).toBe(9)
    ending.abort()
    await spool.close()

    spool = await openSpool(join(folder, "uses.db"))
    ending = new AbortController()
    revocations = openRevocations()
    expect(codeOf()).toBe("token_revoked")
    streamOf(": head 9 at 0\n\n")
    void following()
    await soon(() => revocations.age()).toBe(0)
    expect(asked.at(-1)).toBe("text/event-stream /revocations?after=9")
  })

  test("is read however it is cut", async () => {
    const text = `${event({ value: "täsk_ü" })}: head 1 at 0\r\n\r\n${event({ cursor: 2 })}: head 2 at 0\n\n`
    streamOf("")
    void following()
    await soon(() => open.length).toBe(1)
    for (const byte of Buffer.from(text)) {
      open.at(-1)?.write(Buffer.of(byte))
      await new Promise(setImmediate)
    }
    await soon(() => revocations.cursor()).toBe(2)
    expect(codeOf()).toBe("token_revoked")
  })

  test("G05 ends the token in memory even when the disk fails, and the cursor does not skip it", async () => {
    await spool.close()
    streamOf(event({ cursor: 7 }))
    await expect(follow()).rejects.toThrow()
    expect(codeOf()).toBe("token_revoked")
    expect(revocations.cursor()).toBe(0)
    spool = await openSpool(join(folder, "uses.db"))
  })
})

describe("how fresh that is", () => {
  test("comments keep the age small while nothing happens; without them it grows", async () => {
    streamOf(": head 0 at 0\n\n")
    void following()
    await soon(() => revocations.age()).toBe(0)
    for (let elapsed = 2000; elapsed <= 60_000; elapsed += 2000) {
      clock.advance(2000)
      say(`: head 0 at ${elapsed}\n\n`)
      await soon(() => revocations.age()).toBe(0)
    }
    clock.advance(40_000)
    say(": still here\n\n")
    expect(revocations.age()).toBe(40_000)
  })

  test("what was held back on the way is as old as when it was said, and never younger than when it was asked", async () => {
    streamOf("")
    void following()
    await soon(() => open.length).toBe(1)
    clock.advance(30_000)
    say(": head 0 at 4000\n\n")
    await soon(() => revocations.age()).toBe(26_000)
    say(": head 0 at 99000\n\n")
    await soon(() => revocations.age()).toBe(0)
  })

  test("an item alone makes nothing fresh: more may follow it", async () => {
    streamOf(event())
    void following()
    await soon(() => revocations.cursor()).toBe(1)
    expect(revocations.age()).toBeUndefined()
  })

  test("a clock that is set makes it neither younger nor older", async () => {
    streamOf(": head 0 at 0\n\n")
    void following()
    await soon(() => revocations.age()).toBe(0)
    clock.advance(5000)
    clock.step(-3_600_000)
    expect(revocations.age()).toBe(5000)
    clock.step(7_200_000)
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
    streamOf(`${event({ cursor: 5 })}: head 5 at 0\n\n`)
    const followed = following()
    await soon(() => revocations.age()).toBe(0)
    clock.advance(1000)
    say(text)
    expect(await followed).toBeInstanceOf(FeedFault)
    expect([revocations.cursor(), revocations.age(), codeOf()]).toEqual([5, 1000, "token_revoked"])
    await soon(() => open.at(-1)?.destroyed).toBe(true)
  })

  test.each<[string, () => void, new (...parts: never[]) => Error]>([
    ["a redirect", () => redirect(), Unreachable],
    ["503", () => stub.overrides.set("/revocations", () => json(503, {})), Unreachable],
    ["403", () => stub.overrides.set("/revocations", () => json(403, {})), FeedFault],
    ["JSON", () => undefined, NoStream],
    ["404", () => stub.overrides.set("/revocations", () => json(404, {})), NoStream],
    ["406", () => stub.overrides.set("/revocations", () => json(406, {})), NoStream],
  ])("an answer that is none: %s", async (_what, prepare, fault) => {
    prepare()
    await expect(follow()).rejects.toBeInstanceOf(fault)
    expect([revocations.cursor(), revocations.age()]).toEqual([0, undefined])
  })

  const redirect = () =>
    stub.overrides.set("/revocations", () => ({
      status: 307,
      body: "",
      headers: { location: `${stub.issuer}/elsewhere` },
    }))

  test("a redirect is not followed", async () => {
    redirect()
    await follow().catch(() => undefined)
    expect(stub.requests).not.toContain("GET /elsewhere")
  })
})

describe("a verifier without a stream asks for the feed", () => {
  const listener = (failed: (fault?: unknown) => void = () => undefined) =>
    createListener({ revocations, clock, signal: ending.signal, told: () => undefined, failed })
  const accepts = () => asked.map((one) => one.split(" ")[0])

  test("of an issuer that has none, and tries again only later; that is no fault", async () => {
    const faults: unknown[] = []
    stub.overrides.set("/revocations", (request) => {
      asked.push(`${request.headers.accept} ${request.url}`)
      return undefined
    })
    stub.revoke({ kind: "task", value: "task_1" })
    const round = listener((fault) => faults.push(fault))
    await round()
    expect(codeOf()).toBe("token_revoked")
    await round()
    expect(accepts()).toEqual(["text/event-stream", ...Array(3).fill("application/json")])
    clock.advance(60_000)
    await round()
    expect(accepts().at(-2)).toBe("text/event-stream")
    expect(faults).toEqual([undefined, undefined])
  })

  test("after a stream that broke, which is a fault; then it goes on with the cursor", async () => {
    const faults: unknown[] = []
    streamOf(`${event({ cursor: 3 })}: head 3 at 0\n\n`)
    const round = listener((fault) => faults.push(fault))
    const first = round()
    await soon(() => revocations.age()).toBe(0)
    say(": head 2 at 0\n\n")
    await first
    expect(faults).toEqual([expect.any(FeedFault)])
    expect(asked).toEqual(["text/event-stream /revocations?after=0", "application/json /revocations?after=3"])
    streamOf(": head 3 at 0\n\n")
    await round()
    expect(asked.at(-1)).toBe("application/json /revocations?after=3")
    clock.advance(1000)
    const next = round()
    await soon(() => open.length).toBe(2)
    expect(asked.at(-1)).toBe("text/event-stream /revocations?after=3")
    ending.abort()
    await next
  })

  test("a good stream that the issuer ended is followed by the next at once; one that ends at once is not", async () => {
    streamOf(": head 0 at 0\n\n")
    const round = listener()()
    await soon(() => revocations.age()).toBe(0)
    clock.advance(300_000)
    const [first] = open
    first?.end()
    await soon(() => open.length).toBe(2)
    streamOf("", true)
    open.at(-1)?.end()
    await round
    expect(accepts()).toEqual([...Array(2).fill("text/event-stream"), "application/json"])
  })

  test("G04 a proxy that holds everything back: after some seconds of silence, and its age never lies", async () => {
    streamOf("")
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
    streamOf(": head 0 at 0\n\n")
    const verifier = await createVerifier(optionsOf(stub.issuer, join(folder, "more.db"), { clock }))
    await soon(() => verifier.ready().ready).toBe(true)
    expect(accepts("application/json")).toBe(0)
    say(event({ kind: "galaxy" }))
    await soon(() => verifier.ready().reasons.join()).toMatch(/stream/)
    expect(verifier.ready().ready).toBe(true)
    clock.advance(60_000)
    await soon(() => open.length).toBe(2)
    await soon(() => verifier.ready().reasons).toEqual([])
    const began = performance.now()
    await verifier.close()
    expect(performance.now() - began).toBeLessThan(4000)
    await soon(() => open.at(-1)?.destroyed).toBe(true)
  }, 40_000)

  test("G06 starts with what its disk knows, and lets nothing pass before the feed is known", async () => {
    stub.overrides.set("/revocations", () => "hang")
    const verifier = await createVerifier(optionsOf(stub.issuer, join(folder, "more.db"), { clock }))
    await soon(() => stub.requests.includes("GET /catalogue")).toBe(true)
    const view = { method: "GET", target: "/", rawHeaders: ["Authorization", `Bearer ${stub.mint()}`] }
    await soon(async () => {
      const decision = await verifier.check(view, "tickets:read", ["tickets", "SUP-1042"])
      return decision.outcome === "refused" && JSON.parse(decision.answer.body).code
    }).toBe("revocations_stale")
    await verifier.close()
  }, 30_000)

  const accepts = (type: string) => asked.filter((one) => one.startsWith(type)).length
})
