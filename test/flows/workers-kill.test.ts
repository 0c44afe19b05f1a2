// Four workers of one host on one spool before a real issuer, one of them killed again and again under load, half of the
// times with the issuer killed too: the ledger ends with the requests that handlers ran.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Cluster, startCluster } from "../support/cluster.ts"
import { type TestPlace, testPlace } from "../support/engine.ts"
import {
  apiArguments,
  callUntilGone,
  type KillStory,
  onStage,
  readStory,
  type Stage,
  shipTheRest,
  startIssuer,
  startTask,
} from "../support/kill-story.ts"

const WORKERS = 4
const ROUNDS = 8
/** Clients of each worker. */
const AT_ONCE = 4

let folder: string
let at: TestPlace
let story: Pick<KillStory, "handled" | "recorded">
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "taskmint-workers-kill-"))
  at = await testPlace(folder)
  const site = { folder, place: at.place }
  await onStage(site, play)
  story = await readStory(site)
}, 180_000)
afterAll(async () => {
  await at.remove()
  rmSync(folder, { recursive: true, force: true })
})

async function play(stage: Stage): Promise<void> {
  let issuer = await startIssuer(stage)
  const { address } = issuer
  const token = await startTask(stage, address)
  const cluster = await startCluster(WORKERS, apiArguments(stage, address))
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const away = round % 2 === 1
      await playRound(cluster, token, round, away ? () => issuer.kill() : undefined)
      if (away) issuer = await startIssuer(stage, new URL(address).port)
      await cluster.fork()
    }
    await cluster.close()
  } finally {
    await cluster.end()
  }
  await shipTheRest(stage, address)
  await issuer.kill()
}

/** The worker that has been there longest is killed; the others go on, and answer nothing but 200. */
async function playRound(cluster: Cluster, token: string, round: number, endIssuer?: () => Promise<void>) {
  let over = false
  const [oldest, ...others] = cluster.workers()
  if (!oldest) throw new Error("no worker")
  const clients = ({ own }: { own: string }) =>
    Array.from({ length: AT_ONCE }, () => callUntilGone(own, token, () => over))
  const ending = Promise.allSettled(clients(oldest))
  const staying = Promise.all(others.flatMap(clients))
  await sleep(100 + ((round * 37) % 160))
  await endIssuer?.()
  await cluster.kill(oldest)
  await sleep(50)
  over = true
  await Promise.all([ending, staying])
}

test("L10 every handler that ran in any worker is in the ledger, once", () => {
  const uses = story.recorded.map(({ use }) => use)
  expect(story.handled.length).toBeGreaterThan(ROUNDS * 10)
  expect(story.handled.filter((use) => !uses.includes(use))).toEqual([])
  expect(new Set(uses).size).toBe(uses.length)
})

test("L10 what the ledger has beside it was under way when its worker was killed, and says that its end is not known", () => {
  const ran = new Set(story.handled)
  const beside = story.recorded.filter(({ use }) => !ran.has(use))
  expect(beside.filter(({ finished }) => finished)).toEqual([])
  expect(beside.length).toBeLessThanOrEqual(ROUNDS * AT_ONCE)
})
