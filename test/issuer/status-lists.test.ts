// Status lists over HTTP, as somebody else's verifier uses them: found by the token or the metadata, read by a reader that
// shares no code with us, kept for as long as they say.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type House, ISSUER, openHouse, START, TICKETS } from "../support/issuer-house.ts"
import { ROOT } from "../support/source.ts"
import { readStatusList, statusClaimOf } from "../support/status-reader.ts"

const SUPPORT = readFileSync(join(ROOT, "policies/support.yaml"), "utf8")
const FOREIGN = SUPPORT.replace("    resource:", "    foreign: true\n    resource:")

let house: House
beforeAll(async () => {
  house = await openHouse({ files: { "support.yaml": FOREIGN } })
})
afterAll(() => house.remove())

const AS = "support-orchestrator"
const pathOf = (uri: string) => uri.slice(ISSUER.length)
const get = (uri: string, headers: Record<string, string> = {}) => house.call("GET", pathOf(uri), { headers })

async function start(): Promise<{ readonly task: string; readonly token: string }> {
  const { body } = await house.ask("POST", "/tasks", { as: AS, json: START })
  const [first] = body.tokens as { access_token: string; resource: string }[]
  expect(first?.resource).toBe(TICKETS)
  return { task: String(body.task_id), token: first?.access_token ?? "" }
}

/** What the token's list says of it, to a reader that keeps nothing. */
async function statusOf(token: string): Promise<number> {
  const { idx, uri } = statusClaimOf(token)
  const answer = await get(uri, { accept: "application/statuslist+jwt" })
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/statuslist+jwt"])
  const { body: keys } = await house.ask("GET", "/.well-known/jwks.json")
  return (await readStatusList(await answer.text(), { keys, uri, now: house.clock.now() })).statusAt(idx)
}

/** The time after which every list is another one. */
const nextList = () => house.clock.advance(5000)
const change = (task: string, to: string) => house.call("POST", `/tasks/${task}/${to}`, { as: AS })
const FORM = { "content-type": "application/x-www-form-urlencoded" }
const revoke = (token: string) =>
  house.call("POST", "/revoke", { as: AS, headers: FORM, body: new URLSearchParams({ token }).toString() })

describe("a verifier that is not ours learns", () => {
  test.each<[string, number, (of: { task: string; token: string }) => Promise<Response>]>([
    ["that a token was revoked", 1, ({ token }) => revoke(token)],
    ["that a task was completed", 1, ({ task }) => change(task, "complete")],
    ["that a task was canceled", 1, ({ task }) => change(task, "cancel")],
    ["that a task is paused", 2, ({ task }) => change(task, "pause")],
    [
      "that an instance was locked",
      1,
      async () => {
        const order = { kind: "instance", value: "triage-bot/pod-1", reason: "leak" }
        const set = await house.call("POST", "/revocations", { as: "operations-team", json: order })
        const { id } = (await set.json()) as { id: string }
        nextList()
        return house.call("DELETE", `/revocations/${id}`, { as: "operations-team" })
      },
    ],
  ])("%s", async (_what, status, happen) => {
    nextList()
    const of = await start()
    expect(await statusOf(of.token)).toBe(0)
    expect((await happen(of)).status).toBe(200)
    nextList()
    expect(await statusOf(of.token)).toBe(status)
  })

  test("that the token of a paused task does not come back, and the fresh one stands", async () => {
    const { task, token } = await start()
    await change(task, "pause")
    const { tokens } = (await (await change(task, "resume")).json()) as { tokens: { access_token: string }[] }
    nextList()
    expect([await statusOf(token), await statusOf(tokens[0]?.access_token ?? "")]).toEqual([1, 0])
  })

  test("the same after a restart, at the same place", async () => {
    const [running, done] = [await start(), await start()]
    await change(done.task, "complete")
    await house.restart()
    expect([await statusOf(running.token), await statusOf(done.token)]).toEqual([0, 1])
  })
})

