// Ten thousand agents whose tokens end in the same second, on a simulated clock: their sessions are the real ones, and so is
// what the issuer tells of renewal; else it is a function that counts.
import { describe, expect, test } from "vitest"
import { openSession } from "../../src/client/session.ts"
import { readTokens, renewInSeconds } from "../../src/client/token-answer.ts"
import { createRenewalTimes } from "../../src/task/renewal-time.ts"
import { createRandom, simulate } from "../support/simulated.ts"

const SESSIONS = 10_000
const API = "https://tickets.internal.example"

/** Renewals by second, and calls whose token had expired. */
async function live(lifeSeconds: number, forSeconds: number) {
  const around = simulate(7)
  const random = createRandom(11)
  const began = around.clock.now()
  const renewals = new Map<number, number>()
  const renewalTime = createRenewalTimes(0)
  const mint = () => {
    const asked = around.clock.now()
    const access_token = String(asked + lifeSeconds * 1000)
    const wire = { resource: API, access_token, expires_in: lifeSeconds, renew_in: renewalTime(lifeSeconds) }
    return readTokens([wire], asked, random)
  }
  const renew = async () => {
    const second = Math.floor((around.clock.now() - began) / 1000)
    renewals.set(second, (renewals.get(second) ?? 0) + 1)
    return mint()
  }
  const opened = { key: undefined, issuer: undefined, renew, waitMilliseconds: 0 }
  const sessions = Array.from({ length: SESSIONS }, () => openSession({ ...opened, tokens: mint() }, around))
  let refused = 0
  for (let second = 0; second < forSeconds; second += lifeSeconds / 10) {
    await around.pass(lifeSeconds * 100)
    const carried = await Promise.all(sessions.map((one) => one.headers("GET", API)))
    for (const { authorization = "" } of carried)
      if (Number(authorization.replace("Bearer ", "")) <= around.clock.now()) refused++
  }
  await Promise.all(sessions.map((one) => one.close()))
  return { renewals, refused, timers: around.timers() }
}

describe("10,000 sessions whose tokens end in the same second", () => {
  test.each([300, 600, 1800])(
    "renew tokens of %i s with no refused call and at most 10 times the average load in any second",
    async (life) => {
      const seconds = life * 3
      const { renewals, refused, timers } = await live(life, seconds)
      const total = [...renewals.values()].reduce((sum, one) => sum + one, 0)
      expect(total).toBeGreaterThanOrEqual(SESSIONS * 3)
      expect(refused).toBe(0)
      expect(Math.max(...renewals.values()) / (total / seconds)).toBeLessThanOrEqual(10)
      expect(timers).toBe(0)
    },
    30_000,
  )
})

describe("when a token is renewed", () => {
  const cases: readonly (readonly [what: string, named: unknown, from: number, to: number])[] = [
    ["the issuer names no time", undefined, 420, 480],
    ["the issuer names a second in between", 450, 450, 451],
    ["the issuer names the first second", 420, 420, 421],
    ["the issuer names the last second", 480, 480, 480],
    ["the issuer names an earlier time", 100, 100, 100],
    ["the issuer names a time that is too late", 481, 420, 480],
    ["the issuer names nonsense", "now", 420, 480],
    ["the issuer names a negative time", -5, 420, 480],
    ["the issuer names no number", Number.NaN, 420, 480],
  ]
  test.each(cases)("%s", (_, named, from, to) => {
    const random = createRandom(3)
    const drawn = Array.from({ length: 1000 }, () => renewInSeconds(600, named, random))
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(from)
    expect(Math.max(...drawn)).toBeLessThanOrEqual(to)
    expect(Math.max(...drawn) - Math.min(...drawn)).toBeGreaterThanOrEqual((to - from) * 0.9)
  })
})
