// The closing statement of a task, from its start to its successors: what it counts, when it is final, that it then stays, and
// what the ledger says of it.
import { createHash } from "node:crypto"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import type { Statement } from "../../src/audit/statement.ts"
import { commit } from "../../src/ledger/commitment.ts"
import { type CallerName, type House, openHouse, START } from "../support/issuer-house.ts"
import { createReporter, type ReportedToken, reportedToken } from "../support/reporter.ts"

vi.setConfig({ testTimeout: 30_000 })

const HOUR = 3_600_000

let house: House
beforeEach(async () => {
  house = await openHouse()
})
afterEach(() => house.remove())

interface Answer {
  readonly state: string
  readonly number: number
  readonly jws: string
  readonly statement: Statement
  readonly personal: {
    readonly key: string
    readonly values: readonly { readonly name: string; readonly value: string; readonly hmac: string }[]
  }
}

async function start(): Promise<{ id: string; token: ReportedToken; text: string }> {
  const { body } = await house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
  const [first] = body.tokens as { access_token: string }[]
  const text = first?.access_token ?? ""
  return { id: String(body.task_id), token: reportedToken(text), text }
}

async function statementOf(id: string, as: CallerName = "support-orchestrator"): Promise<Answer> {
  const { status, body } = await house.ask("GET", `/tasks/${id}/statement`, { as })
  expect(status).toBe(200)
  return body as unknown as Answer
}

const end = (id: string) => house.ask("POST", `/tasks/${id}/complete`, { as: "support-orchestrator" })

/** What the timers do, after so much time. */
async function later(milliseconds: number): Promise<void> {
  house.clock.advance(milliseconds)
  await house.issuer.sweep()
  expect(house.faults).toEqual([])
}

const entriesOf = async (query: string) =>
  (await house.ask("GET", `/ledger/entries?limit=1000&${query}`, { as: "audit-team" })).body
    .entries as Record<string, unknown>[]

const digestIn = (jws: string) =>
  `sha-256:${createHash("sha256")
    .update(Buffer.from(jws.split(".")[1] ?? "", "base64url"))
    .digest("base64url")}`

