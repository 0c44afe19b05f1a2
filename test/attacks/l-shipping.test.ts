// Catalogue L, reports of uses under faults: an issuer that refuses, fails or answers into nothing, against the real shipper
// and a real issuer. What is held: each use stands in the ledger exactly once, in its order, and nobody's holds up another's.

import { join } from "node:path"
import { describe, expect, onTestFinished, test, vi } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { type Answered, Unreachable } from "../../src/remote/exchange.ts"
import type { IssuerCalls } from "../../src/remote/issuer-calls.ts"
import { createRecorder } from "../../src/spool/recorder.ts"
import { openSpool } from "../../src/spool/spool.ts"
import type { UseRecord } from "../../src/token/batch.ts"
import { newId, newUuid } from "../../src/token/id.ts"
import { BatchRefused, createShipper } from "../../src/verifier/shipper.ts"
import { openWitness } from "../../src/verifier/witness.ts"
import { textOf } from "../support/batch.ts"
import { createFolders } from "../support/folder.ts"
import { type CallerName, type House, ISSUER, openHouse } from "../support/issuer-house.ts"

vi.setConfig({ testTimeout: 120_000 })

const newFolder = createFolders()
const RESOURCES = {
  tickets: "https://tickets.internal.example",
  deployments: "https://deployments.internal.example",
} as const
const ADDRESS = { issuer: ISSUER, issuerAddress: ISSUER }
type Api = keyof typeof RESOURCES & CallerName

async function open(): Promise<House> {
  const house = await openHouse()
  onTestFinished(() => house.remove())
  return house
}

/** What becomes of one sending: an answer instead of the issuer's, or its own, or that one lost on the way back. */
type Fate = "delivered" | "lost answer" | "away" | number

/** One instance of an API's verifier, from its recorder to the issuer, with what a test makes of the way between. */
async function openInstance(house: House, api: Api, fate: () => Fate) {
  const path = join(newFolder(), "uses.db")
  const instance = { id: newUuid(house.clock.now()), key: house.proofKeyOf(api) }
  const sent: string[] = []
  const metadata = await house.ask("GET", "/.well-known/oauth-authorization-server")
  const { ledger_key: ledgerKey } = metadata.body as { ledger_key: string }
  const calls: IssuerCalls = async ({ method, path: at, headers = {}, body: bytes }) => {
    const now = fate()
    const body = textOf(bytes)
    sent.push(body)
    if (now === "away") throw new Unreachable("away")
    if (typeof now === "number") return answered(new Response("{}", { status: now }))
    const answer = await answered(await house.call(method, at, { as: api, headers, body }))
    if (now === "lost answer") throw new Unreachable("the answer was lost")
    return answer
  }
  const openAll = async () => {
    const spool = await openSpool(path)
    const recorder = createRecorder({
      spool,
      clock: house.clock,
      limitBytes: 1024 ** 3,
      recording: "write-ahead",
    })
    const { clock } = house
    const witness = await openWitness({ ...ADDRESS, spool, ledgerKey, clock, found: () => undefined })
    const options = { issuer: ISSUER, clientId: api, instance, spool, recorder, calls, clock, witness }
    const shipper = createShipper({ ...options, applied: { cursor: () => 0, appliedAt: () => 0 } })
    return { spool, recorder, shipper }
  }
  let parts = await openAll()
  onTestFinished(() => parts.spool.close())
  return {
    sent,
    ship: () => parts.shipper.ship(),
    /** Records one use of a handler that is done; answers its id. */
    async use(changes: Partial<UseRecord> = {}): Promise<string> {
      const use = useOf(house, api, changes)
      const recorded = await parts.recorder.allow(use)
      if (recorded instanceof Refusal) throw new Error(recorded.reason)
      recorded.finished(200)
      return use.id
    },
    /** Its process dies and is started again. */
    async restart() {
      await parts.spool.close()
      parts = await openAll()
    },
  }
}

async function answered(response: Response): Promise<Answered> {
  // As the calls of a verifier do: these are no answers.
  if (response.status >= 500 || response.status === 429) throw new Unreachable(`answered ${response.status}`)
  return { status: response.status, headers: response.headers, text: await response.text() }
}

const useOf = (house: House, api: Api, changes: Partial<UseRecord> = {}): UseRecord => ({
  id: newId("use"),
  at: new Date(house.clock.now()).toISOString(),
  task: newId("task"),
  jti: newId("tok"),
  actor: "triage-bot/pod-1",
  client: "support-orchestrator",
  api: RESOURCES[api],
  operation: `${api}:read`,
  resource: ["things", "1"],
  decision: "allowed",
  ...changes,
})

