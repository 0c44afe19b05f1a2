// What an operator can ask for of keys at once, and what is refused whole.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type House, openHouse } from "../support/issuer-house.ts"

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.remove())

const rotate = (json: object) => house.ask("POST", "/keys/rotate", { as: "operations-team", json })
const keysNow = async () => {
  const entries = await house.ask("GET", "/ledger/entries?kind=key.created&limit=1000", { as: "audit-team" })
  return (entries.body.entries as { body: object }[]).map(({ body }) => body)
}

describe("a rotation", () => {
  test.each<[string, object, string]>([
    ["of the ledger's key and in an emergency", { ledger: true, emergency: true }, "/ledger"],
    ["of the ledger's key for a reason", { ledger: true, reason: "it leaked" }, "/ledger"],
    ["of not the ledger's key", { ledger: false }, "/ledger"],
    ["in an emergency without a reason", { emergency: true }, "/reason"],
  ])("%s is refused, and nothing is done", async (_what, json, pointer) => {
    const before = await keysNow()
    expect(await rotate(json)).toMatchObject({
      status: 400,
      body: { code: "invalid_request", errors: [{ pointer }] },
    })
    expect(await keysNow()).toEqual(before)
  })

  test("of the ledger's key makes one, and leaves signing keys as they are", async () => {
    const before = await keysNow()
    const { status, body } = await rotate({ ledger: true })
    expect([status, body.result]).toEqual([200, "ledger"])
    expect((await keysNow()).slice(before.length)).toEqual([
      { use: "ledger", vkey: body.ledger_key, by: "operations-team" },
    ])
  })
})
