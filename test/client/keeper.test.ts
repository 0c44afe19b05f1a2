// The tokens that a session keeps, by themselves: when one is too old to be sent, what rests after a failure, and which timers
// there are. Time is the test's.
import { describe, expect, test } from "vitest"
import { ClientError } from "../../src/client/error.ts"
import { HeldToken } from "../../src/client/held-token.ts"
import { createKeeper } from "../../src/client/keeper.ts"
import type { Surroundings } from "../../src/client/surroundings.ts"
import { simulate } from "../support/simulated.ts"

const API = "https://api.example"
const DAY = 86_400_000

/** One token that lives so long; each renewal brings the next, or fails as the test says. */
function open({ lives = 600_000, renewIn = 450_000 } = {}) {
  const around = simulate()
  const timers: number[] = []
  const later: Surroundings["later"] = (work, milliseconds) => {
    timers.push(milliseconds)
    return around.later(work, milliseconds)
  }
  const token = (name: string) => ({
    resource: API,
    token: new HeldToken(API, name),
    tokenType: "Bearer" as const,
    expiresAt: around.clock.now() + lives,
    renewAt: around.clock.now() + renewIn,
    scope: [],
    authorizationDetails: [],
  })
  const first = token("first")
  let renewals = 0
  let failure: ClientError | undefined
  const renew = async () => {
    renewals++
    if (failure) throw failure
    return [token(`renewed-${renewals}`)]
  }
  const keeper = createKeeper([first], renew, { ...around, later })
  return {
    ...{ around, keeper, first, timers },
    renewals: () => renewals,
    failing: (with_: ClientError | undefined) => {
      failure = with_
    },
    sent: async () => (await keeper.fresh(API, around.clock.now())).token.reveal(),
  }
}

const away = new ClientError("away", { code: "issuer_unreachable", next: "wait", retryAfterSeconds: 5 })

describe("a token that is sent", () => {
  test.each([
    [2001, "first"],
    [2000, "renewed-1"],
    [0, "renewed-1"],
  ])("lives longer than its way takes: with %i ms left it is the %s one", async (lives, sent) => {
    expect(await open({ lives }).sent()).toBe(sent)
  })
})

describe("a token that an API would not have", () => {
  test("is renewed, once for all who held it", async () => {
    const { keeper, first, renewals } = open()
    await keeper.replace(first)
    await keeper.replace(first)
    expect(renewals()).toBe(1)
  })

  test("is not renewed while a renewal that failed rests", async () => {
    const { keeper, first, renewals, around, failing } = open()
    failing(away)
    for (let at = 0; at < 3; at++) await expect(keeper.replace(first)).rejects.toBe(away)
    expect(renewals()).toBe(1)
    failing(undefined)
    await around.pass(6000)
    expect(keeper.tokens[0]?.token.reveal()).toBe("renewed-2")
  })
})

test("a renewal far away is waited for in hours, which every timer can, and comes no earlier", async () => {
  const { timers, around, renewals } = open({ lives: 60 * DAY, renewIn: 30 * DAY })
  await around.pass(30 * DAY - 1)
  expect([renewals(), Math.max(...timers)]).toEqual([0, 3_600_000])
  await around.pass(1)
  expect(renewals()).toBe(1)
})