/** The uses in the ledger, in their order, by their own ids; only of one API where it is named. */
async function usesOf(house: House, api?: string): Promise<string[]> {
  const found: string[] = []
  const filter = api === undefined ? "" : `&api=${api}`
  for (let after = ""; ; ) {
    const path = `/ledger/entries?kind=use.allowed&limit=1000${filter}${after}`
    const { entries, next } = (await house.ask("GET", path, { as: "audit-team" })).body as {
      entries: { body: { use: string } }[]
      next: string | null
    }
    found.push(...entries.map(({ body }) => body.use))
    if (next === null) return found
    after = `&after=${next}`
  }
}

describe("L13 an issuer that will not have a batch", () => {
  test.each<[string, Fate]>([
    ["413", 413],
    ["400", 400],
    ["401", 401],
    ["409", 409],
    ["500", 500],
    ["429", 429],
    ["no answer", "away"],
    ["an answer that is lost after it was taken in", "lost answer"],
  ])(
    "L13 %s: kept, sent again as the same bytes, also after a restart, and taken in once",
    async (_, fate) => {
      const house = await open()
      let now = fate
      const instance = await openInstance(house, "tickets", () => now)
      const ids = [await instance.use(), await instance.use()]
      const refused = typeof fate === "number" && fate < 500 && fate !== 429 ? BatchRefused : Unreachable
      for (let attempt = 0; attempt < 3; attempt++)
        await expect(instance.ship()).rejects.toBeInstanceOf(refused)
      ids.push(await instance.use())
      await instance.restart()
      await expect(instance.ship()).rejects.toBeInstanceOf(refused)
      expect(new Set(instance.sent).size).toBe(1)
      now = "delivered"
      await instance.ship()
      expect(await usesOf(house)).toEqual(ids)
      expect(new Set(instance.sent).size).toBe(2)
    },
  )

  test("L13 holds up nobody but that instance: another of the same API and one of another API go on", async () => {
    const house = await open()
    const stuck = await openInstance(house, "tickets", () => 400)
    const beside = await openInstance(house, "tickets", () => "delivered")
    const elsewhere = await openInstance(house, "deployments", () => "delivered")
    await stuck.use()
    const theirs = [await beside.use(), await elsewhere.use()]
    await expect(stuck.ship()).rejects.toBeInstanceOf(BatchRefused)
    await beside.ship()
    await elsewhere.ship()
    expect(await usesOf(house)).toEqual(theirs)
  })
})

/** Instances at the same time, rounds, answers lost for each batch. The catalogue's 10,000 take a minute and a half. */
const [INSTANCES, ROUNDS, LOST_EACH] = [10, 5, 8]

test(`L15 ${INSTANCES * ROUNDS * LOST_EACH} lost answers: each use stands in the ledger once, in order, whatever dies in between`, async () => {
  const house = await open()
  let lost = 0
  const fleet = await Promise.all(
    Array.from({ length: INSTANCES }, async () => {
      const fates: Fate[] = []
      const instance = await openInstance(house, "tickets", () => fates.pop() ?? "delivered")
      return { ...instance, fates, ids: [] as string[] }
    }),
  )
  const loseAll = async ({ use, ship, fates, ids }: (typeof fleet)[number], count: number) => {
    for (let more = 0; more < count; more++) ids.push(await use())
    fates.push(...Array<Fate>(LOST_EACH).fill("lost answer"))
    while (fates.length > 0) {
      await expect(ship()).rejects.toBeInstanceOf(Unreachable)
      lost++
    }
  }
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(fleet.map((one) => loseAll(one, 1 + (round % 3))))
    await house.restart()
    await Promise.all(fleet.map((one) => one.restart()))
    await Promise.all(fleet.map((one) => one.ship()))
  }
  expect(lost).toBe(INSTANCES * ROUNDS * LOST_EACH)
  const stored = await usesOf(house)
  expect(stored).toHaveLength(fleet.flatMap((one) => one.ids).length)
  for (const { ids } of fleet) expect(stored.filter((id) => ids.includes(id))).toEqual(ids)
  const { body } = await house.ask("GET", "/ledger/entries?kind=alarm.raised", { as: "audit-team" })
  const codes = new Set((body.entries as { code: string }[]).map(({ code }) => code))
  expect([...codes]).toEqual(["use_of_unknown_token"]) // they have no task here; none is about a batch
})
