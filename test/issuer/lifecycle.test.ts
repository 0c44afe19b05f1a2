import { randomBytes } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { afterEach, describe, expect, test } from "vitest"
import { type Engine, Unavailable } from "../../src/database/database.ts"
import { openDatabase } from "../../src/database/open.ts"
import { createIssuer, NotStarted } from "../../src/issuer/issuer.ts"
import { KeysLocked } from "../../src/keys/held.ts"
import { onPostgres } from "../support/engine.ts"
import { type House, ISSUER, openHouse, START } from "../support/issuer-house.ts"

let house: House
afterEach(() => house.remove())

describe("starting", () => {
  test("after a restart the keys, the tasks and the service tokens are what they were", async () => {
    house = await openHouse()
    const before = await house.ask("POST", "/tasks", {
      as: "support-orchestrator",
      json: { ...START, reference: "run-1" },
    })
    const keys = await house.ask("GET", "/.well-known/jwks.json")
    await house.restart()
    const after = await house.ask("POST", "/tasks", {
      as: "support-orchestrator",
      json: { ...START, reference: "run-1" },
    })
    expect([before.status, after.status]).toEqual([201, 200])
    expect(after.body.task_id).toBe(before.body.task_id)
    expect(await house.ask("GET", "/.well-known/jwks.json")).toEqual(keys)
  })

  test("another key-encryption key is refused, and the database can be opened again with the right one", async () => {
    house = await openHouse()
    await expect(house.restart({ keyEncryptionKey: randomBytes(32) })).rejects.toThrow(KeysLocked)
    await house.restart()
    expect((await house.call("GET", "/livez")).status).toBe(200)
  })

  test.each([
    [true, "made with --dev"],
    [false, "not made with --dev"],
  ])("data made with dev=%s is refused the other way", async (dev, words) => {
    house = await openHouse({ dev })
    const error: unknown = await house.restart({ dev: !dev }).catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(NotStarted)
    expect(String(error)).toContain(words)
    await house.restart()
  })

  test("a policy with faults is told with its places", async () => {
    house = await openHouse()
    const path = `${house.policyFolder}/support.yaml`
    const good = readFileSync(path, "utf8")
    writeFileSync(path, good.replace("operations:", "operatons:"))
    const error: unknown = await house.restart().catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(NotStarted)
    expect(String(error)).toMatch(/support\.yaml:\d+:\d+: /)
    writeFileSync(path, good)
    await house.restart()
  })

  test("a second issuer with another key-encryption key is refused, and on a file any", async () => {
    house = await openHouse()
    const { database, policyFolder: policies } = house
    const options = { issuer: ISSUER, database, policies, keyEncryptionKey: randomBytes(32) }
    await expect(createIssuer(options)).rejects.toThrow(onPostgres ? KeysLocked : Unavailable)
  })
})

/** An engine whose commits fail while the test says so: a full disk, seen from above. */
function fragile(engine: Engine) {
  const state = { failing: false as false | (() => Error), engine: undefined as Engine | undefined }
  state.engine = {
    query: (statement, values) => engine.query(statement, values),
    atomically: async (steps) => {
      if (state.failing) throw state.failing()
      return engine.atomically(steps)
    },
    hearOthers: (listener) => engine.hearOthers(listener),
    scrub: () => engine.scrub(),
    close: () => engine.close(),
    broken: engine.broken,
  }
  return { state, engine: state.engine }
}

