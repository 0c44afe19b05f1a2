// A session that renews, against an issuer that follows the contract over real HTTP; time is the test's.
import { inspect } from "node:util"
import { afterEach, describe, expect, test } from "vitest"
import { createSessionKey } from "../../src/client/client.ts"
import type { Session } from "../../src/client/session.ts"
import { openSession } from "../../src/client/session.ts"
import { readSessionOptions, type SessionOptions } from "../../src/client/session-options.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import {
  type ContractIssuer,
  type ContractOptions,
  startContractIssuer,
  TICKETS,
  WIKI,
} from "../support/contract-issuer.ts"
import { quiet } from "../support/scripted-server.ts"
import { type Simulated, simulate } from "../support/simulated.ts"

const ending: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

interface Stage {
  readonly around: Simulated
  readonly issuer: ContractIssuer
  readonly session: Session
  /** Time passes in steps, and what was sent meanwhile is answered. */
  readonly pass: (milliseconds: number) => Promise<void>
  /** The token that a call to this API would carry now. */
  readonly carried: (api?: string) => Promise<string>
}

async function openStage(
  more: Partial<ContractOptions> = {},
  change: (options: SessionOptions, issuer: ContractIssuer) => SessionOptions = (options) => options,
): Promise<Stage> {
  const around = simulate()
  const key = createSessionKey()
  const issuer = await startContractIssuer({ clock: around.clock, jkt: key.thumbprint, ...more })
  const tokens = issuer.handed([TICKETS, WIKI, issuer.issuer])
  const options = change({ task: "task_1", issuer: issuer.issuer, tokens, key, waitSeconds: 30 }, issuer)
  const session = openSession(await readSessionOptions(options, around), around)
  ending.push(issuer.close, session.close)
  const pass = async (milliseconds: number) => {
    for (let left = milliseconds; left > 0; left -= 5000)
      if ((await around.pass(Math.min(left, 5000))) > 0) await quiet(issuer)
    await quiet(issuer)
  }
  const carried = async (api = TICKETS) => {
    const { authorization = "" } = await session.headers("GET", `${api}/1`)
    return authorization.replace("DPoP ", "")
  }
  return { around, issuer, session, pass, carried }
}

const outage = () => ({ status: 503, headers: { "retry-after": "3" } })
const isExchange = ({ body }: { readonly body: string }) => body.includes("token-exchange")

describe("renewal by the agent's own token", () => {
  test("keeps every token of the task live for two hours, and none twice as often as it must", async () => {
    const { issuer, pass, carried } = await openStage()
    for (let minute = 0; minute < 120; minute++) {
      await pass(60_000)
      for (const api of [TICKETS, WIKI]) expect(issuer.isLive(await carried(api))).toBe(true)
    }
    expect(issuer.refused).toEqual([])
    for (const resource of [TICKETS, WIKI, issuer.issuer]) {
      const times = issuer.exchanges.filter((one) => one.resource === resource).map((one) => one.at)
      expect(times.length).toBeGreaterThanOrEqual(14)
      for (const [at, time] of times.slice(1).entries()) {
        const share = (time - (times[at] ?? 0)) / 600_000
        expect(share).toBeGreaterThanOrEqual(0.69)
        expect(share).toBeLessThanOrEqual(0.82)
      }
    }
  }, 30_000)

  test("sends its own token as the subject, and no API's token ever", async () => {
    const { issuer, pass } = await openStage()
    await pass(500_000)
    const sent = issuer.asked.filter(isExchange).map(({ body }) => new URLSearchParams(body))
    expect(sent.length).toBeGreaterThanOrEqual(3)
    for (const form of sent) expect(form.get("subject_token")).toMatch(/^own-/)
    expect(issuer.asked.every(({ headers }) => headers.authorization === undefined)).toBe(true)
  })

  test("its own token is no API's: no call gets it, and it is not among the tokens", async () => {
    const { issuer, session } = await openStage()
    expect(session.tokens.map((held) => held.resource)).toEqual([TICKETS, WIKI])
    await expect(session.fetch(`${issuer.issuer}/tasks`)).rejects.toMatchObject({ code: "url_not_granted" })
    await expect(session.headers("GET", issuer.issuer)).rejects.toMatchObject({ code: "url_not_granted" })
  })

  test("calls that come together wait for one renewal", async () => {
    const { around, issuer, session } = await openStage({}, (options) => ({
      ...options,
      tokens:
        options.tokens?.map((one) => (one.resource === TICKETS ? { ...one, expiresAt: around0 } : one)) ?? [],
    }))
    await around.pass(0)
    const all = await Promise.all(Array.from({ length: 20 }, () => session.token(TICKETS)))
    expect(new Set(all.map((held) => held.token.reveal())).size).toBe(1)
    expect(issuer.asked.filter(isExchange)).toHaveLength(1)
  })
})

