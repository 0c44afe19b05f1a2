// Two clocks, ours and the issuer's as its feed tells it: what is judged by which, and when neither is believed.
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { createIssuerTime } from "../../src/verifier/issuer-time.ts"
import { createVerifier, type Verifier } from "../../src/verifier/verifier.ts"
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts"
import { createApp, newFolder, optionsOf, removeFolder } from "../support/guarded-api.ts"
import { type IssuerStub, json, startIssuerStub } from "../support/issuer-stub.ts"

const MINUTE = 60_000

describe("L08 the issuer's time", () => {
  const heard = () => {
    const clock = createFakeClock()
    const time = createIssuerTime(clock)
    time.heard(clock.now(), clock.monotonic())
    return { clock, time, wall: Math.floor(clock.now() / 1000) }
  }

  test("L08 that was never heard is not compared with", () => {
    const clock = createFakeClock()
    const time = createIssuerTime(clock)
    clock.step(60 * MINUTE)
    expect([time.judge(), time.complaints(), time.epochSeconds()]).toEqual([
      undefined,
      [],
      Math.floor(clock.now() / 1000),
    ])
  })

  test.each([
    [-600, "clock", "600 s behind"],
    [-121, "clock", "121 s behind"],
    [-120, undefined, "120 s behind"],
    [-31, undefined, "31 s behind"],
    [-30, undefined, undefined],
    [0, undefined, undefined],
    [30, undefined, undefined],
    [31, undefined, "31 s ahead of"],
    [121, "clock", "121 s ahead of"],
    [600, "clock", "600 s ahead of"],
  ])("L08 a clock that is set by %i s is noticed at once", (seconds, reason, words) => {
    const { clock, time } = heard()
    clock.step(seconds * 1000)
    expect(time.judge()?.reason).toBe(reason)
    expect(time.judge()?.code).toBe(reason && "temporarily_unavailable")
    expect(time.complaints()).toEqual(words ? [`this host's clock is ${words} the issuer's`] : [])
    clock.step(-seconds * 1000)
    expect([time.judge(), time.complaints()]).toEqual([undefined, []])
  })

  test.each([
    ["slow by 100 s", -100, 0],
    ["slow by no more than an answer takes", -5, -5],
    ["fast by 100 s", 100, 100],
  ])("L08 tokens are judged by the later clock: %s", (_what, seconds, expected) => {
    const { clock, time, wall } = heard()
    clock.step(seconds * 1000)
    expect(Number(time.epochSeconds()) - wall).toBe(expected)
    clock.advance(MINUTE)
    expect(Number(time.epochSeconds()) - wall).toBe(expected + 60)
  })

  test("L08 when it is heard again, the newest word counts", () => {
    const { clock, time } = heard()
    clock.step(10 * MINUTE)
    expect(time.judge()).toBeDefined()
    time.heard(clock.now(), clock.monotonic())
    expect(time.judge()).toBeUndefined()
  })
})

describe("L08 at a guarded API", () => {
  let clock: FakeClock
  let stub: IssuerStub
  let folder: string
  let verifier: Verifier

  beforeEach(async () => {
    clock = createFakeClock()
    stub = await startIssuerStub(clock)
    folder = newFolder()
    const cursor = { items: [], cursor: 0, now: clock.now() }
    stub.overrides.set("/revocations", () => json(200, cursor))
    verifier = await createVerifier(optionsOf(stub.issuer, join(folder, "uses.db"), { clock }))
    await vi.waitFor(() => expect(verifier.ready()).toEqual({ ready: true, reasons: [] }), 5000)
    // From here on the issuer is out of reach: what it told stands, and time goes on.
    stub.setDown(true)
  })
  afterEach(async () => {
    await verifier.close()
    await stub.close()
    removeFolder(folder)
  })

  const ask = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` }
    const answer = await createApp(verifier, []).request("/tickets/SUP-1042", { headers })
    const { code } = (await answer.json()) as { code?: string }
    return code === undefined ? String(answer.status) : `${answer.status} ${code}`
  }
  const recognized = async (token: string) =>
    (
      await verifier.recognize(
        { method: "POST", target: "/mcp", rawHeaders: ["Authorization", `Bearer ${token}`] },
        ["tickets:read"],
      )
    ).outcome

  test.each([
    ["back", -10 * MINUTE],
    ["forward", 10 * MINUTE],
  ])(
    "L08 a clock that is set %s by ten minutes: cannot tell, never a pass and never invalid",
    async (_, by) => {
      const token = stub.mint()
      expect([await ask(token), await recognized(token)]).toEqual(["200", "recognized"])
      clock.step(by)
      expect([await ask(token), await recognized(token)]).toEqual(["503 temporarily_unavailable", "refused"])
      const { ready, reasons } = verifier.ready()
      expect([ready, reasons[0]]).toEqual([
        false,
        expect.stringMatching(/clock is 600 s (behind|ahead of) the issuer's/),
      ])
      clock.step(-by)
      expect(await ask(token)).toBe("200")
      expect(verifier.ready().ready).toBe(true)
    },
  )

  test("L08 a clock that is slow by a minute is told of, and makes no token live longer", async () => {
    const token = stub.mint()
    clock.step(-MINUTE)
    expect(verifier.ready()).toMatchObject({ ready: true })
    expect(verifier.ready().reasons).toContain("this host's clock is 60 s behind the issuer's")
    clock.advance(604_000)
    expect(await ask(token)).toBe("200")
    clock.advance(3000)
    expect(await ask(token)).toBe("401 token_expired")
  })
})
