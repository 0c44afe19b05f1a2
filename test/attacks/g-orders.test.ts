// Catalogue G, orders to end tokens under pressure: a database that can't be written, and clients that make more of them
// than anybody should remember.
import { spawnSync } from "node:child_process"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { Client } from "pg"
import { describe, expect, onTestFinished, test, vi } from "vitest"
import { onPostgres } from "../support/engine.ts"
import { createFolders } from "../support/folder.ts"
import { type CallerName, type House, openHouse, START } from "../support/issuer-house.ts"

vi.setConfig({ testTimeout: 120_000 })

const newFolder = createFolders()

async function open(changes: Parameters<typeof openHouse>[0] = {}): Promise<House> {
  const house = await openHouse(changes)
  onTestFinished(() => house.remove())
  return house
}

interface Running {
  readonly id: string
  readonly token: string
}

async function startTask(house: House): Promise<Running> {
  const { status, body } = await house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
  const [minted] = body.tokens as [{ access_token: string }]
  expect(status).toBe(201)
  return { id: String(body.task_id), token: minted.access_token }
}

const order = (house: House, kind: string, value: string) =>
  house.ask("POST", "/revocations", { as: "operations-team", json: { kind, value, reason: "drill" } })
const feedOf = async (house: House) =>
  (await house.ask("GET", "/revocations", { as: "tickets" })).body.items as { kind: string; value: string }[]
const form = (house: House, path: string, as: CallerName, token: string) =>
  house.call("POST", path, {
    as,
    body: new URLSearchParams({ token }).toString(),
    headers: { "content-type": "application/x-www-form-urlencoded" },
  })
const entriesOf = async (house: House) =>
  (await house.ask("GET", "/ledger/entries?kind=token.revoked&limit=1000", { as: "audit-team" })).body
    .entries as { task_id?: string; agent?: string }[]

/** Whether the token stands, as the issuer tells its orchestrator. */
const stands = async (house: House, { token }: Running) =>
  ((await (await form(house, "/introspect", "support-orchestrator", token)).json()) as { active: boolean })
    .active

/** Takes the one turn to write, and answers how to let go of it. */
async function hold(database: string): Promise<() => Promise<unknown>> {
  if (!onPostgres) {
    const foreign = new Sqlite(database)
    onTestFinished(() => void foreign.close())
    foreign.exec("BEGIN IMMEDIATE")
    return async () => foreign.exec("ROLLBACK")
  }
  const foreign = new Client(database)
  await foreign.connect()
  onTestFinished(() => foreign.end())
  await foreign.query("BEGIN; UPDATE commit_count SET commits = commits")
  return () => foreign.query("ROLLBACK")
}

/** What is true of an order that had no effect. */
async function expectWithout(house: House, task: Running) {
  expect(await stands(house, task)).toBe(true)
  expect((await feedOf(house)).some((item) => item.value === task.id)).toBe(false)
}

async function expectWith(house: House, task: Running) {
  expect(await stands(house, task)).toBe(false)
  expect((await feedOf(house)).some((item) => item.value === task.id)).toBe(true)
  expect((await entriesOf(house)).some((entry) => entry.task_id === task.id)).toBe(true)
}

