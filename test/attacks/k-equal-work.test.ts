// Catalogue K16: how long a refusal takes tells nothing. Whether a task is somebody else's or nowhere costs the database the
// same questions, counted and not timed; secrets that are compared are compared in constant time.
import crypto from "node:crypto"
import { syncBuiltinESMExports } from "node:module"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { routeOf } from "../../src/cli/session-route.ts"
import type { Engine } from "../../src/database/database.ts"
import { openDatabase } from "../../src/database/open.ts"
import { createNonces } from "../../src/verifier/nonce.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { type House, openHouse, START } from "../support/issuer-house.ts"
import { type Asked, emptyBody, lineWith, surfaceOf } from "../support/surface.ts"

const as = "support-orchestrator"
const stranger = "release-orchestrator"
const UUID = "01a2015d-9a60-7bc1-8d89-654aa2e41021"
let house: House
let surface: Asked[]
/** Names of the statements that were run, in their order. */
const run: string[] = []
const ids: Record<string, { readonly there: string; readonly nowhere: string }> = {}

const watched = (engine: Engine): Engine => ({
  query: (statement, values) => {
    run.push(statement.name)
    return engine.query(statement, values)
  },
  atomically: (steps) => {
    run.push(...steps.map(({ statement }) => statement.name))
    return engine.atomically(steps)
  },
  hearOthers: (listener) => engine.hearOthers(listener),
  scrub: () => engine.scrub(),
  close: () => engine.close(),
  broken: engine.broken,
})

beforeAll(async () => {
  house = await openHouse()
  await house.issuer.close()
  await house.restart({ database: watched(await openDatabase(house.database)) })
  surface = await surfaceOf(house)
  const { body } = await house.ask("POST", "/tasks", { as, json: START })
  const task = String(body.task_id)
  const json = { task_id: task, operation: "tickets:close", resource: "tickets/SUP-1042", reason: "Solved" }
  const approval = await house.ask("POST", "/approvals", { as, json })
  ids.tasks = { there: task, nowhere: `task_${UUID}` }
  ids.approvals = { there: String(approval.body.id), nowhere: `apr_${UUID}` }
})
afterAll(() => house.remove())

async function workOf(one: Asked, id: string): Promise<readonly string[]> {
  const [given] = one.parameters
  const line = given ? lineWith(one, given, id) : one.path
  await house.call(one.method, line, { as: stranger, ...emptyBody(one) }) // what is asked once is known by now
  run.length = 0
  await house.call(one.method, line, { as: stranger, ...emptyBody(one) })
  return [...run]
}

test("K16 what is another's costs the same questions as what is nowhere", async () => {
  let asked = 0
  for (const one of surface.filter(({ path }) => /^\/(tasks|approvals)\/\{id\}/.test(path))) {
    const known = ids[one.path.split("/")[1] ?? ""]
    const [there, nowhere] = [await workOf(one, known?.there ?? ""), await workOf(one, known?.nowhere ?? "")]
    expect(there, `${one.method} ${one.path}`).toEqual(nowhere)
    asked += there.length
  }
  expect(asked, "something was asked").toBeGreaterThan(5)
})

test("K16 and its own costs more, so that the count is one", async () => {
  run.length = 0
  await house.call("GET", `/tasks/${ids.tasks?.there}`, { as })
  expect(run.length).toBeGreaterThan(2)
})

describe("K16 a secret that is shown", () => {
  const original = crypto.timingSafeEqual
  let compared: number[] = []
  beforeEach(() => {
    compared = []
    // The answer is node's own; only that it was asked, and about how much, is noted.
    crypto.timingSafeEqual = (one, other) => {
      compared.push(one.byteLength)
      return original(one, other)
    }
    syncBuiltinESMExports()
  })
  afterEach(() => {
    crypto.timingSafeEqual = original
    syncBuiltinESMExports()
  })

  test("K16 of a session's proxy is compared by its hash, however little of it is right", () => {
    const secret = "s3cret-of-this-session"
    const routing = { secret, apis: [], authority: "127.0.0.1:4711", passOthers: false, givesTokens: true }
    const headers = { host: routing.authority }
    for (const shown of [secret, "s", "", `${secret}x`, secret.slice(0, -1)])
      for (const asked of [
        { method: "GET", target: `/${shown}/tickets`, headers },
        { method: "GET", target: "/token", headers: { ...headers, "taskmint-session": shown } },
      ])
        expect(routeOf(routing, asked).to).not.toBe("other")
    expect(compared).toEqual(Array(10).fill(32))
  })

  test("K16 in a proof's nonce is compared in constant time", () => {
    const nonces = createNonces(createFakeClock())
    const current = nonces.current()
    for (const shown of [current, `!${current.slice(1)}`, `${current.slice(0, -1)}!`]) nonces.accepts(shown)
    expect(compared).toEqual([43, 43, 43, 43, 43])
  })
})