/** Before the simulated time begins. */
const around0 = Date.parse("2026-03-01T08:59:59Z")

test("a renewal whose connection was closed meanwhile is asked for once more, proven anew", async () => {
  const { around, issuer, session } = await openStage()
  const [held] = issuer.handed([TICKETS])
  if (held) session.take([{ ...held, expiresAt: around0 }])
  let cuts = 0
  issuer.answerWith(() => (cuts++ === 0 ? { cut: true } : undefined))
  expect(issuer.isLive((await session.token(TICKETS)).token.reveal())).toBe(true)
  expect([around.slept, issuer.refused, cuts]).toEqual([[], [], 2])
})

describe("an issuer that is away", () => {
  test("is asked again after what it says, with jitter, while the tokens still serve", async () => {
    const { issuer, pass, carried } = await openStage()
    issuer.answerWith(outage)
    await pass(590_000)
    expect(issuer.isLive(await carried())).toBe(true)
    const tries = issuer.asked.filter(({ body }) => new URLSearchParams(body).get("resource") === TICKETS)
    expect(tries.length).toBeGreaterThanOrEqual(4)
    expect(tries.length).toBeLessThanOrEqual(25)
    issuer.answerWith(undefined)
    await pass(60_000)
    expect(issuer.isLive(await carried())).toBe(true)
    expect(issuer.refused).toEqual([])
  })

  test("for ten minutes longer than the tokens live: with renewal_grace the task goes on", async () => {
    const { issuer, pass, carried } = await openStage({ graceSeconds: 900 })
    issuer.answerWith(outage)
    await pass(1_200_000)
    const waiting = carried().catch((error: unknown) => error)
    await pass(35_000)
    expect(await waiting).toMatchObject({ status: 503, next: "wait" })
    issuer.answerWith(undefined)
    await pass(60_000)
    for (const api of [TICKETS, WIKI]) expect(issuer.isLive(await carried(api))).toBe(true)
    const [first] = issuer.exchanges
    expect(first?.resource).toBe(issuer.issuer)
  })

  test("a call waits for it as long as it may", async () => {
    const { issuer, pass, carried } = await openStage({ graceSeconds: 900 })
    issuer.answerWith(outage)
    await pass(605_000)
    const waiting = carried()
    await pass(5000)
    issuer.answerWith(undefined)
    await pass(30_000)
    expect(issuer.isLive(await waiting)).toBe(true)
  })

  test("without grace: the issuer's no is what calls end with, and it is not asked for ever", async () => {
    const { around, issuer, pass, carried } = await openStage()
    issuer.answerWith(outage)
    await pass(700_000)
    issuer.answerWith(undefined)
    await pass(60_000)
    await expect(carried()).rejects.toMatchObject({ code: "token_expired", next: "stop" })
    const asked = issuer.asked.length
    await pass(600_000)
    expect(issuer.asked.length).toBe(asked)
    expect(around.timers()).toBe(0)
  })
})

describe("the end of a session", () => {
  test("a task that has ended stops it at once: nothing more is asked, every call is refused", async () => {
    const { around, issuer, session, pass } = await openStage()
    issuer.answerWith(() => ({ status: 409, body: { code: "task_ended", next: "stop" } }))
    await pass(500_000)
    const asked = issuer.asked.length
    await expect(session.fetch(`${WIKI}/1`)).rejects.toMatchObject({ code: "task_ended", next: "stop" })
    await pass(600_000)
    expect([issuer.asked.length, around.timers()]).toEqual([asked, 0])
  })

  test("close calls every renewal off and refuses calls", async () => {
    const { around, issuer, session, pass } = await openStage()
    expect(around.timers()).toBe(3)
    await session.close()
    expect(around.timers()).toBe(0)
    await pass(700_000)
    expect(issuer.asked).toEqual([])
    await expect(session.fetch(`${WIKI}/1`)).rejects.toMatchObject({ code: "session_closed" })
  })

  test("near the deadline renewals that win no time are not repeated", async () => {
    const { around, issuer, pass, session } = await openStage()
    const [held] = issuer.handed([TICKETS])
    const soon = around.clock.now() + 20_000
    if (held) session.take([{ ...held, renewAt: soon - 5000, expiresAt: soon }])
    issuer.answerWith(() => {
      const left = Math.max(0, (soon - around.clock.now()) / 1000)
      return { body: { access_token: `late-${left}`, token_type: "DPoP", expires_in: left } }
    })
    await pass(19_000)
    expect(issuer.asked.filter(isExchange).length).toBeLessThanOrEqual(1)
  })
})

