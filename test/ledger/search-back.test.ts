// Entries are found from the newest back, a page at a time, and a page that looked far enough says so.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Engine } from "../../src/database/database.ts"
import { createNames } from "../../src/database/names.ts"
import { openDatabase } from "../../src/database/open.ts"
import { createLedger } from "../../src/ledger/ledger.ts"
import type { EntryFilter } from "../../src/ledger/search.ts"
import { findBack } from "../../src/ledger/search-back.ts"
import { testPlace } from "../support/engine.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { createFolders } from "../support/folder.ts"

const newFolder = createFolders()
const ENTRIES = 60
const MINUTE = 60_000

let engine: Engine
let began: number
beforeAll(async () => {
  engine = await openDatabase((await testPlace(newFolder())).place)
  const clock = createFakeClock()
  began = clock.now()
  const ledger = await createLedger({ engine, names: createNames(engine), clock })
  await ledger.append(
    Array.from({ length: ENTRIES }, (_each, place) => ({
      kind: "client.authenticated" as const,
      at: began + place * MINUTE,
      agent: place % 10 === 0 ? "rare" : "usual",
      ...(place === 5 && { outcome: "refused" as const, code: "locked" }),
    })),
  )
})
afterAll(() => engine.close())

const seqs = async (filter: EntryFilter, below?: number, limit = 10, window = 7, looked = 21) => {
  const { entries, next, further } = await findBack(engine, filter, { below, limit, looked }, window)
  return { seqs: entries.map(({ seq }) => seq), next, further }
}

describe("looking back", () => {
  test("begins with the newest and goes on where it stopped, to the first", async () => {
    const seen: number[] = []
    for (let below: number | undefined; ; ) {
      const page = await seqs({}, below)
      seen.push(...page.seqs)
      if (page.next === null) break
      below = page.next
    }
    expect(seen).toEqual(Array.from({ length: ENTRIES }, (_each, place) => ENTRIES - place))
  })

  test("of what is rare looks so far, says so, and the next page goes on behind what was looked at", async () => {
    expect(await seqs({ agent: "rare" })).toEqual({ seqs: [51, 41], next: 40, further: true })
    expect(await seqs({ agent: "rare" }, 40)).toEqual({ seqs: [31, 21], next: 19, further: true })
    expect(await seqs({ agent: "rare" }, 19)).toEqual({ seqs: [11, 1], next: null, further: false })
  })

  test("of what is not there ends", async () => {
    expect(await seqs({ agent: "nobody" }, 22)).toEqual({ seqs: [], next: null, further: false })
    expect(await seqs({ task: "task_nobody" })).toEqual({ seqs: [], next: null, further: false })
  })

  test("finds by code", async () => {
    expect((await seqs({ code: "locked" }, 20)).seqs).toEqual([6])
  })

  test.each([
    ["from", { from: 55 }, [60, 59, 58, 57, 56]],
    ["to", { to: 3 }, [3, 2, 1]],
    ["both", { from: 20, to: 23 }, [23, 22, 21]],
    ["an hour that is not there", { from: 1000 }, []],
    ["an hour before all", { to: -1 }, []],
  ])(
    "by time (%s) looks at no other part of the ledger",
    async (_what, { from, to }: { from?: number; to?: number }, found) => {
      const times = {
        ...(from !== undefined && { from: began + from * MINUTE }),
        ...(to !== undefined && { to: began + to * MINUTE }),
      }
      expect(await seqs(times, undefined, 10, 7, 8)).toMatchObject({ seqs: found, next: null })
    },
  )
})