describe("the list on the wire", () => {
  test("is what the draft says, and names no token", async () => {
    nextList()
    const { token } = await start()
    const { uri } = statusClaimOf(token)
    const jwt = await (await get(uri)).text()
    const [head, body] = jwt.split(".").map((part) => Buffer.from(part, "base64url").toString("latin1"))
    const { body: document } = await house.ask("GET", "/openapi.json")
    expect(document.paths).toMatchObject({
      "/status-lists/{id}": {
        get: {
          responses: { 200: { content: { "application/statuslist+jwt": { schema: { type: "string" } } } } },
        },
      },
    })
    expect(JSON.parse(head ?? "")).toEqual({ typ: "statuslist+jwt", alg: "ES256", kid: expect.any(String) })
    const iat = Math.floor(house.clock.now() / 1000)
    expect(JSON.parse(body ?? "")).toEqual({
      iss: ISSUER,
      sub: uri,
      iat,
      exp: iat + 300,
      ttl: 5,
      status_list: { bits: 2, lst: expect.any(String) },
    })
  })

  test("may be kept until there is another one, by anybody, and is the same until then", async () => {
    nextList()
    const { uri } = statusClaimOf((await start()).token)
    const first = await get(uri)
    const tag = first.headers.get("etag") ?? ""
    expect(first.headers.get("cache-control")).toBe("public, max-age=5")
    expect(first.headers.get("access-control-allow-origin")).toBe("*")
    house.clock.advance(4000)
    const same = await get(uri, { "if-none-match": tag })
    expect([same.status, same.headers.get("cache-control"), await same.text()]).toEqual([
      304,
      "public, max-age=1",
      "",
    ])
    expect(await (await get(uri)).text()).toBe(await first.text())
    house.clock.advance(1000)
    expect((await get(uri, { "if-none-match": tag })).status).toBe(200)
  })

  test("is as long before the first token as ever after", async () => {
    const { uri } = statusClaimOf((await start()).token)
    const { body: keys } = await house.ask("GET", "/.well-known/jwks.json")
    const list = await readStatusList(await (await get(uri)).text(), { keys, uri, now: house.clock.now() })
    expect(list.bytes).toHaveLength(16_384)
  })

  test.each(["x", "A".repeat(22), "..%2F..%2Fopenapi.json", "%00"])("there is no list %s", async (id) => {
    const answer = await house.call("GET", `/status-lists/${id}`)
    expect([answer.status, answer.headers.get("content-type")]).toEqual([404, "application/problem+json"])
    expect(await answer.json()).toMatchObject({ code: "not_found" })
  })

  test("of the past is refused: what is told is told of now", async () => {
    const { uri } = statusClaimOf((await start()).token)
    expect(await (await get(`${uri}?time=1686925000`)).json()).toMatchObject({ code: "invalid_request" })
    const other = await house.call("POST", pathOf(uri))
    expect([other.status, other.headers.get("allow")]).toEqual([405, "GET, HEAD"])
  })

  test("is named in the aggregation that the metadata names", async () => {
    const { uri } = statusClaimOf((await start()).token)
    const { body } = await house.ask("GET", "/.well-known/oauth-authorization-server")
    expect(body.status_list_aggregation_endpoint).toBe(`${ISSUER}/status-lists`)
    const answer = await get(`${ISSUER}/status-lists`)
    expect(answer.headers.get("cache-control")).toBe("public, max-age=5")
    expect(await answer.json()).toEqual({ status_lists: [uri] })
  })

  test("is asked for by anybody without adding to the ledger", async () => {
    const { uri } = statusClaimOf((await start()).token)
    const count = async () => {
      const { body } = await house.ask("GET", "/ledger/entries?limit=1000", { as: "audit-team" })
      return (body.entries as { kind: string }[]).filter(({ kind }) => kind !== "access.read").length
    }
    const before = await count()
    for (let asked = 0; asked < 20; asked++) await get(uri)
    expect(await count()).toBe(before)
  })
})

test("an issuer without a foreign API has no list, and its tokens name none", async () => {
  const plain = await openHouse()
  try {
    const { body } = await plain.ask("POST", "/tasks", { as: AS, json: START })
    const [first] = body.tokens as { access_token: string }[]
    expect(statusIn(first?.access_token ?? "")).toBeUndefined()
    expect((await plain.ask("GET", "/status-lists")).body).toEqual({ status_lists: [] })
  } finally {
    await plain.remove()
  }
})

const statusIn = (token: string): unknown =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8")).status
