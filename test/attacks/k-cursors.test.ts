// Catalogue K12 and K15: ids that are known open nothing, and neither do cursors. Which ids and cursors there are comes
// from the issuer's own document.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { cursors } from "../support/injections.ts"
import { type CallerName, type House, openHouse, START } from "../support/issuer-house.ts"
import { type Asked, emptyBody, lineWith, surfaceOf } from "../support/surface.ts"

let house: House
let surface: Asked[]
/** Of each collection one that is there, of the support orchestrator, and one that nobody has. */
const ids: Record<string, { readonly there: string; readonly nowhere: string }> = {}
const UUID = "01a2015d-9a60-7bc1-8d89-654aa2e41021"
const as = "support-orchestrator"

beforeAll(async () => {
  house = await openHouse()
  surface = await surfaceOf(house)
  const { body } = await house.ask("POST", "/tasks", { as, json: START })
  const task = String(body.task_id)
  const json = { task_id: task, operation: "tickets:close", resource: "tickets/SUP-1042", reason: "Solved" }
  const approval = await house.ask("POST", "/approvals", { as, json })
  for (const reason of ["one", "two"])
    await house.ask("POST", "/approvals", { as, json: { ...json, reason } })
  const order = { kind: "agent", value: "summarizer", reason: "drill" }
  const revocation = await house.ask("POST", "/revocations", { as: "operations-team", json: order })
  ids.tasks = { there: task, nowhere: `task_${UUID}` }
  ids.approvals = { there: String(approval.body.id), nowhere: `apr_${UUID}` }
  ids.revocations = { there: String(revocation.body.id), nowhere: `rev_${UUID}` }
  for (let one = 0; one < 2; one += 1) await house.ask("POST", "/tasks", { as, json: START })
})
afterAll(() => house.remove())

const STRANGERS = ["release-orchestrator", "tickets", "deployments"] as const

describe("K12 what belongs to others", () => {
  test("K12 answers as what is nowhere does, whatever is asked of it", async () => {
    let asked = 0
    for (const one of surface.filter(({ path }) => /^\/(tasks|approvals|revocations)\/\{id\}/.test(path)))
      for (const stranger of STRANGERS) {
        const known = ids[one.path.split("/")[1] ?? ""]
        const [there, nowhere] = [
          await answer(one, stranger, known?.there),
          await answer(one, stranger, known?.nowhere),
        ]
        expect(there, `${stranger} ${one.method} ${one.path}`).toEqual(nowhere)
        expect(there.status, `${stranger} ${one.method} ${one.path}`).toBeGreaterThanOrEqual(400)
        asked += 1
      }
    expect(asked).toBeGreaterThanOrEqual(30)
    expect((await house.ask("GET", `/tasks/${ids.tasks?.there}`, { as })).body.state).toBe("active")
  })

  test("K12 of a filter nothing is found, and no list holds it", async () => {
    for (const stranger of ["release-orchestrator"] as const)
      for (const path of ["/tasks", "/approvals", `/tasks?after=task_ffffffff-ffff-7fff-bfff-ffffffffffff`]) {
        const { status, body } = await house.ask("GET", path, { as: stranger })
        expect([status, JSON.stringify(body).includes("task_")], path).toEqual([200, false])
      }
    for (const stranger of STRANGERS)
      expect(
        (await house.ask("GET", `/ledger/entries?task=${ids.tasks?.there}`, { as: stranger })).status,
      ).toBe(403)
  })

  test("K12 a token of another's task can't be asked about or ended", async () => {
    const { body } = await house.ask("POST", "/tasks", { as, json: START })
    const [minted] = body.tokens as { access_token: string }[]
    const headers = { "content-type": "application/x-www-form-urlencoded" }
    const form = { as: "release-orchestrator", headers, body: `token=${minted?.access_token}` } as const
    expect((await house.ask("POST", "/introspect", form)).body).toEqual({ active: false })
    const ended = await house.call("POST", "/revoke", form)
    const junk = await house.call("POST", "/revoke", { ...form, body: "token=x.y.z" })
    expect([ended.status, await ended.text()]).toEqual([junk.status, await junk.text()])
    const own = await house.ask("POST", "/introspect", { as, headers, body: form.body })
    expect(own.body.active).toBe(true)
  })

  test("K12 ids are drawn, not counted: 74 bits of each are by chance", () => {
    const drawn = Object.values(ids).map(({ there }) => there.replace(/^\w+_/, ""))
    for (const one of drawn)
      expect(one).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(new Set(drawn.map((one) => one.slice(-12))).size).toBe(drawn.length)
  })
})

