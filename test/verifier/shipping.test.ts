// From the spool to the issuer: what is sent, when, how often, and what is never lost or changed.

import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { Unreachable } from "../../src/remote/exchange.ts"
import { type Instance, openInstance } from "../../src/spool/instance.ts"
import { createRecorder, type Recorder } from "../../src/spool/recorder.ts"
import { openSpool, type Spool } from "../../src/spool/spool.ts"
import { batchDigest, readUseBatch, type UseBatch, type UseRecord } from "../../src/token/batch.ts"
import { newId } from "../../src/token/id.ts"
import { Unreadable } from "../../src/token/jwt.ts"
import { publicHalf } from "../../src/token/signature.ts"
import { BatchRefused, createShipper } from "../../src/verifier/shipper.ts"
import { textOf } from "../support/batch.ts"
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts"
import { newFolder, removeFolder } from "../support/guarded-api.ts"
import { API } from "../support/issuer-stub.ts"
import { createSmallLog, heldIn, openWitnessOf, type SmallLog } from "../support/small-log.ts"

const ISSUER = "https://taskmint.internal"
let clock: FakeClock
let folder: string
let spool: Spool
let instance: Instance
let recorder: Recorder
/** Bodies in the order in which they came. */
let sent: string[]
let log: SmallLog
let limitBytes: number
/** Called when a batch is gone from the disk, before whoever released it knows. */
let released: () => void
let fails: "" | "away" | "lost answer" | "refused"

const openAll = async () => {
  const disk = await openSpool(join(folder, "uses.db"))
  spool = { ...disk, releaseBatch: (...given) => disk.releaseBatch(...given).then(() => released()) }
  instance = await openInstance(spool, clock.now())
  recorder = createRecorder({ spool, clock, limitBytes, recording: "write-ahead" })
  const witness = await openWitnessOf(log, spool)
  return createShipper({
    witness,
    issuer: ISSUER,
    clientId: "tickets",
    instance,
    spool,
    recorder,
    applied: { cursor: () => 12, appliedAt: () => clock.now() },
    clock,
    async calls({ body: bytes, headers }) {
      const body = textOf(bytes)
      if (fails === "away") throw new Unreachable("away")
      sent.push(body)
      if (fails === "lost answer") throw new Unreachable("lost")
      const acknowledged =
        fails === "refused" ? {} : { acknowledged: read(body).sequence, ...log.answer(body, heldIn(headers)) }
      return {
        status: fails === "refused" ? 409 : 200,
        headers: new Headers(),
        text: JSON.stringify(acknowledged),
      }
    },
  })
}
let shipper: Awaited<ReturnType<typeof openAll>>

beforeEach(async () => {
  clock = createFakeClock()
  folder = newFolder()
  sent = []
  fails = ""
  limitBytes = 1024 ** 3
  released = () => undefined
  log = createSmallLog()
  shipper = await openAll()
})
afterEach(async () => {
  await spool.close()
  removeFolder(folder)
})

function read(text: string): UseBatch {
  const result = readUseBatch(text, publicHalf(instance.key))
  if (result instanceof Unreadable) throw new Error(`${result.tag} ${result.member}`)
  return result.batch
}
const use = (changes: Partial<UseRecord> = {}): UseRecord => ({
  id: newId("use"),
  at: new Date(clock.now()).toISOString(),
  task: newId("task"),
  jti: newId("tok"),
  actor: "triage-bot/pod-1",
  client: "support-orchestrator",
  api: API,
  operation: "tickets:read",
  resource: ["tickets", "SUP-1042"],
  decision: "allowed",
  ...changes,
})
const allow = async (record: UseRecord, status?: number) => {
  const recorded = await recorder.allow(record)
  if (recorded instanceof Refusal) throw new Error(recorded.reason)
  if (status !== undefined) recorded.finished(status)
  return recorded
}
const restart = async () => {
  await spool.close()
  shipper = await openAll()
}

test("what is acknowledged holds no room any more", async () => {
  limitBytes = 4000
  await restart()
  const one = use()
  await allow(one, 200)
  const seq = recorder.lastSeq()
  expect(await recorder.allow(use({ task: one.task }))).toMatchObject({ reason: "task_share" })
  const seen: boolean[] = []
  released = () => seen.push(!spool.holdsThrough(seq), shipper.acknowledged(seq))
  await shipper.ship()
  expect([...seen, shipper.acknowledged(seq)]).toEqual([true, false, true])
  await allow(use({ task: one.task }))
})

