// What may be used once is told apart by its kind, by who it is of and by its id: nobody spends another's.
import { afterAll, beforeAll, expect, test } from "vitest"
import { Duplicate } from "../../src/database/database.ts"
import { spendAssertion, spendIdentity, spendProof } from "../../src/issuer/replay.ts"
import { createWorld, type World } from "../support/world.ts"

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(async () => {
  await world.leave()
})

test("F08 two that have one id, of two keys, two callers or two kinds, are both taken, each once", async () => {
  const now = world.clock.now()
  const exp = now / 1000 + 60
  const all = ["one", "two"].flatMap((who) => [
    spendProof(who, "id", now),
    spendAssertion(who, "id", exp),
    spendIdentity(who, "id", exp),
  ])
  for (const step of all) await world.engine.atomically([step])
  for (const step of all) await expect(world.engine.atomically([step])).rejects.toThrow(Duplicate)
})