async function answer(one: Asked, caller: CallerName, id = "") {
  const [given] = one.parameters
  const line = given ? lineWith(one, given, id) : one.path
  const { status, body } = await house.ask(one.method, line, { as: caller, ...emptyBody(one) })
  const { request_id: _, ...rest } = body
  return { status, rest }
}

describe("K15 cursors and limits", () => {
  const listing = (name: string) =>
    surface.flatMap((asked) =>
      asked.parameters.filter((one) => one.name === name).map((given) => ({ asked, given })),
    )

  test("K15 there are as many as are known of", () => {
    expect(listing("after").length).toBeGreaterThanOrEqual(7)
    expect(listing("limit").length).toBeGreaterThanOrEqual(6)
  })

  test("K15 one that was not given out is refused", async () => {
    for (const { asked, given } of listing("after")) {
      // A page goes on after a name: any text is a place among names.
      if (asked.path === "/console/agents") continue
      const [as] = asked.callers
      const limit = asked.parameters.some(({ name }) => name === "limit") ? "?limit=1" : ""
      const first = await (await house.call(asked.method, `${asked.path}${limit}`, as && { as })).text()
      const next = /"(?:next|cursor)":"?([\w-]+)/.exec(first)?.[1] ?? "MQ"
      for (const text of cursors(next).filter((one) => !new RegExp(given.pattern ?? "$.").test(one))) {
        // An empty field of a form was not filled in.
        if (text === "" && asked.path.startsWith("/console")) continue
        const { status } = await house.call(asked.method, lineWith(asked, given, text), as && { as })
        expect(status, `${asked.path} ${JSON.stringify(text)}`).toBe(400)
      }
    }
    expect(house.faults).toEqual([])
  })

  test.each([
    "-1",
    "0",
    "00",
    "1e2",
    "1.0",
    "+1",
    " 1",
    "1 ",
    "0x1",
    "NaN",
    "",
    "1001",
    "99999999999999999999",
    "١",
  ])("K15 a limit of %j is refused", async (limit) => {
    for (const { asked, given } of listing("limit")) {
      const [caller] = asked.callers
      const { status } = await house.ask("GET", lineWith(asked, given, limit), caller && { as: caller })
      expect(status, asked.path).toBe(400)
    }
  })

  test("K15 a cursor is a place and no right: another's shows its bearer nothing of the other", async () => {
    const first = await house.ask("GET", "/tasks?limit=1", { as })
    const next = String(first.body.next)
    expect((await house.ask("GET", `/tasks?after=${next}`, { as })).body.tasks).not.toEqual([])
    const { status, body } = await house.ask("GET", `/tasks?after=${next}`, { as: "release-orchestrator" })
    expect([status, body]).toEqual([200, { tasks: [], next: null }])
  })

  test("K15 one of other filters goes on from its place, and one past the end finds nothing", async () => {
    const auditor = { as: "audit-team" } as const
    const first = await house.ask("GET", "/ledger/entries?limit=3", auditor)
    const line = `/ledger/entries?kind=task.started&after=${first.body.next}`
    const { entries } = (await house.ask("GET", line, auditor)).body
    expect((entries as { seq: number }[]).every(({ seq }) => seq > 3)).toBe(true)
    const end = Buffer.from("999999999999999").toString("base64url")
    expect((await house.ask("GET", `/ledger/entries?after=${end}`, auditor)).body).toEqual({
      entries: [],
      next: null,
    })
  })
})
