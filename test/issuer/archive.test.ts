// Archiving over HTTP, and by a retention: who may, what is answered, and that it is told of.
import { afterAll, beforeAll, expect, test } from "vitest"
import { toInstant } from "../../src/time.ts"
import { type House, openHouse } from "../support/issuer-house.ts"

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.remove())

const archive = (json: unknown, as: "operations-team" | "audit-team" = "operations-team") =>
  house.ask("POST", "/ledger/archive", { as, json })
const before = () => toInstant(house.clock.now())
const told = async () => {
  const { body } = await house.ask("GET", "/ledger/entries?kind=ledger.archived", { as: "audit-team" })
  return (body.entries as { body: object }[]).map((entry) => entry.body)
}
/** Each query is an entry. */
async function pad(): Promise<void> {
  for (let n = 0; n < 256; n++) await house.call("GET", "/ledger/entries?limit=1", { as: "audit-team" })
  house.clock.advance(1000)
  await house.issuer.sweep()
}

test("an operator archives what is old, some thousand at a time, and is told why it ends", async () => {
  const none = {
    status: 200,
    body: { entries: 0, bytes_before: 0, bytes_after: 0, more: false, end: "unsigned" },
  }
  expect(await archive({ before: before() })).toEqual(none)
  await pad()
  const done = await archive({ before: before() })
  expect(done).toMatchObject({
    status: 200,
    body: { entries: 256, from: 1, to: 256, more: false, end: "unsigned" },
  })
  expect(Number(done.body.bytes_after)).toBeLessThan(Number(done.body.bytes_before) / 2)
  expect(await told()).toMatchObject([{ by: "operations-team", as: "operations-team", from: 1, to: 256 }])
})

test.each([
  [{}, "/before"],
  [{ before: "90d" }, "/before"],
  [{ before: "2100-01-01T00:00:00Z" }, "/before"],
  [{ before: "2026-01-01T00:00:00Z", to: "here" }, ""],
])("%j is 400", async (json, pointer) => {
  expect(await archive(json)).toMatchObject({ status: 400, body: { errors: [{ pointer }] } })
})

test("whoever does not operate may not", async () => {
  expect(await archive({ before: before() }, "audit-team")).toMatchObject({ status: 403 })
})

test("without a retention nothing goes by itself; with one, what is older does", async () => {
  await pad()
  house.clock.advance(90 * 86_400_000)
  await house.issuer.sweep()
  expect(await told()).toHaveLength(1)
  await house.restart({ retentionSeconds: 91 * 86_400 })
  await house.issuer.sweep()
  expect(await told()).toHaveLength(1)
  await house.restart({ retentionSeconds: 89 * 86_400 })
  await house.issuer.sweep()
  expect((await told()).slice(1)).toMatchObject([{ by: "retention", from: 257, to: 512 }])
  expect(house.faults).toEqual([])
})
