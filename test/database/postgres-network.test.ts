// Catalogue I19 on the engine: a network that is late, passes byte after byte, resets in the middle of an answer, drips, or
// accepts and passes nothing. Where it only takes longer, all is done; where no answer comes in time, all is refused, in
// bounded time. Afterwards nothing acknowledged is missing, and it heals by itself.
import { setTimeout as pause } from "node:timers/promises"
import { describe, expect, type TestContext, test, vi } from "vitest"
import { statement, Unavailable } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { createNames } from "../../src/database/names.ts"
import { openPostgres } from "../../src/database/postgres.ts"
import { createLedger } from "../../src/ledger/ledger.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { createDatabase } from "../support/postgres.ts"
import { type Manner, startProxy } from "../support/postgres-proxy.ts"

vi.setConfig({ testTimeout: 60_000 })

/** Once a server can be reached again. */
const HEALED_MILLISECONDS = 2000
/** Whoever asks is told after this at the latest: statements end in 5 seconds, connections in 6. */
const TOLD_MILLISECONDS = 9000

const places = statement<{ seq: number; resource: string }>(
  "places",
  sql`SELECT seq, resource FROM entry ORDER BY seq`,
)

/** Each test has its own, so that they can wait at the same time. */
async function openSite({ onTestFinished }: Pick<TestContext, "onTestFinished">) {
  const database = await createDatabase()
  const proxy = await startProxy(database.address)
  const engine = await openPostgres({ address: proxy.address })
  onTestFinished(async () => {
    proxy.pass("promptly")
    await engine.close()
    await proxy.close()
    await database.remove()
  })
  const ledger = await createLedger({ engine, names: createNames(engine), clock: createFakeClock() })
  const record = (resource: string) => ledger.append([{ kind: "use.allowed", at: ledger.at(), resource }])
  /** Everything in the ledger, in an order without gaps. */
  const stored = async () => {
    const rows = await engine.query(places)
    expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, at) => at + 1))
    return rows.map(({ resource }) => resource)
  }
  return { proxy, engine, record, stored }
}

/** What an asker is told, and how soon. */
async function told(asked: Promise<unknown>): Promise<unknown> {
  const since = performance.now()
  const answer = await asked.then(
    () => "done",
    (error: unknown) => error,
  )
  expect(performance.now() - since).toBeLessThan(TOLD_MILLISECONDS)
  return answer
}

describe.concurrent("I19 a network that takes longer", () => {
  const manners: readonly [string, Manner][] = [
    ["half a second for every answer", { lateMilliseconds: 250 }],
    ["byte after byte", { bytes: 1, everyMilliseconds: 0 }],
  ]
  test.for(manners)("%s: everything is done, in order", async ([, manner], context) => {
    const { proxy, record, stored } = await openSite(context)
    proxy.pass(manner)
    const names = Array.from({ length: 40 }, (_, at) => `use-${at}`)
    for (const name of names.slice(0, 2)) await record(name)
    await Promise.all(names.slice(2).map(record))
    expect(await stored()).toEqual(names)
  })
})

describe.concurrent("I19 a network on which no answer arrives", () => {
  const manners: readonly [string, Manner][] = [
    ["it drips", { bytes: 1, everyMilliseconds: 300 }],
    ["connections are reset in the middle of an answer", { answerBytes: 30 }],
    ["connections are accepted and nothing passes", "never"],
  ]
  test.for(manners)(
    "%s: all is refused in time, and healed at once afterwards",
    async ([, manner], context) => {
      const { proxy, engine, record, stored } = await openSite(context)
      await record("before")
      await stored()
      proxy.pass(manner)
      for (const answer of await Promise.all([told(record("first")), told(engine.query(places))]))
        expect(answer).toBeInstanceOf(Unavailable)
      expect(await told(record("second"))).toBeInstanceOf(Unavailable)

      proxy.pass("promptly")
      const since = performance.now()
      while ((await told(record("healed"))) !== "done") {
        expect(performance.now() - since).toBeLessThan(HEALED_MILLISECONDS)
        await pause(10)
      }
      expect(performance.now() - since).toBeLessThan(HEALED_MILLISECONDS)
      // What was refused may have been stored, where only the answer was lost; never twice.
      const found = await stored()
      expect(found.filter((one) => one === "before" || one === "healed")).toEqual(["before", "healed"])
      expect(new Set(found).size).toBe(found.length)
    },
  )
})
