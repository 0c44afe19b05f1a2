// Two issuers on one PostgreSQL database, as two replicas behind a balancer: whatever one has committed, the other decides
// by. One winner each, wherever both are asked at once.
import { randomBytes } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { openPostgres } from "../../src/database/postgres.ts"
import { createIssuer, type Issuer } from "../../src/issuer/issuer.ts"
import { listen } from "../support/event-stream.ts"
import {
  ASSERTION_TYPE,
  type CallerName,
  type House,
  ISSUER,
  openHouse,
  START,
} from "../support/issuer-house.ts"
import { createDatabase, type TestDatabase } from "../support/postgres.ts"

const ACTIVE_TASKS = 12

describe("I21 two replicas", () => {
  let database: TestDatabase
  let house: House
  let second: Issuer

  beforeAll(async () => {
    database = await createDatabase()
    const keyEncryptionKey = randomBytes(32)
    const open = () => openPostgres({ address: database.address })
    house = await openHouse({ database: await open(), keyEncryptionKey })
    const { policyFolder: policies, clock } = house
    second = await createIssuer({ issuer: ISSUER, database: await open(), policies, keyEncryptionKey, clock })
  })
  afterAll(async () => {
    await second.close()
    await house.remove()
    await database.remove()
  })

  const tokens = new Map<string, string>()
  /** A request at one of the two; `as` never is an API, whose tokens need a proof. */
  const ask = async (
    at: "first" | "second",
    method: string,
    path: string,
    as: CallerName,
    json?: unknown,
  ) => {
    const token = tokens.get(as) ?? (await house.serviceToken(as))
    tokens.set(as, token)
    const issuer = at === "first" ? house.issuer : second
    const answer = await issuer.fetch(
      new Request(`${ISSUER}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(json !== undefined && { "content-type": "application/json" }),
        },
        ...(json !== undefined && { body: JSON.stringify(json) }),
      }),
    )
    const body = (await answer.json()) as Record<string, unknown>
    return { status: answer.status, body }
  }
  const start = (at: "first" | "second", more: object = {}) =>
    ask(at, "POST", "/tasks", "support-orchestrator", { ...START, ...more })
  const end = (at: "first" | "second", task: unknown) =>
    ask(at, "POST", `/tasks/${task}/complete`, "support-orchestrator", {})
  const revoke = (at: "first" | "second", kind: string, value: unknown) =>
    ask(at, "POST", "/revocations", "operations-team", { kind, value, reason: "drill" })

  test("publish the same keys, and a task of one is a task of the other", async () => {
    const keys = await Promise.all(
      [house.issuer, second].map(async (issuer) =>
        (await issuer.fetch(new Request(`${ISSUER}/.well-known/jwks.json`))).text(),
      ),
    )
    expect(keys[0]).toBe(keys[1])
    const { body } = await start("first")
    expect((await end("second", body.task_id)).status).toBe(200)
    expect(await end("first", body.task_id)).toMatchObject({ status: 200, body: { state: "completed" } })
  })

  test("E01 an assertion that both are shown at once is spent once", async () => {
    for (let round = 0; round < 5; round++) {
      const body = new URLSearchParams({
        grant_type: "client_credentials",
        client_assertion_type: ASSERTION_TYPE,
        client_assertion: house.assertion("support-orchestrator"),
      })
      const answers = await Promise.all(
        [house.issuer, second].map((issuer) =>
          issuer.fetch(new Request(`${ISSUER}/token`, { method: "POST", body: new URLSearchParams(body) })),
        ),
      )
      expect(answers.map((answer) => answer.status).sort()).toEqual([200, 401])
    }
  })

  test("a start under one reference, asked of both at once, is one task", async () => {
    for (let round = 0; round < 5; round++) {
      const reference = `both-${round}`
      const [a, b] = await Promise.all([start("first", { reference }), start("second", { reference })])
      expect([a.status, b.status].sort()).toEqual([200, 201])
      expect(a.body.task_id).toBe(b.body.task_id)
      await end("first", a.body.task_id)
    }
  })

  test("a limit holds over both", async () => {
    const path = join(house.policyFolder, "support.yaml")
    const text = readFileSync(path, "utf8")
    writeFileSync(path, text.replace(/active_tasks: \d+/, `active_tasks: ${ACTIVE_TASKS}`))
    await house.issuer.reload()
    const answers = await Promise.all(
      Array.from({ length: 4 * ACTIVE_TASKS }, (_, at) => start(at % 2 === 0 ? "first" : "second")),
    )
    const started = answers.filter((answer) => answer.status === 201)
    expect(started).toHaveLength(ACTIVE_TASKS)
    for (const { body } of answers.filter((answer) => answer.status !== 201))
      expect(body.code).toBe("limit_reached")
    await Promise.all(started.map(({ body }) => end("second", body.task_id)))
  })

  test("a policy that one has put in force decides at the other from the next mint on", async () => {
    const path = join(house.policyFolder, "support.yaml")
    const text = readFileSync(path, "utf8")
    writeFileSync(path, text.replace(/agents: \[triage-bot/, "agents: [another-bot"))
    writeFileSync(
      path,
      readFileSync(path, "utf8").replace(
        /^ {2}triage-bot:/m,
        "  another-bot: { owner: a@b.example }\n  triage-bot:",
      ),
    )
    await house.issuer.reload()
    expect(house.issuer.policyDigest()).not.toBe(undefined)
    const refused = await start("second")
    expect([refused.status, refused.body.code]).toEqual([403, "access_denied"])
    expect(second.policyDigest()).toBe(house.issuer.policyDigest())
    writeFileSync(path, `${text}# again\n`)
    await house.issuer.reload()
    const again = await start("second")
    expect(again.status).toBe(201)
    await end("first", again.body.task_id)
  })

  test("a lock set at one refuses at the other from then on", async () => {
    const set = await revoke("first", "agent", "triage-bot")
    expect(await start("second")).toMatchObject({ status: 403, body: { code: "locked" } })
    const id = String(set.body.id)
    house.clock.advance(2000)
    const lifted = await ask("second", "DELETE", `/revocations/${id}`, "operations-team")
    expect(lifted.status).toBe(200)
    const { status, body } = await start("first")
    expect(status).toBe(201)
    await end("first", body.task_id)
  })

  test("a revocation at one reaches the followers of the other at once", async () => {
    const answer = await house.call("GET", "/revocations", {
      as: "tickets",
      headers: { accept: "text/event-stream" },
    })
    const stream = listen(answer)
    await stream.until(/^: /m)
    // By their own rounds followers would hear of the second one only two seconds behind the first.
    for (let round = 0; round < 2; round++) {
      const { body } = await start("second")
      const began = performance.now()
      expect((await revoke("second", "task", body.task_id)).status).toBe(201)
      await stream.until(new RegExp(String(body.task_id)))
      expect(performance.now() - began).toBeLessThan(1500)
    }
    await stream.leave()
  })

  test("a key that one revokes is replaced at both, and what the new one signs passes at both", async () => {
    const kids = async (issuer: Issuer) => {
      const answer = await issuer.fetch(new Request(`${ISSUER}/.well-known/jwks.json`))
      return ((await answer.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)
    }
    const [before] = await kids(second)
    const rotated = await ask("first", "POST", "/keys/rotate", "operations-team", {
      emergency: true,
      reason: "drill",
    })
    expect(rotated.status).toBe(200)
    await vi.waitFor(async () => expect(await kids(second)).not.toContain(before), 5000)
    expect((await kids(second)).sort()).toEqual((await kids(house.issuer)).sort())
    tokens.clear()
    const { status, body } = await start("second")
    expect(status).toBe(201)
    expect((await end("first", body.task_id)).status).toBe(200)
  })
})
