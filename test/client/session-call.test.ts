// What one call of a session does about each refusal of an API's guard. The API is a real server that answers by a script;
// time is the test's.
import { afterEach, describe, expect, test } from "vitest"
import { openSession } from "../../src/client/session.ts"
import { readSessionOptions } from "../../src/client/session-options.ts"
import { quiet, type Scripted, type ScriptedServer, startScripted } from "../support/scripted-server.ts"
import { simulate } from "../support/simulated.ts"

const servers: ScriptedServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

const refusal = (status: number, code: string, next: string, seconds?: number): Scripted => ({
  status,
  headers: {
    "content-type": "application/problem+json",
    ...(seconds !== undefined && { "retry-after": String(seconds) }),
  },
  body: { type: "about:blank", title: "No", status, code, next },
})
const EXPIRED = refusal(401, "token_expired", "renew")
const STALE = refusal(503, "revocations_stale", "wait", 2)
const PAUSED = refusal(401, "task_paused", "wait")
const PROOF = refusal(401, "proof_invalid", "renew")
const GONE = refusal(401, "token_revoked", "stop")
const ELSE = refusal(403, "resource_not_granted", "stop")
const BUSY: Scripted = { status: 503, headers: { "retry-after": "1" }, body: { busy: true } }
const THEIRS = refusal(404, "no_such_ticket", "stop")
const DONE: Scripted = { body: { ok: true } }

interface Told {
  readonly status?: number
  /** Of the answer's body, whole. */
  readonly characters?: number
  readonly error?: unknown
  /** The tokens that the API was sent, in turn. */
  readonly tokens: readonly string[]
  readonly renewals: number
  readonly slept: readonly number[]
}

/** One call to an API that answers these in turn, and then the last of them for ever. */
async function call(answers: readonly Scripted[], init?: RequestInit, renewal?: () => never): Promise<Told> {
  const left = [...answers]
  const api = await startScripted(() => (left.length > 1 ? left.shift() : left[0]) ?? DONE)
  servers.push(api)
  const around = simulate()
  let renewals = 0
  const handed = () => ({
    resource: api.origin,
    accessToken: `token-${renewals}`,
    tokenType: "Bearer" as const,
    expiresAt: around.clock.now() + 600_000,
    renewAt: around.clock.now() + 450_000,
    scope: [],
    authorizationDetails: [],
  })
  const renew = async () => {
    renewals++
    renewal?.()
    return [handed()]
  }
  const opened = await readSessionOptions({ tokens: [handed()], renew, waitSeconds: 20 }, around)
  const session = openSession(opened, around)
  const outcome = session.fetch(`${api.origin}/x`, init).then(
    async (answer) => ({ status: answer.status, characters: (await answer.text()).length }),
    (error: unknown) => ({ error }),
  )
  let over = false
  void outcome.then(() => {
    over = true
  })
  for (let step = 0; step < 200 && !over; step++) {
    await quiet(api)
    if (around.slept.length > 0) await around.pass(500)
  }
  const tokens = api.asked.map(({ headers }) => String(headers.authorization).replace("Bearer ", ""))
  return { ...(await outcome), tokens, renewals, slept: around.slept }
}

const post = { method: "POST", body: "whole" }
const streamed = () =>
  ({ method: "POST", body: new Blob(["once"]).stream(), duplex: "half" }) satisfies RequestInit & {
    duplex: string
  }

const generated = () => {
  const body = (async function* () {
    yield Buffer.from("once")
  })()
  return { method: "POST", body, duplex: "half" } as RequestInit
}

