// The export of the ledger: what it holds, in both forms; that it is one query, ends where it began to be asked for, and is
// read no faster than it is taken.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { headOf, linesOf } from "../../src/ledger/export.ts"
import { type House, openHouse, START } from "../support/issuer-house.ts"

let house: House

beforeAll(async () => {
  house = await openHouse()
  for (const purpose of ["Triage the ticket", '=HYPERLINK("http://evil.example","x")'])
    await house.ask("POST", "/tasks", { as: "support-orchestrator", json: { ...START, purpose } })
})
afterAll(() => house.remove())

const get = (query = "") => house.call("GET", `/ledger/export${query}`, { as: "audit-team" })
const entries = async (query = "") =>
  (await house.ask("GET", `/ledger/entries?limit=1000${query}`, { as: "audit-team" })).body.entries as Record<
    string,
    unknown
  >[]

test("is every entry as a query shows it, one a line, up to the signed place that it names", async () => {
  const answer = await get()
  expect(answer.headers.get("content-type")).toBe("application/x-ndjson; charset=utf-8")
  const upTo = Number(answer.headers.get("taskmint-up-to"))
  const note = Buffer.from(answer.headers.get("taskmint-checkpoint") ?? "", "base64").toString("utf8")
  expect(note).toMatch(new RegExp(`^taskmint\\.internal\n${upTo}\n`))
  const lines = (await answer.text()).trimEnd().split("\n")
  const all = await entries()
  expect(lines.map((line) => JSON.parse(line))).toEqual(all.slice(0, upTo))
  // The export's own entry comes after what it holds, and then the query's.
  expect(all.slice(upTo).map(({ kind }) => kind)).toEqual(["access.read", "access.read"])
})

test("filters mean what they mean in a query", async () => {
  const lines = (await (await get("?kind=token.issued&agent=triage-bot")).text()).trimEnd().split("\n")
  expect(lines.map((line) => JSON.parse(line))).toEqual(await entries("&kind=token.issued&agent=triage-bot"))
  expect(await (await get("?agent=nobody")).text()).toBe("")
})

test("an export is one entry, with what was asked for, durable before the first line", async () => {
  const { body } = (await house
    .call("GET", "/ledger/export?format=csv&kind=use.allowed", {
      as: "audit-team",
    })
    .then(async (answer) => {
      const read = (await entries("&kind=access.read")).at(-2) ?? {}
      await answer.body?.cancel()
      return read
    })) as { body: object }
  expect(body).toMatchObject({
    by: "audit-team",
    export: true,
    parameters: { format: "csv", kind: "use.allowed" },
  })
})

test("what comes while it is read is not in it", async () => {
  const answer = await get("?kind=task.started")
  await house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
  expect((await answer.text()).trimEnd().split("\n")).toHaveLength(2)
})

test("as many as there may be are open at once, and one that was left makes room", async () => {
  const reading = async () => {
    const body = (await get()).body
    const reader = body?.getReader()
    await reader?.read()
    return reader
  }
  const readers = [await reading(), await reading(), await reading(), await reading()]
  expect((await get()).status).toBe(503)
  await readers[0]?.cancel()
  expect((await get()).status).toBe(200)
  // Only looked at, never read: it takes nobody's place.
  for (let index = 0; index < 6; index++)
    expect((await house.call("HEAD", "/ledger/export", { as: "audit-team" })).status).toBe(200)
  for (const reader of readers.slice(1)) await reader?.cancel()
})

test("one that can't go on breaks off: it never ends as if it were whole", async () => {
  const answer = await get()
  await house.restart()
  await expect(answer.text()).rejects.toThrow()
})

test.each(["?format=xml", "?limit=3", "?after=MQ", "?colour=red"])("%s is refused", async (query) => {
  expect((await get(query)).status).toBe(400)
})

test("is for auditors", async () => {
  for (const as of ["operations-team", "support-orchestrator"] as const)
    expect((await house.call("GET", "/ledger/export", { as })).status).toBe(403)
})

describe("CSV", () => {
  test("has a record for each entry under the names of its columns", async () => {
    const text = await (await get("?format=csv&kind=task.started")).text()
    const [head, first = "", ...rest] = text.split("\r\n")
    expect(head).toBe(headOf("csv").trimEnd())
    expect(first).toMatch(/^\d+,\d{4}-[\d:.T-]+Z,task\.started,task_[\w-]+,,triage-bot,pod-1,/)
    expect(first).toContain('"{""approvals"":')
    expect(rest.at(-1)).toBe("")
  })

  test.each([
    ["=1+1", "'=1+1"],
    ["+1", "'+1"],
    ["-1", "'-1"],
    ["@SUM(A1)", "'@SUM(A1)"],
    ["\t=1", "'\t=1"],
    ["\r=1", '"\'\r=1"'],
    ["a=1", "a=1"],
    ['say "a,b"', '"say ""a,b"""'],
    ["", ""],
  ])("H18: a cell of %j is written as %j: no spreadsheet runs it", (resource, cell) => {
    const line = linesOf([{ seq: 1, at: "now", kind: "use.allowed", resource }], "csv")
    expect(line).toBe(`1,now,use.allowed,,,,,,,,,${cell},,,,\r\n`)
  })

  test("what is left of an erased value is its commitment", () => {
    const line = linesOf([{ seq: 1, at: "now", kind: "use.allowed", sub: { hmac: "x" } }], "csv")
    expect(line).toBe('1,now,use.allowed,,,,,,"{""hmac"":""x""}",,,,,,,\r\n')
  })
})
