// Catalogue I14 for the whole issuer: whatever it writes, when the commit fails, and when it takes place but its answer is
// lost. Nobody is given what is not recorded, whoever asks again gets what the first request would have got, and nothing
// is done twice.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { newUuid } from "../../src/token/id.ts"
import { signBatch, useBatch, useRecord } from "../support/batch.ts"
import { ASSERTION_TYPE, type CallerName, type House, openHouse, START } from "../support/issuer-house.ts"
import { createDatabase, type TestDatabase } from "../support/postgres.ts"
import { startProxy, type Wire } from "../support/postgres-proxy.ts"

interface Point {
  /** Makes what is needed before; answers the request, which is the same each time it is sent. */
  readonly prepare: () => Promise<() => Promise<number>>
  /** What whoever asks again is told, by the way the first time went. */
  readonly again: Readonly<Record<Way, number>>
  /** What the ledger tells of it, and how often in the end. */
  readonly kind: string
  readonly entries: Readonly<Record<Way, number>>
}

type Way = "failed" | "failed but stored"

let database: TestDatabase
let proxy: Wire
let house: House
beforeAll(async () => {
  database = await createDatabase()
  proxy = await startProxy(database.address)
  house = await openHouse({ database: proxy.address })
  // Whoever asks has its service token and was written down, and the policy is known to be in use.
  for (const as of ["support-orchestrator", "operations-team", "audit-team", "tickets"] as const)
    await house.call("GET", "/catalogue", { as })
  await startTask()
})
afterAll(async () => {
  await house.remove()
  await proxy.close()
  await database.remove()
})

const asking = (method: string, path: string, as: CallerName, json: unknown) => async (): Promise<number> =>
  (await house.ask(method, path, { as, json })).status
const startTask = async () => {
  const { body } = await house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
  return String(body.task_id)
}
const change =
  (path: string, json: unknown = {}) =>
  async () =>
    asking("POST", `/tasks/${await startTask()}/${path}`, "support-orchestrator", json)

/** One use by a verifier that reports for the first time. */
function reportOf(): () => Promise<number> {
  const now = house.clock.now()
  const batch = useBatch(now, { uses: [useRecord(now)] })
  const body = signBatch(batch, house.proofKeyOf("tickets"))
  const headers = { "content-type": "application/jwt" }
  return async () => (await house.call("POST", "/uses", { as: "tickets", headers, body })).status
}

/** An assertion is good once: whoever lost the answer makes another. Callers are written down once an hour. */
function authentication(): () => Promise<number> {
  house.clock.advance(3_600_000)
  const assertion = house.assertion("release-orchestrator")
  const form = {
    grant_type: "client_credentials",
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: assertion,
  }
  return async () => (await house.form(form)).status
}

const both = (status: number) => ({ failed: status, "failed but stored": status })
const POINTS: Readonly<Record<string, Point>> = {
  "a start with a reference": {
    prepare: async () =>
      asking("POST", "/tasks", "support-orchestrator", { ...START, reference: newUuid(house.clock.now()) }),
    again: { failed: 201, "failed but stored": 200 },
    kind: "task.started",
    entries: both(1),
  },
  "a renewal": {
    prepare: change("tokens"),
    again: both(200),
    kind: "token.renewed",
    // The ledger tells of a token that nobody received, never less than what was.
    entries: { failed: 1, "failed but stored": 2 },
  },
  "a task's end": {
    prepare: change("complete"),
    again: both(200),
    kind: "task.completed",
    entries: both(1),
  },
  "an order that ends a task": {
    prepare: async () => {
      const order = { kind: "task", value: await startTask(), reason: "drill" }
      return asking("POST", "/revocations", "operations-team", order)
    },
    again: both(201),
    kind: "token.revoked",
    entries: { failed: 1, "failed but stored": 2 },
  },
  "a report of uses": {
    prepare: async () => reportOf(),
    again: both(200),
    kind: "use.allowed",
    entries: both(1),
  },
  "a caller's authentication": {
    prepare: async () => authentication(),
    again: { failed: 200, "failed but stored": 401 },
    kind: "client.authenticated",
    entries: both(1),
  },
}

const cases = Object.entries(POINTS).flatMap(([what, point]) =>
  (["failed", "failed but stored"] as const).map((way) => ({ what, way, point })),
)

describe("I14 a commit whose answer never comes", () => {
  test.each(cases)(
    "$what, $way: 503, then as if it were the first time, and in the ledger as often as it was done",
    async ({ way, point }) => {
      const request = await point.prepare()
      const before = await entriesOf(point.kind)
      // Only the request's own: the issuer commits work of its own beside it, such as checkpoints.
      const met = proxy.atCommitOf(`"kind":"${point.kind}"`, async (held) => {
        if (way === "failed but stored") await held.deliver()
        held.cut()
      })
      expect(await request()).toBe(503)
      await met
      await vi.waitFor(async () => expect((await house.call("GET", "/readyz")).status).toBe(200), 2000)
      expect(await request()).toBe(point.again[way])
      expect((await entriesOf(point.kind)) - before).toBe(point.entries[way])
    },
  )
})

/** Read from the database, so that looking writes nothing. */
async function entriesOf(kind: string): Promise<number> {
  const [row] = await database.run(
    `SELECT count(*)::int AS count FROM entry JOIN name ON name.id = entry.kind WHERE name.text = '${kind}'`,
  )
  return Number(row?.count)
}
