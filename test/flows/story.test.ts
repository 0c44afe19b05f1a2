// The story of the glossary over real HTTP: an orchestrator starts a task, the agent's calls are allowed and refused by
// the verifiers in front of real APIs, and an auditor reads what happened.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { createSession } from "../../src/client/client.ts"
import { buildTown, type Town } from "../support/town.ts"

let town: Town

beforeAll(async () => {
  town = await buildTown()
})

afterAll(() => town.close())

const START = {
  type: "triage-ticket",
  agent: { id: "triage-bot", instance: "pod-7f3c" },
  purpose: "Triage SUP-1042",
  inputs: { ticket: "SUP-1042" },
} as const

interface Listed {
  readonly kind: string
  readonly code?: string
  readonly operation?: string
  readonly resource?: string
}

async function ledgerOf(task: string): Promise<Listed[]> {
  await town.flush()
  const { entries } = await town.ask("audit-team", "GET", `/ledger/entries?task=${task}&limit=1000`)
  return entries as Listed[]
}

async function refusalOf(answer: Response) {
  const { code, next } = (await answer.json()) as { code: string; next: string }
  return { status: answer.status, code, next, challenge: answer.headers.get("www-authenticate") }
}

/** What a session throws for a refusal that it can't help. */
const thrownBy = (call: Promise<Response>): Promise<unknown> => call.catch((error: unknown) => error)

describe("a task, from its start to its account", () => {
  test("is allowed what it was granted, refused everything else, and all of it is in the ledger", async () => {
    const task = await town.orchestrator().start({ ...START, reference: "run-1" })
    const agent = await createSession({ tokens: task.handover().tokens })

    const read = await agent.fetch(`${town.tickets}/tickets/SUP-1042`)
    expect([read.status, await read.json()]).toEqual([200, { id: "SUP-1042" }])
    expect(town.served.at(-1)).toMatchObject({ task: task.id, agent: "triage-bot", instance: "pod-7f3c" })

    expect(await thrownBy(agent.fetch(`${town.tickets}/tickets/SUP-9999`))).toMatchObject({
      status: 403,
      code: "resource_not_granted",
      next: "stop",
    })

    const [held] = task.handover().tokens
    const authorization = `Bearer ${held?.accessToken}`
    const raw = await fetch(`${town.tickets}/tickets/SUP-9999`, { headers: { authorization } })
    expect((await refusalOf(raw)).challenge).toContain('error="insufficient_scope"')
    const elsewhere = `${town.deployments}/environments/staging/services/web`
    expect(await refusalOf(await fetch(elsewhere, { headers: { authorization } }))).toMatchObject({
      status: 401,
      code: "token_invalid",
    })

    await task.complete()
    await vi.waitFor(async () => {
      const late = await thrownBy(agent.fetch(`${town.tickets}/tickets/SUP-1042`))
      expect(late).toMatchObject({ status: 401, code: "task_ended", next: "stop" })
    }, 5000)

    const entries = await ledgerOf(task.id)
    expect(entries.slice(0, 2).map((entry) => entry.kind)).toEqual(["task.started", "token.issued"])
    expect(entries).toContainEqual(
      expect.objectContaining({ kind: "use.allowed", resource: "tickets/SUP-1042" }),
    )
    for (const code of ["resource_not_granted", "token_invalid", "task_ended"])
      expect(entries).toContainEqual(expect.objectContaining({ kind: "use.refused", code }))
    expect(entries.map((entry) => entry.kind)).toContain("task.completed")
  })

  test("that asked for less is refused the rest of what its type grants", async () => {
    const task = await town.orchestrator().start({ ...START, operations: ["tickets:read"] })
    const close = await task.fetch(`${town.tickets}/tickets/SUP-1042/close`, { method: "POST" })
    expect(await refusalOf(close)).toMatchObject({ status: 403, code: "operation_not_granted", next: "stop" })
  })

  test("is paused and resumed: old tokens stay dead, new ones work at once", async () => {
    const task = await town.orchestrator().start(START)
    const before = await createSession({ tokens: task.handover().tokens, waitSeconds: 0 })
    await task.pause()
    await vi.waitFor(async () => {
      const answer = await thrownBy(before.fetch(`${town.tickets}/tickets/SUP-1042`))
      expect(answer).toMatchObject({ status: 401, code: "task_paused", next: "wait" })
    }, 5000)
    await task.resume()
    expect((await task.fetch(`${town.tickets}/tickets/SUP-1042`)).status).toBe(200)
    expect(await thrownBy(before.fetch(`${town.tickets}/tickets/SUP-1042`))).toMatchObject({ status: 401 })
    before.take(task.handover().tokens)
    expect((await before.fetch(`${town.tickets}/tickets/SUP-1042`)).status).toBe(200)
  })

  test("ends when an operator revokes its agent, and a lock keeps new ones away until it is lifted", async () => {
    const task = await town.orchestrator().start(START)
    const request = { kind: "agent", value: "triage-bot", reason: "prompt injection" }
    const revocation = await town.ask("operations-team", "POST", "/revocations", request)
    expect(revocation).toMatchObject({ kind: "agent" })
    await vi.waitFor(async () => {
      const answer = await refusalOf(await task.fetch(`${town.tickets}/tickets/SUP-1042`))
      expect(answer).toMatchObject({ status: 401, code: "token_revoked" })
    }, 5000)
    await expect(town.orchestrator().start(START)).rejects.toMatchObject({ code: "locked" })
    await vi.waitFor(async () => {
      const lifted = await town.ask("operations-team", "DELETE", `/revocations/${revocation.id}`)
      expect(lifted).toHaveProperty("lifted_at")
    }, 5000)
    const fresh = await town.orchestrator().start(START)
    expect((await fresh.fetch(`${town.tickets}/tickets/SUP-1042`)).status).toBe(200)
  })
})

describe("an issuer that is away", () => {
  test("comes back knowing everything, and gets the uses that were served meanwhile", async () => {
    const orchestrator = town.orchestrator()
    const task = await orchestrator.start({ ...START, reference: "run-9" })
    await task.fetch(`${town.tickets}/tickets/SUP-1042`)
    await town.restartIssuer(async () => {
      expect((await task.fetch(`${town.tickets}/tickets/SUP-1042`)).status).toBe(200)
    })
    const again = await town.orchestrator().start({ ...START, reference: "run-9" })
    expect(again.id).toBe(task.id)
    expect((await again.fetch(`${town.tickets}/tickets/SUP-1042`)).status).toBe(200)
    const uses = (await ledgerOf(task.id)).filter((entry) => entry.kind === "use.allowed")
    expect(uses).toHaveLength(3)
  })
})
