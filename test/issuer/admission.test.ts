// Who waits and who is refused when more is asked than can be answered: by a clock of the test, with work that ends when
// the test says so.
import { describe, expect, test, vi } from "vitest"
import { Refusal } from "../../src/errors.ts"
import {
  type AdmissionLimits,
  createAdmission,
  type Lane,
  retryAfterSeconds,
} from "../../src/issuer/admission.ts"
import type { Caller } from "../../src/issuer/caller.ts"
import { guarded } from "../../src/issuer/endpoint.ts"
import { createFakeClock } from "../support/fake-clock.ts"

const LIMITS: AdmissionLimits = {
  running: 4,
  later: 2,
  reserved: 1,
  waiting: { first: 6, later: 2 },
  waitMilliseconds: 40,
}

/** Starts are told in their order; each runs until it is ended. */
function open(limits: Partial<AdmissionLimits> = {}) {
  const clock = createFakeClock()
  const admission = createAdmission(clock, { ...LIMITS, ...limits })
  const running: { name: string; end: () => void }[] = []
  const started: string[] = []
  const refused: string[] = []
  const ask = (caller: string, count: number, lane: Lane = "first") => {
    for (let n = 0; n < count; n++) {
      const work = () => {
        started.push(caller)
        return new Promise<string>((resolve) => running.push({ name: caller, end: () => resolve(caller) }))
      }
      void admission.pass(caller, lane, work).then((answer) => {
        if (answer instanceof Refusal) refused.push(`${caller} ${answer.code}`)
      })
    }
  }
  /** Ends what has run longest, so many times. */
  const finish = async (count: number) => {
    for (let n = 0; n < count; n++) {
      running.shift()?.end()
      await settled()
    }
  }
  return { admission, clock, ask, finish, started, refused }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

test("as long as there is room nobody waits", async () => {
  const { ask, started, admission } = open()
  ask("a", 3)
  await settled()
  expect(started).toEqual(["a", "a", "a"])
  expect(admission.count().first).toEqual({ running: 3, waiting: 0 })
})

test("callers take turns: who asks for little is served beside a flood", async () => {
  const { ask, finish, started } = open()
  ask("flood", 3 + 5)
  ask("small", 1)
  ask("other", 1)
  await finish(10)
  expect(started.slice(3, 6)).toEqual(["flood", "small", "other"])
  expect(started).toHaveLength(9) // the flood gave up one for `other`
})

describe("where no more may wait, whoever has the most waiting gives way", () => {
  test("to a caller with less", async () => {
    const { ask, refused, finish, started } = open()
    ask("flood", 3 + 6)
    ask("small", 2)
    await settled()
    expect(refused).toEqual(["flood too_many_requests", "flood too_many_requests"])
    await finish(9)
    expect(started.filter((name) => name === "small")).toHaveLength(2)
  })

  test("and is refused itself when it asks for more", async () => {
    const { ask, refused, admission } = open()
    ask("flood", 3 + 6 + 4)
    await settled()
    expect(refused).toEqual(Array(4).fill("flood too_many_requests"))
    expect(admission.count().first).toEqual({ running: 3, waiting: 6 })
  })

  test("what was refused never runs", async () => {
    const { ask, finish, started } = open()
    ask("flood", 3 + 6 + 4)
    await finish(20)
    expect(started).toHaveLength(9)
  })
})

describe("J13 mints go before reports", () => {
  test("reports have no more than their part, and never less than what is kept for them", async () => {
    const { ask, started, admission } = open()
    ask("api", 3, "later")
    ask("a", 6)
    await settled()
    expect(admission.count()).toEqual({
      first: { running: 2, waiting: 4 },
      later: { running: 2, waiting: 1 },
    })
    expect(started.filter((name) => name === "api")).toHaveLength(2)
  })

  test("both together have no more than there is", async () => {
    const { ask, admission } = open()
    ask("a", 3)
    ask("api", 2, "later")
    await settled()
    expect(admission.count()).toEqual({
      first: { running: 3, waiting: 0 },
      later: { running: 1, waiting: 1 },
    })
  })

  test("room that comes free is given to a mint first, and what is kept for reports to reports", async () => {
    const { ask, finish, started } = open({ waiting: { first: 6, later: 6 } })
    ask("api", 4, "later")
    ask("a", 5)
    await settled()
    started.length = 0
    await finish(2) // both reports that ran
    expect(started).toEqual(["a", "api"])
  })

  test("a flood of mints does not stop reports", async () => {
    const { ask, finish, started } = open()
    ask("a", 9)
    ask("api", 1, "later")
    await finish(1)
    expect(started).toContain("api")
  })
})

test("whose turn does not come in time is told so, and nothing else of its", async () => {
  const { ask, clock, refused, admission, finish, started } = open()
  ask("a", 4)
  await settled()
  clock.advance(30)
  ask("b", 1)
  clock.advance(15)
  await vi.waitFor(() => expect(refused).toEqual(["a temporarily_unavailable"]))
  expect(admission.count().first).toEqual({ running: 3, waiting: 1 })
  await finish(4)
  expect(started).toEqual(["a", "a", "a", "b"])
})

test("each is told when its own time is over, though nobody asks anything meanwhile", async () => {
  const { ask, clock, refused } = open()
  ask("a", 4)
  clock.advance(20)
  ask("b", 1)
  clock.advance(20)
  await vi.waitFor(() => expect(refused).toEqual(["a temporarily_unavailable"]))
  clock.advance(20)
  await vi.waitFor(() => expect(refused).toEqual(["a temporarily_unavailable", "b temporarily_unavailable"]))
})

test("work that fails gives its room back, and the failure to whoever asked", async () => {
  const { admission } = open({ running: 2 })
  const fails = () => Promise.reject(new Error("it failed"))
  for (let n = 0; n < 5; n++) await expect(admission.pass("a", "first", fails)).rejects.toThrow("it failed")
  expect(admission.count().first).toEqual({ running: 0, waiting: 0 })
})

test("those who were refused together come back apart", () => {
  const told = new Set(Array.from({ length: 200 }, retryAfterSeconds))
  expect([...told].sort()).toEqual([1, 2, 3, 4])
})

test("who waits for a checkpoint with a batch that was taken in has no turn any more", async () => {
  const admission = createAdmission(createFakeClock(), LIMITS)
  const { promise: checkpoint, resolve: sign } = Promise.withResolvers<void>()
  const report = guarded({
    ...{ method: "post", path: "/uses", lane: "later", summary: "", group: "", who: ["api"], answers: {} },
    run: async () => async () => {
      await checkpoint
      return new Response()
    },
  })
  const caller: Caller = { clientId: "a", kind: "api", scopes: new Set(["api"] as const), stands: () => true }
  const entrance = { admission, identify: async () => caller }
  const ask = () => report.answer(new Request("https://taskmint.internal/uses"), () => "", entrance)
  const answers: ReturnType<typeof ask>[] = []
  for (let n = 0; n < 100; n++) {
    answers.push(ask())
    await settled()
  }
  expect(admission.count()).toMatchObject({ later: { running: 0, waiting: 0 } })
  expect(await admission.pass("b", "later", async () => "served")).toBe("served")
  sign()
  for (const answer of await Promise.all(answers)) expect(answer).toHaveProperty("status", 200)
})