describe("renew", () => {
  test("renews once and sends the same again with the new token", async () => {
    expect(await call([EXPIRED, DONE], post)).toMatchObject({ status: 200, tokens: ["token-0", "token-1"] })
  })

  test("a second time it is thrown", async () => {
    const told = await call([EXPIRED])
    expect(told.error).toMatchObject({ code: "token_expired", status: 401, next: "renew" })
    expect([told.tokens.length, told.renewals]).toEqual([2, 1])
  })

  test.each<[string, () => RequestInit]>([
    ["a stream", streamed],
    ["what is made while it is sent", generated],
  ])("what can't be sent twice is not: %s", async (_what, init) => {
    const told = await call([EXPIRED, DONE], init())
    expect(told.error).toMatchObject({ code: "token_expired" })
    expect(told.tokens).toEqual(["token-0"])
  })

  test("of a proof: the same token, proven anew", async () => {
    expect(await call([PROOF, DONE])).toMatchObject({
      status: 200,
      renewals: 0,
      tokens: ["token-0", "token-0"],
    })
  })
})

describe("wait", () => {
  test.each([["GET"], ["POST"]])(
    "%s: waits as long as the guard says and a little more, and sends it again",
    async (method) => {
      const told = await call([STALE, STALE, DONE], { method })
      expect(told).toMatchObject({ status: 200, renewals: 0 })
      expect(told.slept).toHaveLength(2)
      for (const rest of told.slept) expect(rest).toBeGreaterThan(2000)
      expect(told.slept[0]).not.toBe(told.slept[1])
    },
  )

  test("no longer than the session may", async () => {
    const told = await call([STALE])
    expect(told.error).toMatchObject({ code: "revocations_stale", next: "wait", retryAfterSeconds: 2 })
    expect(told.slept.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(20_000)
    expect((await call([refusal(503, "revocations_stale", "wait", 60)])).tokens).toHaveLength(1)
  })

  test("not with what can't be sent twice", async () => {
    expect((await call([STALE, DONE], streamed())).tokens).toHaveLength(1)
  })

  test("of a paused task: its earlier tokens stay ended, so a new one is asked for each time", async () => {
    expect(await call([PAUSED, PAUSED, DONE])).toMatchObject({ status: 200, renewals: 2 })
  })

  test("an aborted call waits no more", async () => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(new Error("no more")), 10)
    const told = await call([refusal(503, "revocations_stale", "wait", 10)], { signal: controller.signal })
    expect(told.error).toMatchObject({ message: "no more" })
    expect(told.tokens.length).toBeLessThanOrEqual(1)
  })
})

describe("an API that is busy in its own words", () => {
  test("is asked again for what changes nothing", async () => {
    expect(await call([BUSY, DONE])).toMatchObject({ status: 200, tokens: ["token-0", "token-0"] })
  })

  test("is not for what may have been done; its answer is returned", async () => {
    expect(await call([BUSY, DONE], post)).toMatchObject({ status: 503, tokens: ["token-0"] })
  })
})

describe("stop", () => {
  test.each([
    ["token_revoked", GONE, 401],
    ["resource_not_granted", ELSE, 403],
  ])("%s is thrown at once", async (code, answer, status) => {
    const told = await call([answer, DONE])
    expect(told.error).toMatchObject({ code, status, next: "stop" })
    expect([told.tokens.length, told.renewals, told.slept.length]).toEqual([1, 0, 0])
  })

  test("an API's own refusal is its answer, in whatever form", async () => {
    expect(await call([THEIRS])).toMatchObject({ status: 404, tokens: ["token-0"] })
    expect(await call([{ status: 500, body: "<html>" }])).toMatchObject({ status: 500 })
  })

  test("what only looks like a guard's refusal is its answer, too: one that is no error, or longer than any", async () => {
    expect(await call([{ ...EXPIRED, status: 200 }])).toMatchObject({ status: 200, tokens: ["token-0"] })
    const long = { ...Object(GONE.body), detail: "x".repeat(65_536) }
    const told = await call([{ ...GONE, body: long }])
    expect(told).toMatchObject({ status: 401, tokens: ["token-0"] })
    expect(told.characters, "and still has all its body").toBe(JSON.stringify(long).length)
  })
})
