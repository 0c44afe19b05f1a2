// The feed as a stream of an issuer: who gets one, what it tells and when, and what ends it. Only the two-second rounds
// take their time.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { signProof } from "../../src/token/proof.ts"
import { cursors, listen } from "../support/event-stream.ts"
import { type CallerName, type House, ISSUER, openHouse, START } from "../support/issuer-house.ts"

const AS_STREAM = { accept: "text/event-stream" }

describe("at an issuer", () => {
  let house: House
  beforeAll(async () => {
    house = await openHouse()
  })
  afterAll(() => house.remove())

  const open = async (
    path = "/revocations",
    headers: Record<string, string> = {},
    as: CallerName = "tickets",
  ) => house.call("GET", path, { as, headers: { ...AS_STREAM, ...headers } })
  const startTask = async () => {
    const { body } = await house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
    return String(body.task_id)
  }
  const revoke = (kind: string, value: string) =>
    house.ask("POST", "/revocations", { as: "operations-team", json: { kind, value, reason: "drill" } })
  const end = async () => {
    const task = await startTask()
    await revoke("task", task)
    return task
  }

  test("F01 nobody gets a stream without a token, without a proof, or in another role", async () => {
    expect((await house.call("GET", "/revocations", { headers: AS_STREAM })).status).toBe(401)
    const token = await house.serviceToken("tickets", house.proofKeyOf("tickets"))
    expect((await house.call("GET", "/revocations", { token, headers: AS_STREAM })).status).toBe(401)
    const bare = { ...AS_STREAM, authorization: `DPoP ${token}` }
    expect((await house.call("GET", "/revocations", { headers: bare })).status).toBe(401)
    for (const as of ["support-orchestrator", "operations-team", "audit-team"] as const)
      expect((await open("/revocations", {}, as)).status).toBe(403)
  })

  test("F07 one proof opens one stream", async () => {
    const key = house.proofKeyOf("tickets")
    const token = await house.serviceToken("tickets", key)
    const now = Math.floor(house.clock.now() / 1000)
    const dpop = signProof({ method: "GET", url: `${ISSUER}/revocations`, accessToken: token, now }, key)
    const headers = { ...AS_STREAM, authorization: `DPoP ${token}`, dpop }
    const first = await house.call("GET", "/revocations", { headers })
    expect(first.status).toBe(200)
    expect((await house.call("GET", "/revocations", { headers })).status).toBe(401)
    await listen(first).leave()
  })

  test("G01 there is no order by policy, by a root or by a span of time", async () => {
    for (const kind of ["policy", "root", "client", "issued"])
      expect(await revoke(kind, "x")).toMatchObject({ status: 400, body: { code: "invalid_request" } })
  })

  test.each([
    ["*/*", "application/json"],
    ["application/json", "application/json"],
    ["text/event-stream;q=0, application/json", "application/json"],
    ["text/event-stream", "text/event-stream"],
    ["application/json;q=0.1, Text/Event-Stream; q=0.9", "text/event-stream"],
  ])("Accept: %s gets %s, and no proxy may keep or change it", async (accept, type) => {
    const answer = await house.call("GET", "/revocations", { as: "tickets", headers: { accept } })
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, type])
    expect(answer.headers.get("cache-control")).toContain("no-store")
    await answer.body?.cancel()
  })

  test("HEAD opens no stream", async () => {
    const answer = await house.call("HEAD", "/revocations", { as: "tickets", headers: AS_STREAM })
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/json"])
  })

  test("what is revoked is told once it is committed, as in the JSON answer, and then that it is all", async () => {
    const stream = listen(await open())
    await stream.until(/^: head \d+ at \d+$/m)
    const task = await end()
    const text = await stream.until(new RegExp(`${task}.*\\n\\n: head \\d+ at \\d+\\n\\n`))
    const { body } = await house.ask("GET", "/revocations", { as: "tickets" })
    const [item] = body.items as [{ cursor: number }]
    expect(text).toContain(`id: ${item.cursor}\ndata: ${JSON.stringify(item)}\n\n: head ${body.cursor} at `)
    await stream.leave()
  })

  test("L08 it tells what the issuer's clock reads, in both forms", async () => {
    const { body } = await house.ask("GET", "/revocations", { as: "tickets" })
    expect(body.now).toBe(house.clock.now())
    const stream = listen(await open())
    const text = await stream.until(/^: clock \d+ at \d+$/m)
    expect(text).toContain(`: clock ${house.clock.now()} at `)
    await stream.leave()
  })

  test("each commit is told by itself: ten in a row don't wait for ten rounds", async () => {
    const stream = listen(await open())
    await stream.until(/: head/)
    const began = performance.now()
    for (let count = 0; count < 10; count++) await stream.until(new RegExp(await end()))
    expect(performance.now() - began).toBeLessThan(10_000)
    await stream.leave()
  })

  test("a stream goes on where another broke: by Last-Event-ID, or the query, which goes behind it", async () => {
    await end()
    await end()
    const all = cursors(await listen(await open()).until(/^: head/m))
    const last = all.at(-2) ?? 0
    for (const [path, headers] of [
      [`/revocations?after=${last}`, {}],
      ["/revocations", { "last-event-id": String(last) }],
      ["/revocations?after=0", { "last-event-id": String(last) }],
    ] as const)
      expect(cursors(await listen(await open(path, headers)).until(/^: head/m))).toEqual(all.slice(-1))
    for (const bad of ["x", "-1", "01", "1e3"])
      expect((await open("/revocations", { "last-event-id": bad })).status).toBe(400)
  })

  test("nothing of another API is told", async () => {
    const stream = listen(await open("/revocations", {}, "deployments"))
    await end()
    expect(cursors(await stream.until(/: head[\s\S]*: head/))).toEqual([])
    await stream.leave()
  })

  test("above the limit of one caller there is 503 with Retry-After, until one of its streams has ended", async () => {
    const streams: Response[] = []
    let refused: Response | undefined
    while (!refused && streams.length < 300) {
      const answer = await open()
      if (answer.status === 200) streams.push(answer)
      else refused = answer
    }
    expect([refused?.status, Number(refused?.headers.get("retry-after")) > 0]).toEqual([503, true])
    const other = await open("/revocations", {}, "deployments")
    expect(other.status).toBe(200)
    await streams.pop()?.body?.cancel()
    streams.push(await open(), other)
    expect(streams.map((one) => one.status)).not.toContain(503)
    for (const one of streams) await one.body?.cancel()
  })

  test("it ends when the service token expires, not before", async () => {
    const stream = listen(await open())
    await stream.until(/: head[\s\S]*: head/)
    house.clock.advance(310_000)
    await stream.ended()
  })

  test("it ends when the policy in force does not know the caller any more", async () => {
    const [stream, other] = [listen(await open()), listen(await open("/revocations", {}, "deployments"))]
    await stream.until(/: head/)
    const file = join(house.policyFolder, "support.yaml")
    const text = readFileSync(file, "utf8")
    writeFileSync(file, text.replace(/\n {2}tickets:\n/, "\n  tickets:\n    enabled: false\n"))
    expect((await house.call("POST", "/policy/reload", { as: "operations-team" })).status).toBe(200)
    await stream.ended()
    expect((await open()).status).toBe(401)
    await other.until(/: head[\s\S]*: head[\s\S]*: head/)
    await other.leave()
    writeFileSync(file, text.replace("\n", "\n# as it was\n"))
    expect((await house.call("POST", "/policy/reload", { as: "operations-team" })).status).toBe(200)
  })

  test("draining ends all streams at once and lets none begin; closing does not wait for them", async () => {
    const streams = [listen(await open()), listen(await open("/revocations", {}, "deployments"))]
    for (const stream of streams) await stream.until(/: head/)
    const unread = await open()
    house.issuer.drain()
    await Promise.all(streams.map((stream) => stream.ended()))
    const late = await open()
    expect([late.status, late.headers.get("retry-after")]).toEqual([503, "5"])
    await house.restart()
    expect(await listen(unread).ended()).not.toMatch(/^id:/m)
    expect(house.faults).toEqual([])
  })
})