describe("an agent that collects its tokens", () => {
  const credential = { clientId: "triage-bot", privateJwk: generatePrivateJwk("ES256") }
  const collecting = () =>
    openStage({}, ({ issuer = "", task = "" }) => ({ issuer, task, credential, instance: "pod-2" }))

  test("makes a key, asks with it and is bound to it; all tokens come anew in one call", async () => {
    const { issuer, pass, carried } = await collecting()
    const [first] = issuer.asked.filter(({ path }) => path.endsWith("/tokens"))
    expect(first?.headers.authorization).toMatch(/^DPoP service-/)
    expect(JSON.parse(first?.body ?? "")).toEqual({ dpop_jkt: expect.any(String), instance: "pod-2" })
    await pass(3_600_000)
    for (const api of [TICKETS, WIKI]) expect(issuer.isLive(await carried(api))).toBe(true)
    const times = issuer.asked.filter(({ path }) => path.endsWith("/tokens"))
    expect(times.length).toBeLessThanOrEqual(10)
    expect(issuer.refused).toEqual([])
  })
})

describe("renewal by a function of the orchestrator's", () => {
  test("is asked for the API that is due, and may fail now and then", async () => {
    const asked: string[] = []
    const stage = await openStage({}, (options, issuer) => ({
      ...options,
      tokens: issuer.handed([TICKETS, WIKI]),
      renew: async (resource) => {
        asked.push(resource)
        if (asked.length === 1) throw new Error("not now")
        return issuer.handed([resource])
      },
    }))
    await stage.pass(599_000)
    for (const api of [TICKETS, WIKI]) expect(stage.issuer.isLive(await stage.carried(api))).toBe(true)
    expect(asked).toHaveLength(3)
  })

  test("is what renews where the agent's own token may not", async () => {
    const asked: string[] = []
    const stage = await openStage({}, (options, issuer) => ({
      ...options,
      tokens: [
        ...issuer.handed([TICKETS]),
        ...issuer.handed([issuer.issuer]).map((own) => ({ ...own, scope: ["task:ask", "task:delegate"] })),
      ],
      renew: async (resource) => {
        asked.push(resource)
        return issuer.handed([resource])
      },
    }))
    await stage.pass(599_000)
    expect(stage.issuer.isLive(await stage.carried())).toBe(true)
    expect([asked.includes(TICKETS), stage.issuer.asked.filter(isExchange)]).toEqual([true, []])
  })
})

describe("the key of a session", () => {
  test("is nowhere to be read", () => {
    const key = createSessionKey()
    expect(Reflect.ownKeys(key)).toEqual(["thumbprint"])
    expect(JSON.parse(JSON.stringify(key))).toEqual({ thumbprint: key.thumbprint })
    expect(inspect(key, { depth: 9, showHidden: true })).not.toMatch(/private|KeyObject|"d"/)
    expect(() => importSigningKey(structuredClone(key))).toThrow(TypeError)
  })
})

describe("options that don't go together", () => {
  const credential = { clientId: "triage-bot", privateJwk: generatePrivateJwk("ES256") }
  const wrong: Readonly<Record<string, SessionOptions>> = {
    "nothing at all": {},
    "a credential without a task": { issuer: "https://issuer.example", credential },
    "a credential and tokens": { issuer: "https://issuer.example", task: "task_1", credential, tokens: [] },
    "an issuer without https": { issuer: "http://issuer.example", task: "task_1", credential },
    "an issuer without https, reached with it": {
      ...{ issuer: "http://issuer.example", issuerAddress: "https://issuer.example" },
      ...{ tokens: [], key: createSessionKey() },
    },
    "a wait that is no time": { tokens: [], waitSeconds: Number.NaN },
    "an option that there is not": JSON.parse('{"tokens":[],"dev":true}'),
  }
  test.each(Object.entries(wrong))("%s", async (_, options) => {
    await expect(readSessionOptions(options, simulate())).rejects.toThrow(TypeError)
  })
})
