// Several that share one spool are one instance to the issuer: one chain, every use once, one that sends; and what they say
// of revocations and of room is true of all of them.
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { bytesOf, readGroup, textOf } from "../../src/spool/group-row.ts"
import { openSharedSpool } from "../../src/spool/sharing.ts"
import { openSpool } from "../../src/spool/spool.ts"
import type { RevocationItem } from "../../src/token/revocation.ts"
import { createSharedSpool, type Member, type SharedSpool, useOf } from "../support/shared-spool.ts"

let shared: SharedSpool
let one: Member
let other: Member
beforeEach(async () => {
  shared = createSharedSpool()
  one = await shared.join()
  other = await shared.join()
})
afterEach(() => shared.remove())

const several = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)

describe("one instance", () => {
  test("whoever opens the spool first: the same id and key, and the same key of nonces", () => {
    expect(other.instance.id).toBe(one.instance.id)
    expect(other.instance.key.thumbprint).toBe(one.instance.key.thumbprint)
    expect(one.spool.kept("nonces")).toMatch(/^[\w-]{43}$/)
    expect(other.spool.kept("nonces")).toBe(one.spool.kept("nonces"))
  })

  test("one sends for all, with the outcomes that each of them knows", async () => {
    await one.shipper.ship()
    const first = await one.use({}, 201)
    const second = await other.use({}, 202)
    await other.shipper.ship()
    expect(other.shipper.acknowledged(other.recorder.lastSeq())).toBe(false)
    expect(shared.usesSent()).toEqual([])
    await one.shipper.ship()
    expect(shared.batches.flatMap((batch) => batch.uses)).toMatchObject([
      { id: second, status: 202 },
      { id: first, status: 201 },
    ])
    expect([one, other].map(({ shipper, recorder }) => shipper.acknowledged(recorder.lastSeq()))).toEqual([
      true,
      true,
    ])
    expect(shared.broken()).toEqual([])
  })

  test("batches that are made at once follow each other, and no use is missing or there twice", async () => {
    await one.shipper.ship()
    const members = [one, other, await shared.join(), await shared.join()]
    const ids: string[] = []
    for (let round = 0; round < 10; round++) {
      await Promise.all(members.flatMap((each) => several(5, async () => ids.push(await each.use()))))
      await Promise.all(members.map(({ shipper }) => shipper.ship()))
    }
    await one.shipper.ship()
    for (const { shipper } of members) await shipper.ship()
    await one.shipper.ship()
    expect(shared.usesSent().sort()).toEqual(ids.sort())
    expect(shared.broken()).toEqual([])
  })

  test("a proof passes once in all of them", async () => {
    const members = [one, other, one, other]
    const passed = await Promise.all(members.map(({ spool }) => spool.claimProof("digest", 2_000_000_000)))
    expect(passed.filter(Boolean)).toHaveLength(1)
  })

  test("heartbeats come from one of them", async () => {
    for (let round = 0; round < 4; round++) {
      for (const { shipper } of [one, other]) await shipper.ship()
      shared.clock.advance(10_000)
    }
    expect(shared.batches).toHaveLength(4)
  })
})

test("L14 while the issuer is away, outcomes of each go to the disk; afterwards every use is told once, with its own", async () => {
  await one.shipper.ship()
  shared.issuer.away = true
  const ids = (await Promise.all(several(5500, () => other.use({}, 204)))).concat(
    await Promise.all(several(5500, () => one.use({}, 204))),
  )
  await other.shipper.ship()
  await one.shipper.ship().catch(() => undefined)
  expect([one, other].map(({ recorder }) => recorder.openUses() <= 5000)).toEqual([true, true])
  shared.issuer.away = false
  while (!other.shipper.acknowledged(other.recorder.lastSeq()))
    for (const { shipper } of [other, one]) await shipper.ship()
  const uses = shared.batches.flatMap((batch) => batch.uses)
  expect(uses.map(({ id }) => id).sort()).toEqual(ids.sort())
  expect(uses.filter(({ status }) => status !== 204)).toEqual([])
  expect(shared.broken()).toEqual([])
}, 30_000)

describe("one that is gone", () => {
  test("leaves the sending to another, and what it left is sent once, without outcome", async () => {
    await one.shipper.ship()
    const left = await one.use()
    await one.close()
    shared.clock.advance(1000)
    await other.shipper.ship()
    const uses = shared.batches.flatMap((batch) => batch.uses)
    expect(uses.map((use) => use.id)).toEqual([left])
    expect(uses[0]).not.toHaveProperty("status")
    expect(shared.broken()).toEqual([])
  })

  test("is followed by one that takes its place and finds its uses", async () => {
    await one.shipper.ship()
    const left = await other.use()
    await other.close()
    const next = await shared.join()
    expect(next.recorder.lastSeq()).toBeGreaterThan(2 ** 45)
    const fresh = await next.use()
    await next.shipper.ship()
    await one.shipper.ship()
    expect(shared.usesSent()).toEqual([left, fresh])
  })

  test("is found by one that has the spool for itself, with all that it left", async () => {
    const left = [await one.use(), await other.use()]
    await one.close()
    await other.close()
    const alone = await openSpool(shared.path)
    const found = alone.oldestUses(10).flatMap(readGroup)
    expect(found.map((use) => JSON.parse(textOf(use)).id)).toEqual(left)
    expect([alone.holdsThrough(alone.highestSeq()), alone.highestSeq()]).toEqual([true, found.at(-1)?.seq])
    await alone.close()
  })
})

