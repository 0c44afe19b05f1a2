// A server that waits for a standby with every commit: whoever is told "done" has it on both.
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { Unavailable } from "../../src/database/database.ts"
import { createNames } from "../../src/database/names.ts"
import { openPostgres } from "../../src/database/postgres.ts"
import { createLedger } from "../../src/ledger/ledger.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { createDatabase, type TestDatabase } from "../support/postgres.ts"
import { type PostgresServer, startPostgres } from "../support/postgres-server.ts"

vi.setConfig({ testTimeout: 60_000 })

const WAITING = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"

let server: PostgresServer
let database: TestDatabase
beforeAll(async () => {
  server = await startPostgres()
  database = await createDatabase(server.address)
})
afterAll(() => server.remove()) // and its database with it

/** Servers read their settings again in their own time. */
async function waitFor(standbys: string): Promise<void> {
  await database.run(`ALTER SYSTEM SET synchronous_standby_names TO '${standbys}'`)
  await database.run("SELECT pg_reload_conf()")
  const shown = async () => (await database.run("SHOW synchronous_standby_names"))[0]
  await vi.waitFor(async () => expect(await shown()).toEqual({ synchronous_standby_names: standbys }), 5000)
}

test("I14 a commit that is called off while it waits for the standby is acknowledged to nobody", async () => {
  const engine = await openPostgres({ address: database.address })
  const ledger = await createLedger({ engine, names: createNames(engine), clock: createFakeClock() })
  const record = () => ledger.append([{ kind: "use.allowed", at: ledger.at() }])
  await record()
  await waitFor("away")
  const told = record().catch((error: unknown) => error)
  await vi.waitFor(async () => expect(await database.run(`SELECT pid ${WAITING}`)).toHaveLength(1), 5000)
  await database.run(`SELECT pg_cancel_backend(pid) ${WAITING}`)
  expect(await told).toBeInstanceOf(Unavailable)
  await waitFor("")
  await vi.waitFor(record, 5000)
  await engine.close()
})
