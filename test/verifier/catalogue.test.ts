// How old the knowledge of revocations may be, by risk, as the issuer says and never wider than the contract.
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { openSpool, type Spool } from "../../src/spool/spool.ts"
import { createCatalogue } from "../../src/verifier/catalogue.ts"
import { newFolder, removeFolder } from "../support/guarded-api.ts"

let folder: string
let spool: Spool
let answer: unknown
beforeEach(async () => {
  folder = newFolder()
  spool = await openSpool(join(folder, "uses.db"))
})
afterEach(async () => {
  await spool.close()
  removeFolder(folder)
})
const create = () =>
  createCatalogue({
    resource: "https://tickets.example",
    spool,
    calls: async () => ({ status: 200, headers: new Headers(), text: JSON.stringify(answer) }),
  })
const operations = ["low", "moderate", "high"].map((risk) => ({ operation: `t:${risk}`, risk }))
const limits = (of: ReturnType<typeof create>) =>
  ["t:low", "t:moderate", "t:high", "t:unknown"].map(of.stalenessLimit)

test("before it is known, everything is of high risk", () => {
  expect(limits(create())).toEqual([30_000, 30_000, 30_000, 30_000])
})

test("the issuer may tighten the bounds, and a restart knows them", async () => {
  answer = { operations, staleness_seconds: { high: 5, moderate: 60, low: null } }
  const catalogue = create()
  await catalogue.refresh()
  expect(limits(catalogue)).toEqual([Number.POSITIVE_INFINITY, 60_000, 5000, 5000])
  expect(limits(create())).toEqual([Number.POSITIVE_INFINITY, 60_000, 5000, 5000])
})

test.each([{ high: 3600, moderate: 86_400 }, { high: -1, moderate: "x" }, undefined])(
  "never widen them: %j",
  async (staleness_seconds) => {
    answer = { operations, staleness_seconds }
    const catalogue = create()
    await catalogue.refresh()
    expect(limits(catalogue)).toEqual([Number.POSITIVE_INFINITY, 300_000, 30_000, 30_000])
  },
)

test.each([[[]], [{}], [{ operations: [{ operation: 1 }] }], ["x"]])(
  "what is no catalogue changes nothing: %j",
  async (wrong) => {
    answer = { operations, staleness_seconds: { high: 5, moderate: 60 } }
    const catalogue = create()
    await catalogue.refresh()
    answer = wrong
    await expect(catalogue.refresh()).rejects.toThrow(/no catalogue/)
    expect(limits(catalogue)).toEqual([Number.POSITIVE_INFINITY, 60_000, 5000, 5000])
  },
)

test.each([
  ["https://tickets.example", undefined],
  ["https://ticket.example", /has this API as https:\/\/ticket\.example, .*for https:\/\/tickets\.example/],
  [undefined, undefined],
])("a policy that has this API as %s is told of once it is known", async (resource, expected) => {
  answer = { resource, operations, staleness_seconds: {} }
  const catalogue = create()
  expect(catalogue.complaint()).toBeUndefined()
  await catalogue.refresh()
  if (expected) expect(catalogue.complaint()).toMatch(expected)
  else expect(catalogue.complaint()).toBeUndefined()
})