describe("a batch", () => {
  test("is the instance's signed word, chained to the one before", async () => {
    await allow(use(), 200)
    await shipper.ship()
    await allow(use(), 404)
    await shipper.ship()
    const [first, second] = sent.map(read)
    expect(first).toMatchObject({
      iss: "tickets",
      aud: ISSUER,
      iat: Math.floor(clock.now() / 1000),
      instance: instance.id,
      sequence: 1,
      previous: null,
      cursor: 12,
      applied_at: new Date(clock.now()).toISOString(),
      checkpoint: log.note(1),
      final: false,
      uses: [{ status: 200, duration_ms: 0 }],
    })
    expect(second).toMatchObject({
      sequence: 2,
      previous: batchDigest(sent[0] ?? ""),
      uses: [{ status: 404 }],
    })
  })

  test("is sent again as the same bytes, by this process and the next, until it is acknowledged", async () => {
    await allow(use(), 200)
    fails = "lost answer"
    await expect(shipper.ship()).rejects.toBeInstanceOf(Unreachable)
    clock.advance(5000)
    await allow(use(), 200)
    await expect(shipper.ship()).rejects.toBeInstanceOf(Unreachable)
    await restart()
    fails = ""
    await shipper.ship()
    expect(sent.length).toBe(4)
    expect(new Set(sent.slice(0, 3)).size).toBe(1)
    expect(sent.map((text) => read(text).sequence)).toEqual([1, 1, 1, 2])
    expect(shipper.acknowledged(recorder.lastSeq())).toBe(true)
    await shipper.ship()
    expect(sent.length).toBe(4)
  })

  test("that the issuer will not take is kept, and never skipped", async () => {
    await allow(use(), 200)
    fails = "refused"
    await expect(shipper.ship()).rejects.toBeInstanceOf(BatchRefused)
    expect(shipper.acknowledged(recorder.lastSeq())).toBe(false)
    fails = ""
    await shipper.ship()
    expect(sent[1]).toBe(sent[0])
  })

  test("of many uses stays below the issuer's limit, and none is missing", async () => {
    const all = Array.from({ length: 1500 }, () =>
      use({ task: newId("task"), route: `/tickets/${"x".repeat(300)}` }),
    )
    for (const one of await Promise.all(all.map((each) => recorder.allow(each))))
      if (one instanceof Refusal) throw new Error(one.reason)
    await restart()
    await shipper.ship()
    expect(sent.length).toBeGreaterThan(1)
    expect(Math.max(...sent.map((text) => text.length))).toBeLessThan(1024 ** 2)
    expect(sent.flatMap((text) => read(text).uses.map((one) => one.id))).toEqual(all.map((one) => one.id))
  })
})

test("L14 while the issuer is away, uses and outcomes rest on disk, sealed; none is lost, none sent twice", async () => {
  fails = "away"
  const wide = async (count: number) => {
    const all = Array.from({ length: count }, () => use())
    await Promise.all(all.map((one) => allow(one, 200)))
    return all.map((one) => one.id)
  }
  const ids = await wide(6000)
  await expect(shipper.ship()).rejects.toBeInstanceOf(Unreachable)
  await restart()
  ids.push(...(await wide(10)))
  fails = ""
  await shipper.ship()
  const uses = sent.flatMap((text) => read(text).uses)
  expect(uses.map((one) => one.id)).toEqual(ids)
  expect(sent.map((text) => read(text).sequence)).toEqual(sent.map((_, at) => at + 1))
})

describe("a use whose handler is busy", () => {
  test("waits for its outcome, and holds up nobody", async () => {
    const slow = use()
    const recorded = await allow(slow)
    const quick = use()
    await allow(quick, 200)
    await shipper.ship()
    expect(sent.flatMap((text) => read(text).uses.map((one) => one.id))).toEqual([quick.id])
    clock.advance(9000)
    recorded.finished(503)
    await shipper.ship()
    expect(read(sent[1] ?? "").uses).toMatchObject([{ id: slow.id, status: 503, duration_ms: 9000 }])
  })

  test("holds up nobody where it is one of hundreds", async () => {
    await Promise.all(Array.from({ length: 600 }, () => allow(use())))
    const quick = use()
    await allow(quick, 200)
    await shipper.ship()
    expect(sent.flatMap((text) => read(text).uses.map((one) => one.id))).toEqual([quick.id])
  })

  test("goes without it after ten seconds, and when its process died", async () => {
    await allow(use())
    clock.advance(10_000)
    await shipper.ship()
    await allow(use())
    await restart()
    await shipper.ship()
    for (const text of sent) expect(read(text).uses[0]).not.toHaveProperty("status")
    expect(sent.length).toBe(2)
  })
})

describe("without uses", () => {
  test("a heartbeat goes within ten seconds, and a last word at the end", async () => {
    await shipper.ship()
    clock.advance(8999)
    await shipper.ship()
    expect(sent.length).toBe(1)
    clock.advance(1)
    await shipper.ship()
    await shipper.finish()
    expect(sent.map(read)).toMatchObject([
      { sequence: 1, uses: [], final: false },
      { sequence: 2, uses: [], final: false },
      { sequence: 3, uses: [], final: true },
    ])
  })
})

describe("refusals of one token", () => {
  const refused = (jti: string) => use({ jti, decision: "refused", code: "token_expired", status: 401 })

  test("above ten in a second are one record with their count", async () => {
    const jti = newId("tok")
    for (let at = 0; at < 500; at++) recorder.refuse(refused(jti))
    recorder.refuse(refused(newId("tok")))
    clock.advance(1000)
    recorder.refuse(refused(jti))
    recorder.unfold()
    await recorder.settled()
    await shipper.ship()
    const uses = sent.flatMap((text) => read(text).uses)
    const counts = uses.filter((one) => one.jti === jti).map((one) => one.count ?? 1)
    expect(counts.length).toBe(12)
    expect(counts.reduce((a, b) => a + b)).toBe(501)
    expect(Math.max(...counts)).toBe(490)
  })

  test("that find no room are dropped and counted; the refusal stands", async () => {
    const small = createRecorder({ spool, clock, limitBytes: 10, recording: "write-ahead" })
    small.refuse(refused(newId("tok")))
    small.refuse(refused(newId("tok")))
    await small.settled()
    expect(small.dropped()).toBe(1)
  })
})
