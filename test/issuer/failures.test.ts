// Failures of callers become one entry a minute for each alarm, whose code says which it is: nobody is called unauthenticated
// who was authenticated.
import { afterEach, beforeEach, expect, test } from "vitest"
import { newsIn } from "../../src/cli/follow-news.ts"
import { Unavailable } from "../../src/database/database.ts"
import { countFailures } from "../../src/issuer/failures.ts"
import { createWorld, type World } from "../support/world.ts"

let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(async () => {
  await world.leave()
})

const alarms = async () =>
  (await world.ledger.read({ kind: "alarm.raised" })).entries.map(({ code, outcome, body }) => ({
    code,
    outcome,
    body,
  }))
const alarm = (code: string, counts: object) => ({ code, outcome: "refused", body: { alarm: code, counts } })

test.each([
  ["a role that is missing", ["role_missing"], [alarm("callers_without_role", { role_missing: 1 })]],
  [
    "who is not authenticated",
    ["invalid_client", "proof_invalid", "proof_invalid"],
    [alarm("callers_not_authenticated", { invalid_client: 1, proof_invalid: 2 })],
  ],
  [
    "both",
    ["role_missing", "service_token_missing"],
    [
      alarm("callers_not_authenticated", { service_token_missing: 1 }),
      alarm("callers_without_role", { role_missing: 1 }),
    ],
  ],
  ["any other refusal", ["not_found"], []],
] as const)("of %s", async (_what, codes, expected) => {
  const failures = countFailures(world.ledger)
  for (const code of codes) failures.count(code)
  await failures.sum()
  await failures.sum()
  expect(await alarms()).toMatchObject(expected)
  expect(await alarms()).toHaveLength(expected.length)
})

test("what could not be written is counted the next time", async () => {
  let isAway = true
  const append: World["ledger"]["append"] = async (events) => {
    if (isAway) throw new Unavailable("away")
    return world.ledger.append(events)
  }
  const failures = countFailures({ ...world.ledger, at: world.ledger.at, append })
  failures.count("role_missing")
  await expect(failures.sum()).rejects.toBeInstanceOf(Unavailable)
  failures.count("role_missing")
  isAway = false
  await failures.sum()
  expect(await alarms()).toMatchObject([alarm("callers_without_role", { role_missing: 2 })])
})

test("whoever follows the ledger is told which alarm it is", () => {
  const entry = Buffer.from('{"kind":"alarm.raised","code":"callers_without_role"}')
  expect(newsIn([entry], 78).alarms).toEqual(["alarm: entry 79: alarm.raised callers_without_role"])
})