describe("the last word", () => {
  test.each([
    ["the one that sends", () => [one, other]],
    ["the one that does not", () => [other, one]],
  ])("comes from the last of them when %s closes first", async (_, inOrder) => {
    await one.shipper.ship()
    const ids: string[] = []
    const [first, last] = inOrder()
    for (const each of [first, last]) ids.push(await (each?.use({}, undefined) ?? ""))
    for (const each of [first, last]) {
      each?.shipper.waitForOutcomes(0)
      await each?.shipper.finish()
      await each?.close()
    }
    expect(shared.usesSent().sort()).toEqual(ids.sort())
    expect(shared.batches.map(({ final }) => final).filter(Boolean)).toEqual([true])
    expect(shared.batches.at(-1)).toMatchObject({ final: true, uses: [] })
    expect(shared.broken()).toEqual([])
  })

  test("is said once where all close at the same time, and nothing is left", async () => {
    await one.shipper.ship()
    const members = [one, other, await shared.join(), await shared.join()]
    const ids = await Promise.all(members.map((each) => each.use()))
    await Promise.all(members.map(({ shipper, close }) => shipper.finish().then(close)))
    expect(shared.usesSent().sort()).toEqual(ids.sort())
    expect(shared.batches.filter(({ final }) => final)).toHaveLength(1)
  })
})

describe("what is said of revocations", () => {
  const item = (cursor: number): RevocationItem => ({
    cursor,
    kind: "task",
    value: `task_${cursor}`,
    before: 1,
    until: 2_000_000_000,
    code: "task_ended",
  })
  const reach = ({ spool }: Member, cursor: number, at = cursor) =>
    spool.addRevocations([item(cursor)], JSON.stringify({ cursor, reachedAt: at * 1000, appliedAt: 5 }))
  const told = async () => {
    shared.clock.advance(10_000)
    await one.shipper.ship()
    const { cursor, applied_at: at } = shared.batches.at(-1) ?? {}
    return [cursor, at && Date.parse(at) / 1000]
  }

  test("is what the least of them has applied, and since when all have", async () => {
    await reach(one, 7, 100)
    expect(await told()).toEqual([0, null])
    await reach(other, 5, 200)
    expect(await told()).toEqual([5, 200])
    await reach(other, 7, 300)
    expect(await told()).toEqual([7, 300])
  })

  test("does not wait for one that is gone", async () => {
    await reach(one, 7)
    await other.close()
    expect(await told()).toEqual([7, 7])
  })

  test("holds for one that joins: it knows what any other was told, and the feed never goes back", async () => {
    await reach(one, 7)
    await reach(other, 5)
    const third = await shared.join()
    expect(JSON.parse(third.spool.kept("feed") ?? "").cursor).toBe(7)
    expect([...third.spool.revocations()].map(({ cursor }) => cursor).sort()).toEqual([5, 7])
    expect(await told()).toEqual([5, 5])
    await reach(other, 7, 8)
    expect(await told()).toEqual([7, 8])
  })

  test("holds for every batch, also when another process makes it", async () => {
    await reach(one, 7)
    await one.shipper.ship()
    await other.use()
    await other.shipper.ship()
    await one.use()
    await one.shipper.ship()
    expect(shared.batches.map(({ cursor }) => cursor)).toEqual([0, 0, 0])
  })
})

describe("room", () => {
  /** Of one that helpers make, as it is counted. */
  const BYTES_OF_USE = bytesOf({ task: "", text: "" }, JSON.stringify(useOf()))

  test("for one task is a tenth of each part", async () => {
    const limit = 200_000
    const members = [await shared.join(limit), await shared.join(limit)]
    await one.close()
    await other.close()
    shared.issuer.away = true
    for (const { shipper } of members) await shipper.ship().catch(() => undefined)
    const { task } = useOf()
    let count = 0
    for (const member of members) while ((await member.use({ task })) !== "task_share") count++
    expect(count).toBeGreaterThan(10)
    expect(count).toBeLessThanOrEqual(limit / 10 / BYTES_OF_USE + 2)
    expect(await members[0]?.use()).toMatch(/^use_/)
  })

  test("is divided, and given back when another process has sent", async () => {
    const limit = 40_000
    const members = [await shared.join(limit), await shared.join(limit)]
    await one.close()
    await other.close()
    shared.issuer.away = true
    for (const { shipper } of members) await shipper.ship().catch(() => undefined)
    const fill = async (member: Member) => {
      let count = 0
      while (!(await member.use()).includes("spool")) count++
      return count
    }
    const [first = 0, second = 0] = [await fill(members[0] as Member), await fill(members[1] as Member)]
    expect(first).toBeGreaterThan(10)
    expect(Math.abs(first - second)).toBeLessThanOrEqual(1)
    expect(first + second).toBeLessThanOrEqual(limit / BYTES_OF_USE + 2)
    shared.issuer.away = false
    for (let round = 0; round < 2; round++) for (const { shipper } of members) await shipper.ship()
    expect(members.map(({ recorder }) => recorder.full())).toEqual([false, false])
    expect(shared.usesSent()).toHaveLength(first + second)
  })
})

describe("who may share", () => {
  test("those of one API only", async () => {
    await expect(openSharedSpool(shared.path, "wiki")).rejects.toThrow(/another API, issuer or client id/)
    await one.close()
    await other.close()
    const wiki = await openSharedSpool(shared.path, "wiki")
    await wiki.spool.close()
  })

  test("nobody with one that has the spool for itself", async () => {
    await expect(openSpool(shared.path)).rejects.toThrow(
      /in use by another process: .* spool: \{ path, shared: true \}/,
    )
  })
})
