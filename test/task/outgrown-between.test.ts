// Tokens under a policy that took force, where the world moves while they are looked at: another policy comes, the clock
// steps, and more of them run out in one second than are looked at in one go.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { statement } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { liveTokens } from "../../src/task/outgrown-statements.ts"
import { toEpochSeconds } from "../../src/time.ts"
import { must, ORCHESTRATOR, tasksBefore } from "../support/crew-world.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(async () => {
  await world.leave()
})

const statuses = statement<{ status: number }>("test.statuses", sql`SELECT status FROM status_place`)
const start = async () => must(await world.tasks.start(ORCHESTRATOR, SUPPORT_START)).taskId
const ended = async () =>
  (await world.ledger.read({ kind: "token.revoked" })).entries.map((one) => one.task_id)
async function takeForce(edit: (text: string) => string): Promise<void> {
  const path = join(world.policyFolder, "support.yaml")
  writeFileSync(path, edit(readFileSync(path, "utf8")))
  expect(await world.policies.reload()).toBe("loaded")
}
const disable = (text: string) => text.replace(/^ {2}triage-bot:\n/m, "  triage-bot:\n    enabled: false\n")
const enable = (text: string) => text.replace("    enabled: false\n", "    enabled: true\n")

test("what the next policy covers again is not ended by the one before", async () => {
  const taskId = await start()
  await takeForce(disable)
  await tasksBefore(world, () => takeForce(enable)).review()
  await world.tasks.review()
  expect(await ended()).toEqual([])
  await takeForce((text) => `${disable(text.replace("    enabled: true\n", ""))}# again\n`)
  await world.tasks.review()
  expect(await ended()).toEqual([taskId])
})

test("a clock that stepped ends nothing, and what there is to end waits for it", async () => {
  const taskId = await start()
  await takeForce((text) => `${text}# a comment\n`)
  world.clock.step(10_000)
  await world.tasks.review()
  expect(await ended()).toEqual([])
  await takeForce(disable)
  await world.tasks.review()
  expect(await ended()).toEqual([])
  world.clock.step(-10_000)
  await world.tasks.review()
  expect(await ended()).toEqual([taskId])
})

test("verifiers that are not ours are told by their status list", async () => {
  await takeForce((text) => text.replace("    operations:\n", "    foreign: true\n    operations:\n"))
  await world.tasks.review()
  await start()
  expect(await world.engine.query(statuses)).toEqual([{ status: 0 }])
  await takeForce(disable)
  await world.tasks.review()
  expect(await world.engine.query(statuses)).toEqual([{ status: 1 }])
})

test("tokens that run out in the same second are looked at one after the other, each once", async () => {
  const started = [await start(), await start(), await start()]
  const found: string[] = []
  let [exp, token] = [0, 0]
  for (;;) {
    const now_seconds = toEpochSeconds(world.clock.now())
    const [row] = await world.engine.query(liveTokens, { now_seconds, exp, token, limit: 1 })
    if (!row) break
    found.push(row.task_id)
    ;[exp, token] = [row.token_exp, row.token]
  }
  expect(found).toEqual(started)
})