describe("what it tells", () => {
  test("of a running task: granted, used, never used, refused, and where it ends in the ledger", async () => {
    const { id, token } = await start()
    const reporter = createReporter(house)
    const { use } = reporter
    await reporter.report([
      use(token),
      use(token),
      use(token, { operation: "tickets:comment", resource: ["tickets", "SUP-1042", "comments"] }),
      use(token, { decision: "refused", code: "resource_not_granted", resource: ["tickets", "OPS-1"] }),
      use(token, {
        decision: "refused",
        code: "resource_not_granted",
        resource: ["tickets", "x"],
        count: 40,
      }),
      use(token, { decision: "observed", code: "operation_not_granted" }),
    ])
    const { state, number, statement, personal } = await statementOf(id)
    expect([state, number, statement.state]).toEqual(["provisional", 1, "provisional"])
    expect(statement.task).toMatchObject({ id, type: "triage-ticket", state: "active", agent: "triage-bot" })
    const hidden = (name: string, value: string) =>
      commit(Buffer.from(personal.key, "base64url"), name, value)
    expect(statement.task.purpose).toEqual(hidden("purpose", START.purpose))
    expect(statement.authority[0]).toMatchObject({
      rule: "support.yaml#/tasks/triage-ticket/grants/0",
      api: "tickets",
      allowed: 3,
      observed: 1,
      operations: [
        { operation: "tickets:read", allowed: 2, observed: 1 },
        { operation: "tickets:comment", allowed: 1, observed: 0 },
      ],
      resources: [
        { resource: hidden("resource", "tickets/SUP-1042"), allowed: 2, observed: 1 },
        { resource: hidden("resource", "tickets/SUP-1042/comments"), allowed: 1 },
      ],
    })
    expect(statement.never_used).toContainEqual(
      expect.objectContaining({
        rule: "support.yaml#/tasks/triage-ticket/grants/1",
        operation: "tickets:close",
      }),
    )
    expect(statement.refusals).toMatchObject([{ by: "api", code: "resource_not_granted", count: 41 }])
    expect(statement.holders).toMatchObject([
      {
        agent: "triage-bot",
        instance: "pod-1",
        tokens: 1,
        allowed: 3,
        observed: 1,
        refused: 41,
        lineage: [],
      },
    ])
    expect(statement.verifiers).toMatchObject([
      { verifier: reporter.instance, sequence: 1, standing: "reporting" },
    ])
    const seqs = (await entriesOf(`task=${id}`)).map(({ seq }) => Number(seq))
    expect(statement.ledger).toMatchObject({ first: seqs[0], last: seqs.at(-1), entries: seqs.length })
    expect(statement.ledger.checkpoint).toContain(`taskmint.internal\n${statement.ledger.through}\n`)
    await reporter.report([], { final: true })
  })

  test("no personal value stands in what is signed, and each stands beside it", async () => {
    const { id, token } = await start()
    const reporter = createReporter(house)
    await reporter.report([reporter.use(token)], { final: true })
    const { jws, personal } = await statementOf(id)
    const signed = Buffer.from(jws.split(".")[1] ?? "", "base64url").toString("utf8")
    for (const value of ["SUP-1042", START.purpose]) expect(signed).not.toContain(value)
    const key = Buffer.from(personal.key, "base64url")
    expect(personal.values.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["sub", "purpose", "resource"]),
    )
    for (const { name, value, hmac } of personal.values) {
      expect(commit(key, name, value)).toEqual({ hmac })
      expect(signed).toContain(hmac)
    }
  })

  test("an API that asks instead of recording is named", async () => {
    const { id, text } = await start()
    const headers = { "content-type": "application/x-www-form-urlencoded" }
    for (const _ of [1, 2])
      await house.call("POST", "/introspect", { as: "tickets", headers, body: `token=${text}` })
    expect((await statementOf(id)).statement.not_recording).toEqual([
      { api: "tickets", verifiers: 0, introspected: 2 },
    ])
  })

  test("a refusal of the issuer is told with its reason", async () => {
    const { id } = await start()
    const json = { operations: ["tickets:nonsense"] }
    await house.ask("POST", `/tasks/${id}/tokens`, { as: "support-orchestrator", json })
    const { statement } = await statementOf(id)
    const why = "operations beyond the grant were asked for"
    expect(statement.refusals).toMatchObject([{ by: "issuer", code: expect.any(String), count: 1, why }])
  })
})

