// What was found and not said yet: it is found again by a process that starts, and not said where it is over by then.
import { afterEach, beforeEach, expect, test } from "vitest"
import { createSilence } from "../../src/audit/silence.ts"
import { quietVerifiers, verifierStillQuiet } from "../../src/audit/statements.ts"
import { Unexpected } from "../../src/database/database.ts"
import { mustBe } from "../support/approvals.ts"
import { createReporter } from "../support/batch-reporter.ts"
import { newKey } from "../support/crew.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(async () => {
  await world.leave()
})

test("a shared key that one process found, and did not come to say, the next one finds", async () => {
  await createSilence(world).look()
  const dpopJkt = newKey().thumbprint
  const others = { type: "summarize-ticket", agent: { id: "summarizer", instance: "pod-2" } }
  for (const start of [SUPPORT_START, { ...SUPPORT_START, ...others }])
    mustBe(await world.tasks.start("support-orchestrator", { ...start, dpopJkt }))
  const found = async (silence = createSilence(world)) => {
    const { begun } = await silence.look()
    world.clock.advance(61_000)
    await silence.save()
    return { silence, begun: begun.filter(({ kind }) => kind === "key_shared") }
  }
  const told = [{ value: dpopJkt, facts: { agents: ["summarizer", "triage-bot"] } }]
  expect((await found()).begun).toMatchObject(told)
  const { silence, begun } = await found()
  expect(begun).toMatchObject(told)
  for (const one of begun) silence.settle(one)
  expect((await found(silence)).begun).toEqual([])
  expect((await found()).begun).toEqual([])
})

test("a verifier that is heard after it was found quiet is not said to be silent", async () => {
  const reporter = createReporter(world)
  await reporter.report()
  world.clock.advance(60_000)
  const [found] = await world.engine.query(quietVerifiers, { before: world.ledger.at(), limit: 10 })
  if (!found) throw new Error("none was quiet")
  const { instance, last_seen } = found
  const guard = { statement: verifierStillQuiet, values: { instance, last_seen }, rows: 1 }
  await world.engine.atomically([guard])
  await reporter.report()
  await expect(world.engine.atomically([guard])).rejects.toThrow(Unexpected)
})
