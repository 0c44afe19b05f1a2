// What an instance numbered and the issuer does not have: told of when it is found, closed when it comes, until then the
// state of the instance, unless an operator gives it up. And clocks that are off.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { toEpochSeconds, toInstant } from "../../src/time.ts"
import { newId } from "../../src/token/id.ts"
import { createReporter, type Reporter, SOME_DIGEST, useOf } from "../support/chain-reporter.ts"
import { createWorld, type World } from "../support/world.ts"

let world: World
let one: Reporter
beforeAll(async () => {
  world = await createWorld()
})
beforeEach(() => {
  one = createReporter(world)
})
afterAll(async () => {
  await world.leave()
})

/** What entries of that kind say of this instance. */
const told = async (kind: "verifier.gap" | "use.allowed") =>
  (await world.ledger.read({ kind, limit: 1000 })).entries
    .map(({ body }) => body)
    .filter((body) => body?.verifier === one.instance)
const gaps = () => told("verifier.gap")
const seen = async () => (await world.verifiers.list()).find(({ instance }) => instance === one.instance)
const forget = () => world.verifiers.forget("operations-team", one.instance, "the disk is gone")

describe("a number left out", () => {
  test("is told of with both digests, and is the instance's state", async () => {
    const first = one.next()
    await one.bring(first)
    const lost = [one.next(), one.next()]
    const last = one.next()
    expect(await one.bring(last)).toEqual({ acknowledged: 4 })
    const known = { known: first.digest, previous: lost[1]?.digest, since: toInstant(world.clock.now()) }
    expect(await gaps()).toEqual([
      { verifier: one.instance, sequence: 4, why: "missing", from: 2, to: 3, ...known },
    ])
    const missing = [{ from: 2, to: 3, why: "missing", toldAt: world.clock.now(), writtenOffAt: undefined }]
    expect(await seen()).toMatchObject({ state: "gap", complete: false, missing })
  })

  test("is closed part by part as it comes, with its uses", async () => {
    await one.bring(one.next())
    const token = { task: newId("task"), jti: newId("tok") }
    const lost = [1, 2, 3].map((uses) =>
      one.next({ uses: Array.from({ length: uses }, () => useOf(world, token)) }),
    )
    await one.bring(one.next())
    for (const at of [1, 2, 0]) {
      const late = lost[at]
      expect(late && (await one.bring(late))).toEqual({ acknowledged: 5 })
      expect(late && (await one.bring(late))).toEqual({ acknowledged: 5 })
    }
    expect((await gaps()).slice(1).map((body) => [body?.closed, body?.from, body?.to])).toEqual([
      [true, 3, 3],
      [true, 4, 4],
      [true, 2, 2],
    ])
    expect(await seen()).toMatchObject({ state: "reporting", complete: true, missing: [] })
    expect(await told("use.allowed")).toHaveLength(6)
  })

  test("is not closed by other bytes than the next batch follows", async () => {
    await one.bring(one.next())
    one.next()
    await one.bring(one.next())
    const forged = one.make({ sequence: 2, previous: SOME_DIGEST, cursor: 7 })
    expect(await one.bring(forged)).toMatchObject({ code: "batch_conflict" })
    expect(await seen()).toMatchObject({ state: "gap" })
  })

  test("before the first batch that comes is one as well", async () => {
    for (let index = 0; index < 3; index++) one.next()
    await one.bring(one.next())
    expect(await gaps()).toMatchObject([{ why: "missing", from: 1, to: 3, known: null }])
  })
})

test("a batch that follows another than was taken in loses nothing, and is told of", async () => {
  const first = one.next()
  await one.bring(first)
  const token = { task: newId("task"), jti: newId("tok") }
  const forked = one.make({ sequence: 2, previous: SOME_DIGEST, uses: [useOf(world, token)] })
  expect(await one.bring(forked)).toEqual({ acknowledged: 2 })
  const known = { known: first.digest, previous: SOME_DIGEST }
  expect(await gaps()).toMatchObject([{ sequence: 2, why: "chain_differs", from: 1, to: 1, ...known }])
  expect(await seen()).toMatchObject({ state: "gap", missing: [{ why: "chain_differs" }] })
  expect(await told("use.allowed")).toHaveLength(1)
})