describe("G11 I04 an order while the ledger can't be written", () => {
  const fullDisk =
    "G11 I04 on a full disk is 503 and nothing else, and the same order works once there is room, without a restart"
  // The disk of a server is its own affair: what it answers then is 503, as while somebody holds it.
  if (!onPostgres)
    test(fullDisk, async () => {
      const small = newFolder()
      if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", small]).status !== 0)
        return console.warn("NOT TESTED HERE: a full disk (this user may not mount)")
      onTestFinished(() => void spawnSync("umount", ["-l", small]))
      const house = await open({ database: join(small, "issuer.db") })
      const task = await startTask(house)
      for (const as of ["operations-team", "tickets", "audit-team"] as const)
        await house.call("GET", "/livez", { as })

      const ballast = join(small, "ballast")
      expect(() => writeFileSync(ballast, Buffer.alloc(8 * 1024 * 1024))).toThrow(/ENOSPC/)
      // What the log holds already is room of its own: until that is used up, orders work.
      let ordered = 0
      let answer = await order(house, "agent", `nobody-${ordered}`)
      while (answer.status === 201 && ordered < 5000)
        answer = await order(house, "agent", `nobody-${++ordered}`)
      expect(answer).toMatchObject({
        status: 503,
        body: { code: "temporarily_unavailable", next: "wait" },
      })
      expect((await order(house, "task", task.id)).status).toBe(503)
      expect(await stands(house, task)).toBe(true)
      expect((await house.ask("GET", "/readyz")).status).toBe(503)
      expect((await house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })).status).toBe(
        503,
      )

      // Nor can the feed be asked, whose askers' proofs are spent on disk: what verifiers know grows too old by risk.
      expect((await house.ask("GET", "/revocations", { as: "tickets" })).status).toBe(503)

      rmSync(ballast)
      await expectWithout(house, task)
      expect((await order(house, "task", task.id)).status).toBe(201)
      await expectWith(house, task)
      house.clock.advance(3000)
      expect((await house.ask("GET", "/readyz")).status).toBe(200)
      // 201 was never said without effect, nor 503 with one.
      const standing = (await house.ask("GET", "/locks", { as: "operations-team" })).body.locks
      expect(standing).toHaveLength(Math.min(ordered, 1000))
    })

  test("G11 while somebody else holds the database is 503, and works as soon as they let go", async () => {
    const house = await open()
    const task = await startTask(house)
    await order(house, "agent", "nobody")
    const release = await hold(house.database)
    expect((await order(house, "task", task.id)).status).toBe(503)
    await release()
    await expectWithout(house, task)
    expect((await order(house, "task", task.id)).status).toBe(201)
    await expectWith(house, task)
  })
})

describe("G13 a client that makes more than anybody should remember", () => {
  /** Not all at once: on a busy machine the last of them would be told to come back later. */
  async function inTurns<From, To>(all: readonly From[], act: (one: From) => Promise<To>): Promise<To[]> {
    const done: To[] = []
    for (let at = 0; at < all.length; at += 50)
      done.push(...(await Promise.all(all.slice(at, at + 50).map(act))))
    return done
  }
  const renew = async (house: House, { id }: Running) => {
    const { body } = await house.ask("POST", `/tasks/${id}/tokens`, { as: "support-orchestrator", json: {} })
    return (body.tokens as [{ access_token: string }])[0].access_token
  }

  test("G13 a task's end is one thing to remember, however many tokens it had and however often it was paused", async () => {
    const house = await open()
    const task = await startTask(house)
    for (let count = 0; count < 20; count++) await renew(house, task)
    for (const change of ["pause", "resume", "pause", "resume", "cancel"])
      await house.ask("POST", `/tasks/${task.id}/${change}`, { as: "support-orchestrator", json: {} })
    const items = await feedOf(house)
    expect(new Set(items.map(({ kind, value }) => `${kind} ${value}`))).toEqual(new Set([`task ${task.id}`]))
  })

  test("G13 tokens ended one by one are bounded for each client, and only those that end something count", async () => {
    const house = await open()
    const task = await startTask(house)
    const most = 600
    const tokens = await inTurns(Array(most + 3).fill(task), (one: Running) => renew(house, one))
    const revoke = async (as: CallerName, token: string) => {
      const answer = await form(house, "/revoke", as, token)
      return [answer.status, answer.headers.get("retry-after")]
    }
    const [first = "", ...others] = tokens
    const theirs = others.splice(-2)
    expect(await revoke("support-orchestrator", first)).toEqual([200, null])
    for (let again = 0; again < 20; again++)
      expect(await revoke("support-orchestrator", first)).toEqual([200, null])
    const last = others.pop() ?? ""
    const answers = await inTurns(others, (token) => revoke("support-orchestrator", token))
    expect(answers.filter(([status]) => status === 200)).toHaveLength(most - 1)
    expect(await revoke("support-orchestrator", last)).toEqual([429, "60"])
    expect(await stands(house, { id: task.id, token: last })).toBe(true)

    // Others are not held up by it, operators never; and it goes on in the next minute.
    expect(await revoke("tickets", theirs[0] ?? "")).toEqual([200, null])
    expect(await revoke("operations-team", theirs[1] ?? "")).toEqual([200, null])
    house.clock.advance(60_000)
    expect(await revoke("support-orchestrator", last)).toEqual([200, null])
    expect(await feedOf(house)).toHaveLength(most + 3)
  })

  test("G13 orders that end no token tell verifiers nothing", async () => {
    const house = await open()
    for (let count = 0; count < 50; count++)
      expect((await order(house, "agent", `nobody-${count}`)).status).toBe(201)
    expect(await feedOf(house)).toEqual([])
  })
})
