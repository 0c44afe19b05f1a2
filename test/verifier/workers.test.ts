// The processes of one host on one spool, as node:cluster runs them, killed at any instant: every handler that ran has its
// use at the issuer, once, and no proof passes twice.
import { existsSync, readFileSync } from "node:fs"
import type { ServerResponse } from "node:http"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { systemClock } from "../../src/time.ts"
import { batchDigest } from "../../src/token/batch.ts"
import { newId } from "../../src/token/id.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { createVerifier } from "../../src/verifier/verifier.ts"
import { type Cluster, type ClusterWorker, startCluster } from "../support/cluster.ts"
import { newFolder, optionsOf, removeFolder } from "../support/guarded-api.ts"
import { API, API_PRIVATE_JWK, type IssuerStub, startIssuerStub } from "../support/issuer-stub.ts"

let stub: IssuerStub
let folder: string
let cluster: Cluster | undefined
beforeEach(async () => {
  stub = await startIssuerStub(systemClock)
  folder = newFolder()
})
afterEach(async () => {
  await cluster?.end()
  cluster = undefined
  await stub.close()
  removeFolder(folder)
})

const spoolPath = () => join(folder, "uses.db")
const start = async (count: number) => {
  const files = [spoolPath(), join(folder, "handled.log")]
  cluster = await startCluster(count, [stub.issuer, JSON.stringify(API_PRIVATE_JWK), ...files])
  return cluster
}
const handledIds = () =>
  existsSync(join(folder, "handled.log"))
    ? readFileSync(join(folder, "handled.log"), "utf8").trim().split("\n")
    : []
const call = (address: string, token: string) =>
  fetch(`${address}/tickets/SUP-1042`, { headers: { authorization: `Bearer ${token}` } })

/** Clients of each worker, one request after the other, until it is gone or `over`; then what they were answered. */
function load(workers: readonly ClusterWorker[], over: { now: boolean }) {
  const answers: number[] = []
  const client = async ({ own }: ClusterWorker) => {
    const token = stub.mint()
    while (!over.now) answers.push((await call(own, token)).status)
  }
  const clients = workers.flatMap((worker) => Array.from({ length: 4 }, () => client(worker)))
  return { answers, done: Promise.allSettled(clients) }
}

/** Everything that ran is told, once, in one chain of one instance. */
async function expectWhole() {
  await vi.waitFor(
    () => {
      const shipped = new Set(stub.uses().map((use) => use.id))
      expect(handledIds().filter((id) => !shipped.has(id))).toEqual([])
    },
    { timeout: 20_000, interval: 100 },
  )
  const shipped = stub.uses().map((use) => use.id)
  expect(new Set(shipped).size).toBe(shipped.length)
  expect(new Set(stub.batches.map(({ instance }) => instance)).size).toBe(1)
  expect(stub.batches.map(({ sequence }) => sequence)).toEqual(stub.batches.map((_, at) => at + 1))
  const distinct = [...new Set(stub.received)]
  expect(stub.batches.map(({ previous }) => previous)).toEqual([
    null,
    ...distinct.slice(0, -1).map(batchDigest),
  ])
}

describe.each([2, 4])("%i workers", (count) => {
  test("L10 tell every use once, with its outcome, and say one last word", async () => {
    const { workers, close } = await start(count)
    const [{ address = "" } = {}] = workers()
    const answers = await Promise.all(
      Array.from({ length: 60 * count }, async () => (await call(address, stub.mint())).json()),
    )
    const pids = new Set(answers.map((answer) => (answer as { pid: number }).pid))
    expect(pids).toEqual(new Set(workers().map(({ pid }) => pid)))
    await close()
    await expectWhole()
    expect(stub.uses()).toHaveLength(60 * count)
    expect(stub.uses().filter(({ status }) => status !== 200)).toEqual([])
    expect(stub.batches.filter(({ final }) => final)).toHaveLength(1)
    expect(stub.batches.at(-1)).toMatchObject({ final: true })
  }, 60_000)

  test("L10 of which one after the other is killed under load, the one that sends among them, lose nothing", async () => {
    const { workers, kill, fork } = await start(count)
    for (let round = 0; round <= count; round++) {
      stub.setDown(round % 3 === 2)
      const [oldest] = workers()
      if (!oldest) throw new Error("no worker")
      const over = { now: false }
      const { answers, done } = load(workers(), over)
      await vi.waitFor(() => expect(answers.length).toBeGreaterThan(30), { timeout: 20_000, interval: 5 })
      await kill(oldest)
      over.now = true
      await done
      expect(new Set(answers)).toEqual(new Set([200]))
      stub.setDown(false)
      await fork()
    }
    await expectWhole()
    expect(handledIds().length).toBeGreaterThan(30 * count)
  }, 120_000)
})

