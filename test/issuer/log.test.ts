// The ledger as others' log clients read it: served in C2SP form, to auditors only, the same for ever.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type CallerName, type House, openHouse, START } from "../support/issuer-house.ts"
import { readLog } from "../support/log-reader.ts"

let house: House
beforeAll(async () => {
  house = await openHouse()
  const start = (n: number) =>
    house.ask("POST", "/tasks", { as: "support-orchestrator", json: { ...START, reference: `run-${n}` } })
  // Each reading of the ledger is an entry, too.
  const look = () => house.ask("GET", "/ledger/entries?limit=1", { as: "audit-team" })
  for (let group = 0; group < 4; group++) {
    await Promise.all(Array.from({ length: 10 }, (_each, n) => start(10 * group + n)))
    await Promise.all(Array.from({ length: 60 }, look))
    await house.issuer.sweep()
  }
})
afterAll(() => house.remove())

const get = (path: string, as: CallerName = "audit-team") => house.call("GET", `/ledger/${path}`, { as })
const fetch = async (path: string) => {
  const answer = await get(path)
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`)
  return Buffer.from(await answer.arrayBuffer())
}
const vkey = async () => (await fetch("key")).toString().trim()

describe("the log as it is served", () => {
  test("an independent reader recomputes the root from the tiles and finds it signed", async () => {
    const { origin, size, entries } = await readLog(fetch, await vkey())
    expect(origin).toBe("taskmint.internal")
    expect(size).toBeGreaterThan(256)
    const kinds = entries.map((entry) => JSON.parse(entry.toString("utf8")).kind)
    expect(kinds.filter((kind) => kind === "task.started")).toHaveLength(40)
    expect(kinds.slice(0, 1)).toEqual(["policy.loaded"])
  })

  test("and the same reader sees a single changed byte", async () => {
    const forged = async (path: string) => {
      const bytes = await fetch(path)
      if (path === "tile/entries/000") bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40)
      return bytes
    }
    await expect(readLog(forged, await vkey())).rejects.toThrow("tile 0/000 differs")
  })

  test("entries hold no personal value", async () => {
    const { entries } = await readLog(fetch, await vkey())
    const text = entries.map(String).join("\n")
    for (const value of [START.purpose, "SUP-1042", "run-7"]) expect(text).not.toContain(`"${value}"`)
  })

  test("the key is the one that metadata names", async () => {
    const { body } = await house.ask("GET", "/.well-known/oauth-authorization-server")
    expect(body.ledger_key).toBe(await vkey())
  })

  test.each([
    ["checkpoint", "no-store", "text/plain; charset=utf-8"],
    ["key", "no-store", "text/plain; charset=utf-8"],
    ["tile/0/000", "private, max-age=31536000, immutable", "application/octet-stream"],
    ["tile/entries/000.p/3", "private, max-age=31536000, immutable", "application/octet-stream"],
  ])("%s may be kept: %s", async (path, control, type) => {
    const { headers, status } = await get(path)
    expect([status, headers.get("cache-control"), headers.get("content-type")]).toEqual([200, control, type])
  })

  test.each([
    "tile/0/999",
    "tile/0/0",
    "tile/9/000",
    "tile/",
    "tile/entries/000/",
    "tile/0/000?x=1",
    "tile/0/..%2f000",
  ])("%s is refused", async (path) => {
    expect((await get(path)).status).toBeGreaterThanOrEqual(400)
  })

  test.each(["checkpoint", "key", "tile/0/000"])("%s is for auditors", async (path) => {
    for (const as of ["support-orchestrator", "tickets", "operations-team"] as const)
      expect((await get(path, as)).status).toBe(403)
    expect((await house.call("GET", `/ledger/${path}`)).status).toBe(401)
    expect((await house.call("POST", `/ledger/${path}`, { as: "audit-team" })).status).toBe(405)
  })

  test("reading tiles adds no entry", async () => {
    const read = async () => {
      await house.issuer.sweep()
      const { entries } = await readLog(fetch, await vkey())
      return entries.filter((entry) => JSON.parse(entry.toString("utf8")).kind === "access.read").length
    }
    const before = await read()
    expect([before > 200, await read()]).toEqual([true, before])
  })
})

test("a checkpoint is there before anybody waited for one", async () => {
  const fresh = await openHouse()
  const answer = await fresh.call("GET", "/ledger/checkpoint", { as: "audit-team" })
  expect(await answer.text()).toMatch(/^taskmint\.internal\n[1-9]/)
  await fresh.remove()
})