describe("when it is final", () => {
  test("once every instance has reported past the end; then the same bytes for ever, and an entry with its digest", async () => {
    const { id, token } = await start()
    const [one, two] = [createReporter(house), createReporter(house)]
    await one.report([one.use(token)])
    await two.report()
    await end(id)
    await later(11_000)
    await one.report()
    await later(5000)
    expect((await statementOf(id)).statement.verifiers).toContainEqual(
      expect.objectContaining({ verifier: two.instance, standing: "behind" }),
    )
    expect((await statementOf(id)).state).toBe("provisional")
    await two.report()
    await later(5000)
    const final = await statementOf(id)
    expect(final).toMatchObject({
      state: "final",
      number: 1,
      statement: { state: "final", task: { state: "completed" } },
    })
    expect(final.statement.verifiers.filter(({ standing }) => standing === "past_end")).toHaveLength(2)
    const closed = await entriesOf(`task=${id}&kind=task.closed`)
    expect(closed).toMatchObject([
      { agent: "triage-bot", body: { number: 1, statement: digestIn(final.jws) } },
    ])
    await later(2 * HOUR)
    expect((await statementOf(id)).jws).toBe(final.jws)
    expect(await entriesOf(`task=${id}&kind=task.closed`)).toHaveLength(1)
    for (const reporter of [one, two]) await reporter.report([], { final: true })
  })

  test("an instance that has not applied the end is waited for, although it reports", async () => {
    const { id } = await start()
    const reporter = createReporter(house)
    await reporter.report()
    const before = Number((await house.ask("GET", "/revocations?after=0", { as: "tickets" })).body.cursor)
    await end(id)
    await later(11_000)
    await reporter.report([], { cursor: before })
    await later(5000)
    expect((await statementOf(id)).state).toBe("provisional")
    await reporter.report()
    await later(5000)
    expect((await statementOf(id)).state).toBe("final")
    await reporter.report([], { final: true })
  })

  test("a day after the end, whoever is missing, who is then named", async () => {
    const { id } = await start()
    const reporter = createReporter(house)
    await reporter.report()
    await end(id)
    await later(23 * HOUR)
    expect((await statementOf(id)).state).toBe("provisional")
    await later(HOUR + 1)
    const { state, statement } = await statementOf(id)
    expect(state).toBe("final")
    expect(statement.verifiers).toMatchObject([{ verifier: reporter.instance, standing: "behind" }])
    await reporter.report([], { final: true })
  })

  test("a task that ran out is closed as well", async () => {
    const { id } = await start()
    await later(2 * HOUR + 1000)
    await later(15_000)
    expect(await statementOf(id)).toMatchObject({ state: "final", statement: { task: { state: "expired" } } })
  })

  test("uses that come later make a successor that names the one before, once they have stopped coming", async () => {
    const { id, token } = await start()
    const reporter = createReporter(house)
    await reporter.report([reporter.use(token)])
    await end(id)
    await later(11_000)
    await reporter.report()
    await later(5000)
    const first = await statementOf(id)
    for (const _ of [1, 2, 3]) await reporter.report([reporter.use(token)])
    await later(5000)
    expect((await statementOf(id)).jws).toBe(first.jws)
    await later(60_000)
    const second = await statementOf(id)
    expect(second).toMatchObject({ state: "final", number: 2, statement: { previous: digestIn(first.jws) } })
    expect([first, second].map(({ statement }) => statement.authority[0]?.allowed)).toEqual([1, 4])
    const closed = await entriesOf(`task=${id}&kind=task.closed`)
    expect(closed.map(({ body }) => body)).toMatchObject([
      { number: 1, statement: digestIn(first.jws) },
      { number: 2, statement: digestIn(second.jws), previous: digestIn(first.jws) },
    ])
    await later(HOUR)
    expect((await statementOf(id)).number).toBe(2)
    await reporter.report([], { final: true })
  })

  test("an issuer that starts again closes what ended before it", async () => {
    const { id } = await start()
    await end(id)
    await house.restart()
    await later(11_000)
    await later(5000)
    expect((await statementOf(id)).state).toBe("final")
  })
})

describe("who may read it", () => {
  test("its orchestrator and staff; to others it is not there", async () => {
    const { id } = await start()
    for (const as of ["support-orchestrator", "audit-team", "operations-team"] as const)
      expect((await statementOf(id, as)).statement.task.id).toBe(id)
    const asked = async (path: string) => {
      const { status, body } = await house.ask("GET", path, { as: "release-orchestrator" })
      const { request_id: _, ...told } = body
      return { status, told }
    }
    const others = await asked(`/tasks/${id}/statement`)
    expect(others).toEqual(await asked("/tasks/task_01a2015d-9a60-7bc1-8d89-654aa2e41021/statement"))
    expect(others).toEqual(await asked("/tasks/nonsense/statement"))
    expect(others.status).toBe(404)
    expect((await house.call("GET", `/tasks/${id}/statement`, { as: "tickets" })).status).toBe(403)
    expect((await house.call("GET", `/tasks/${id}/statement`)).status).toBe(401)
  })

  test("that staff read it is an entry", async () => {
    const { id } = await start()
    await statementOf(id, "operations-team")
    await statementOf(id, "support-orchestrator")
    const reads = (await entriesOf("kind=access.read")).filter((one) => JSON.stringify(one).includes(id))
    expect(reads).toMatchObject([
      { body: { by: "operations-team", report: "statement", parameters: { task: id } } },
    ])
  })
})
