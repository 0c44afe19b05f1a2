// Ten SIGKILLs of a guarded API under load, half of them with the issuer killed too: the ledger ends with the requests that
// handlers ran. `npm run evidence` does the same two hundred times. On the other engine, whose part in it is small, three.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { onPostgres, type TestPlace, testPlace } from "../support/engine.ts"
import { type KillStory, runKillStory } from "../support/kill-story.ts"

let folder: string
let at: TestPlace
let story: KillStory
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "taskmint-guard-kill-"))
  at = await testPlace(folder)
  story = await runKillStory({ folder, place: at.place }, onPostgres ? 3 : 10)
}, 120_000)
afterAll(async () => {
  await at.remove()
  rmSync(folder, { recursive: true, force: true })
})

test("L10 every handler that ran is in the ledger, once", () => {
  const uses = story.recorded.map(({ use }) => use)
  expect(story.handled.length).toBeGreaterThan(story.kills * 10)
  expect(story.handled.filter((use) => !uses.includes(use))).toEqual([])
  expect(new Set(uses).size).toBe(uses.length)
})

test("L10 what the ledger has beside it was under way when its process was killed, and says that its end is not known", () => {
  const ran = new Set(story.handled)
  const beside = story.recorded.filter(({ use }) => !ran.has(use))
  expect(beside.filter(({ finished }) => finished)).toEqual([])
  expect(beside.length).toBeLessThanOrEqual(story.underWay)
})