test("L10 workers that are killed while one waits for the issuer's answer leave what it sent to the next", async () => {
  const { workers, kill, fork } = await start(2)
  const hung = Promise.withResolvers<void>()
  const waiting: ServerResponse[] = []
  stub.overrides.set("/uses", () => (response) => {
    waiting.push(response)
    hung.resolve()
  })
  await Promise.all(workers().map(({ own }) => call(own, stub.mint())))
  await hung.promise
  for (const worker of workers()) {
    await kill(worker)
    await fork()
  }
  await Promise.all(workers().map(({ own }) => call(own, stub.mint())))
  stub.overrides.clear()
  for (const response of waiting) response.destroy() // whoever lives and still waits need not lose patience first
  await expectWhole()
  expect(handledIds()).toHaveLength(4)
}, 60_000)

test("a worker that stands still holds back what its host says of revocations; one that is gone does not", async () => {
  const { workers, kill, fork } = await start(1)
  await vi.waitFor(() => expect(stub.batches).not.toEqual([]), 10_000)
  await fork()
  const [sending, still] = workers()
  if (!sending || !still) throw new Error("no workers")
  // Stopped while it joins, it could hold the spool's lock, and then nobody records anything.
  await sleep(500)
  process.kill(still.pid, "SIGSTOP")
  const ended = stub.mint()
  stub.revoke({ kind: "token", value: JSON.parse(atob(ended.split(".")[1] ?? "")).jti })
  await vi.waitFor(async () => expect((await call(sending.own, ended)).status).toBe(401), 10_000)
  const before = stub.batches.length
  const live = stub.mint()
  expect((await call(sending.own, live)).status).toBe(200)
  await vi.waitFor(
    () => expect(stub.batches.slice(before).some(({ uses }) => uses.length > 0)).toBe(true),
    10_000,
  )
  expect(stub.batches.filter(({ cursor }) => cursor > 0)).toEqual([])
  process.kill(still.pid, "SIGCONT")
  await vi.waitFor(() => expect(stub.batches.at(-1)?.cursor).toBe(1), 10_000)

  process.kill(still.pid, "SIGSTOP")
  stub.revoke({ kind: "task", value: newId("task") })
  await kill(still)
  await vi.waitFor(() => expect(stub.batches.at(-1)?.cursor).toBe(2), 10_000)
}, 60_000)

test("L10 a host that is killed whole and comes back with fewer workers tells what all of them had let happen", async () => {
  const before = await start(3)
  stub.setDown(true)
  const over = { now: false }
  const { answers, done } = load(before.workers(), over)
  await vi.waitFor(() => expect(answers.length).toBeGreaterThan(60), { timeout: 20_000, interval: 5 })
  await before.end()
  over.now = true
  await done
  stub.setDown(false)
  await start(1)
  await expectWhole()
  expect(handledIds().length).toBeGreaterThan(60)
}, 60_000)

describe("a proof of possession", () => {
  test("F07 that comes to two workers at once passes at one of them", async () => {
    const { workers } = await start(2)
    const key = importSigningKey(generatePrivateJwk("ES256"))
    const token = stub.mint({ jkt: key.thumbprint })
    const [one, other] = workers().map(({ own }) => own)
    for (let round = 0; round < 20; round++) {
      const now = Math.floor(Date.now() / 1000)
      const dpop = signProof({ method: "GET", url: `${API}/tickets/SUP-1042`, accessToken: token, now }, key)
      const headers = { authorization: `DPoP ${token}`, dpop }
      const answers = await Promise.all(
        [one, other, other, one].map((address) => fetch(`${address}/tickets/SUP-1042`, { headers })),
      )
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401])
    }
  }, 60_000)
})

describe("a second process that does not ask to share", () => {
  test("is refused, and told what to do", async () => {
    await start(1)
    await expect(createVerifier(optionsOf(stub.issuer, spoolPath()))).rejects.toThrow(
      /uses\.db is in use by another process: the processes of one host share a spool when each of them opens it with spool: \{ path, shared: true \}/,
    )
  }, 30_000)
})
