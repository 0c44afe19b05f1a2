// Alarms about reports that can't be all there is, or can't be dated: they stand while it is so, and a verifier that returns
// says whether its chain goes on. Times are the fake clock's.
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import type { Begun } from "../../src/audit/alarm.ts"
import { findIncomplete } from "../../src/audit/completeness.ts"
import { toEpochSeconds, toInstant } from "../../src/time.ts"
import { createReporter, type Reporter } from "../support/chain-reporter.ts"
import { createQuiet, type Quiet } from "../support/quiet.ts"

let quiet: Quiet
let one: Reporter
beforeEach(async () => {
  quiet = await createQuiet()
  one = createReporter(quiet.world)
})
afterEach(() => quiet.remove())

/** A heartbeat of a clock that is that far ahead. */
const beat = (ahead = 0) => one.bring(one.next(), toEpochSeconds(quiet.world.clock.now()) + ahead)
const changes = async () => [
  ...(await quiet.entries("alarm.raised")).map(({ code, body }) => ["raised", code, body?.verifier]),
  ...(await quiet.entries("alarm.cleared")).map(({ code, body }) => ["cleared", code, body?.verifier]),
]

describe("a gap", () => {
  test("is an alarm until it is closed", async () => {
    await beat()
    const lost = [one.next(), one.next()]
    await beat()
    const since = toInstant(quiet.world.clock.now())
    await quiet.pass(5, beat)
    await quiet.pass(5, beat)
    const facts = { verifier: one.instance, missing: 2, sequence: 5, since }
    expect(await quiet.entries("alarm.raised")).toMatchObject([
      { api: "tickets", code: "verifier_gap", body: facts },
    ])
    expect(quiet.watch.standing().get("verifier_gap")).toBe(1)
    for (const late of lost) await one.bring(late)
    await quiet.pass(5, beat)
    expect(await changes()).toEqual([
      ["raised", "verifier_gap", one.instance],
      ["cleared", "verifier_gap", one.instance],
    ])
  })

  test("is none any more once an operator gave it up", async () => {
    await beat()
    one.next()
    await beat()
    await quiet.pass(5, beat)
    await quiet.world.verifiers.forget("operations-team", one.instance, "gone")
    await quiet.pass(5, beat)
    expect((await changes()).map(([what]) => what)).toEqual(["raised", "cleared"])
    await quiet.pass(10, beat)
    expect(await changes()).toHaveLength(2)
  })
})

test("what is over before it was said is not said", async () => {
  await beat(-20)
  one.next()
  await beat(-20)
  const found = await findIncomplete(quiet.world.engine, 10)
  expect(found.map(({ kind }) => kind)).toEqual(["verifier_gap", "verifier_drifted"])
  const holds = ({ guards }: Begun) =>
    quiet.world.engine.atomically(guards).then(
      () => true,
      () => false,
    )
  expect(await Promise.all(found.map(holds))).toEqual([true, true])
  await quiet.world.verifiers.forget("operations-team", one.instance, "gone")
  await beat()
  expect(await Promise.all(found.map(holds))).toEqual([false, false])
})

test("a clock that is off is one alarm until it is right again, and a number to be watched", async () => {
  await quiet.pass(10, () => beat(0))
  expect([await changes(), quiet.watch.drift()]).toEqual([[], 0])
  await quiet.pass(15, () => beat(-20))
  const [raised] = await quiet.entries("alarm.raised")
  expect(raised).toMatchObject({ code: "verifier_drifted", body: { verifier: one.instance, drift: -19_251 } })
  expect(quiet.watch.drift()).toBe(19_251)
  await quiet.pass(10, () => beat(-1))
  expect(await changes()).toEqual([
    ["raised", "verifier_drifted", one.instance],
    ["cleared", "verifier_drifted", one.instance],
  ])
  expect(quiet.watch.drift()).toBe(251)
})

describe("a verifier that returns", () => {
  beforeEach(() => quiet.pass(45, beat))

  test.each([
    ["with its chain", 0, "continues"],
    ["with batches missing", 2, "gap"],
  ])("%s says so, and how long it was silent", async (_what, lost, chain) => {
    await quiet.pass(100)
    expect(await quiet.entries("verifier.silent")).toHaveLength(1)
    for (let index = 0; index < lost; index++) one.next()
    await beat()
    await quiet.watch.look()
    expect(await quiet.entries("verifier.returned")).toMatchObject([
      { api: "tickets", body: { verifier: one.instance, silent_seconds: 100, chain } },
    ])
  })
})