describe("faults", () => {
  test("what can't be recorded is 503 with a request id, told to the operator, and heals", async () => {
    house = await openHouse()
    await house.issuer.close()
    const { state, engine } = fragile(await openDatabase(house.database))
    await house.restart({ database: engine })
    await house.call("GET", "/tasks", { as: "support-orchestrator" })
    state.failing = () => new Unavailable("the disk is full")
    const answer = await house.call("POST", "/tasks", { as: "support-orchestrator", json: START })
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([
      503,
      expect.stringMatching(/^[1-4]$/),
    ])
    const body: unknown = await answer.json()
    expect(body).toMatchObject({ code: "temporarily_unavailable", next: "wait" })
    expect(house.faults).toHaveLength(1)
    expect((await house.call("GET", "/readyz")).status).toBe(503)
    expect((await house.call("GET", "/livez")).status).toBe(200)
    state.failing = false
    house.clock.advance(2000)
    expect((await house.call("GET", "/readyz")).status).toBe(200)
    expect((await house.call("POST", "/tasks", { as: "support-orchestrator", json: START })).status).toBe(201)
  })

  test("at /token a fault is an OAuth error", async () => {
    house = await openHouse()
    await house.issuer.close()
    const { state, engine } = fragile(await openDatabase(house.database))
    await house.restart({ database: engine })
    state.failing = () => new Error("never said: INSERT INTO spent VALUES (secret)")
    await expect(house.serviceToken("support-orchestrator")).rejects.toThrow(
      /"error":"temporarily_unavailable"/,
    )
    await expect(house.serviceToken("support-orchestrator")).rejects.not.toThrow(/INSERT|secret/)
    state.failing = false
  })

  test("a clock that stepped mints nothing, and says so", async () => {
    house = await openHouse()
    await house.call("GET", "/tasks", { as: "support-orchestrator" })
    house.clock.step(6000)
    const started = await house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
    expect([started.status, started.body.code]).toEqual([503, "clock_stepped"])
    expect((await house.call("GET", "/readyz")).status).toBe(503)
    await expect(house.serviceToken("audit-team")).rejects.toThrow(/clock_stepped/)
    house.clock.step(-6000)
    expect((await house.call("GET", "/readyz")).status).toBe(200)
  })

  test("a bad reload keeps the policy in force and is a warning", async () => {
    house = await openHouse()
    const digest = house.issuer.policyDigest()
    const path = `${house.policyFolder}/support.yaml`
    const good = readFileSync(path, "utf8")
    writeFileSync(path, "version: 1\nodd: true\n")
    const refused = await house.ask("POST", "/policy/reload", { as: "operations-team" })
    expect([refused.status, refused.body.code]).toEqual([422, "policy_refused"])
    expect(house.issuer.policyDigest()).toBe(digest)
    expect((await house.ask("GET", "/readyz")).body).toEqual({ status: "ready", warnings: ["policy_faults"] })
    writeFileSync(path, good)
    await house.issuer.reload()
    expect((await house.ask("GET", "/readyz")).body).toEqual({ status: "ready", warnings: [] })
  })

  test("an older policy comes back by an operator's act only", async () => {
    house = await openHouse()
    const first = house.issuer.policyDigest()
    const path = `${house.policyFolder}/support.yaml`
    writeFileSync(path, `${readFileSync(path, "utf8")}\n# changed\n`)
    const loaded = await house.ask("POST", "/policy/reload", { as: "operations-team" })
    expect(loaded.body).toEqual({ result: "loaded", digest: house.issuer.policyDigest() })
    expect(house.issuer.policyDigest()).not.toBe(first)
    const used = await house.ask("POST", "/policy/use", { as: "operations-team", json: { digest: first } })
    expect(used.body).toEqual({ result: "used", digest: first })
    const unknown = await house.ask("POST", "/policy/use", {
      as: "operations-team",
      json: { digest: `sha-256:${"A".repeat(43)}` },
    })
    expect([unknown.status, unknown.body.code]).toEqual([404, "not_found"])
  })
})

describe("stopping", () => {
  test("waits for what is under way, then answers 503 to everything", async () => {
    house = await openHouse()
    const token = await house.serviceToken("support-orchestrator")
    const underWay = Array.from({ length: 20 }, () => house.call("POST", "/tasks", { token, json: START }))
    const closing = house.issuer.close()
    expect((await Promise.all(underWay)).map((answer) => answer.status)).toEqual(Array(20).fill(201))
    await closing
    expect((await house.call("GET", "/livez")).status).toBe(503)
    expect(house.faults).toEqual([])
  })

  test("draining is seen at /readyz while requests are still answered", async () => {
    house = await openHouse()
    house.issuer.drain()
    expect((await house.call("GET", "/readyz")).status).toBe(503)
    expect((await house.call("POST", "/tasks", { as: "support-orchestrator", json: START })).status).toBe(201)
  })
})