describe("an operator gives up", () => {
  const leaveGap = async () => {
    await one.bring(one.next())
    const lost = one.next()
    await one.bring(one.next())
    return lost
  }

  test("what is missing of an instance that reports, which goes on", async () => {
    const lost = await leaveGap()
    expect(await forget()).toMatchObject({ state: "reporting", complete: false, closed: false })
    const body = { verifier: one.instance, gaps: 1, written_off: true, by: "operations-team" }
    expect((await gaps()).at(-1)).toEqual({ ...body, reason: "the disk is gone" })
    expect(await forget()).toMatchObject({ code: "verifier_active" })
    await one.bring(one.next())
    expect(await seen()).toMatchObject({ missing: [{ from: 2, to: 2, writtenOffAt: expect.any(Number) }] })
    await one.bring(lost)
    expect((await gaps()).at(-1)).toMatchObject({ closed: true, from: 2, written_off: true })
    expect(await seen()).toMatchObject({ complete: true, missing: [] })
  })

  test("an instance that is gone, and all that is missing of it at once", async () => {
    await leaveGap()
    world.clock.advance(60_000)
    expect(await forget()).toMatchObject({ state: "written_off", closed: true, complete: false })
    expect((await gaps()).at(-1)).toMatchObject({ from: 4, gaps: 1, written_off: true })
    const before = await gaps()
    expect(await forget()).toMatchObject({ state: "written_off" })
    expect(await gaps()).toEqual(before)
  })

  test("one whose place another took, which is a gap until then", async () => {
    await one.bring(one.next())
    world.clock.advance(31_000)
    expect(await seen()).toMatchObject({ state: "silent" })
    const other = createReporter(world)
    await other.bring(other.next())
    expect(await seen()).toMatchObject({ state: "gap", complete: false, missing: [] })
    world.clock.advance(60_000)
    await forget()
    expect(await seen()).toMatchObject({ state: "written_off" })
  })

  test("not one that said its last word", async () => {
    await one.bring(one.next({ final: true }))
    const other = createReporter(world)
    world.clock.advance(60_000)
    await other.bring(other.next())
    expect(await forget()).toMatchObject({ state: "ended", complete: true })
    expect(await gaps()).toEqual([])
  })
})

test("pages hold each instance once, and only what is incomplete where that is asked", async () => {
  const all = Array.from({ length: 5 }, () => createReporter(world))
  for (const [at, reporter] of all.entries()) {
    if (at === 2) reporter.next()
    await reporter.bring(reporter.next())
  }
  const found: string[] = []
  for (let before: number | undefined = Number.MAX_SAFE_INTEGER; before !== undefined; ) {
    const page: Awaited<ReturnType<World["verifiers"]["page"]>> = await world.verifiers.page({
      before,
      limit: 2,
    })
    found.push(...page.verifiers.map(({ instance }) => instance))
    before = page.next
  }
  expect(found).toEqual([...new Set(found)])
  expect(found.slice(0, 5)).toEqual(all.map(({ instance }) => instance).reverse())
  const { verifiers } = await world.verifiers.page({ incomplete: true })
  expect(verifiers.every(({ complete }) => !complete)).toBe(true)
  expect(verifiers[0]?.instance).toBe(all[2]?.instance)
  expect((await world.verifiers.page({ api: "deployments" })).verifiers).toEqual([])
})

describe("a clock", () => {
  /** Brings a heartbeat sent when its clock was that far ahead. */
  const beat = async (ahead: number) => {
    const sentAt = toEpochSeconds(world.clock.now()) + ahead
    await one.bring(one.next(), sentAt)
    const found = await seen()
    return { drift: found?.drift, off: found?.driftedSince !== undefined }
  }

  test.each([
    ["the same", 0, 0, false],
    ["behind as far as is allowed", -5, -4251, false],
    ["behind", -8, -7251, true],
    ["ahead as far as is allowed", 5, 4750, false],
    ["ahead", 8, 7750, true],
  ])("that is %s", async (_what, ahead, drift, off) => {
    expect(world.clock.now() % 1000).toBe(250)
    expect(await beat(ahead)).toEqual({ drift, off })
  })

  test("that is off is so until it is well within what is allowed", async () => {
    const found: boolean[] = []
    for (const ahead of [0, -9, -5, -2, -5, 0]) found.push((await beat(ahead)).off)
    expect(found).toEqual([false, true, true, false, false, false])
  })

  test("is not judged by when a batch was made that waited, but where that is yet to come", async () => {
    const old = one.next({ iat: toEpochSeconds(world.clock.now()) - 86_400 })
    await one.bring(old, toEpochSeconds(world.clock.now()))
    expect(await seen()).toMatchObject({ drift: 0, driftedSince: undefined })
    const coming = one.next({ iat: toEpochSeconds(world.clock.now()) + 60 })
    await one.bring(coming, toEpochSeconds(world.clock.now()))
    expect(await seen()).toMatchObject({ drift: 59_750, driftedSince: world.clock.now() })
  })
})
