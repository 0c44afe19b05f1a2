// What happens between a look at a verifier instance and the commit about it: it reports, or what was missing comes.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { createUses } from "../../src/task/use.ts"
import { createVerifiers } from "../../src/task/verifiers.ts"
import { newId } from "../../src/token/id.ts"
import { createReporter, type Made, type Reporter, useOf } from "../support/chain-reporter.ts"
import { engineBefore } from "../support/crew-world.ts"
import { createWorld, type World } from "../support/world.ts"

let world: World
/** What `one` reports to. */
let desk: World
let one: Reporter
beforeAll(async () => {
  world = await createWorld()
})
beforeEach(() => {
  desk = { ...world }
  one = createReporter(desk)
})
afterAll(async () => {
  await world.leave()
})

const withUse = () => one.next({ uses: [useOf(world, { task: newId("task"), jti: newId("tok") })] })
const forgetBefore = (act: () => Promise<unknown>) =>
  createVerifiers({ ...world, engine: engineBefore(world, act) }).forget("operations-team", one.instance, "x")
const bringBefore = (made: Made, act: () => Promise<unknown>) => {
  desk.uses = createUses({
    ...world,
    engine: engineBefore(world, () => {
      desk.uses = world.uses
      return act()
    }),
  })
  return one.bring(made)
}
const told = async (kind: "verifier.gap" | "use.allowed") =>
  (await world.ledger.read({ kind, limit: 1000 })).entries
    .map(({ body }) => body)
    .filter((body) => body?.verifier === one.instance)
const seen = async () => (await world.verifiers.list()).find(({ instance }) => instance === one.instance)

test("one that reports before it is written off goes on", async () => {
  await one.bring(one.next())
  world.clock.advance(60_000)
  expect(await forgetBefore(() => one.bring(one.next()))).toMatchObject({ code: "verifier_active" })
  expect(await seen()).toMatchObject({ state: "reporting", sequence: 2, complete: true })
  expect(await told("verifier.gap")).toEqual([])
})

test("what was missing and comes before it is given up is given up no more", async () => {
  await one.bring(one.next())
  const lost = withUse()
  await one.bring(one.next())
  expect(await forgetBefore(() => one.bring(lost))).toMatchObject({ code: "verifier_active" })
  expect(await seen()).toMatchObject({ state: "reporting", complete: true, missing: [] })
  expect((await told("verifier.gap")).filter((body) => body?.written_off === true)).toEqual([])
})

test("of two copies of what was missing one is taken in", async () => {
  await one.bring(one.next())
  const lost = withUse()
  await one.bring(one.next())
  expect(await bringBefore(lost, () => one.bring(lost))).toEqual({ acknowledged: 3 })
  expect(await told("use.allowed")).toHaveLength(1)
  expect(await seen()).toMatchObject({ complete: true, missing: [] })
})

test("of two parts of what was missing that come at once each leaves what the other does not fill", async () => {
  await one.bring(one.next())
  const [first, , last] = [withUse(), withUse(), withUse()]
  await one.bring(one.next())
  expect(await bringBefore(last, () => one.bring(first))).toEqual({ acknowledged: 5 })
  expect(await told("use.allowed")).toHaveLength(2)
  expect(await seen()).toMatchObject({ missing: [{ from: 3, to: 3 }] })
})

test("what was missing is acknowledged up to what came meanwhile", async () => {
  await one.bring(one.next())
  const lost = withUse()
  await one.bring(one.next())
  expect(await bringBefore(lost, () => one.bring(withUse()))).toEqual({ acknowledged: 4 })
})
