// What a closing statement says of reports that are not whole: which batches are missing, of whom, and what was given up.
import { afterEach, beforeEach, expect, test } from "vitest"
import type { Statement } from "../../src/audit/statement.ts"
import { type House, openHouse, START } from "../support/issuer-house.ts"
import { createReporter } from "../support/reporter.ts"

const HOUR = 3_600_000
const DAY = 24 * HOUR
const RELEASE = {
  type: "deploy-service",
  agent: { id: "deploy-bot", instance: "pod-1" },
  purpose: "Release it",
  inputs: { environment: "staging", service: "billing" },
}
const OTHERS = `sha-256:${"x".repeat(43)}`

let house: House
beforeEach(async () => {
  house = await openHouse()
})
afterEach(() => house.remove())

async function start(instance = "pod-1"): Promise<string> {
  house.clock.advance(10)
  const json = { ...START, agent: { ...START.agent, instance } }
  const { body } = await house.ask("POST", "/tasks", { as: "support-orchestrator", json })
  house.clock.advance(10)
  return String(body.task_id)
}
async function statementOf(id: string): Promise<Statement> {
  const { status, body } = await house.ask("GET", `/tasks/${id}/statement`, { as: "audit-team" })
  expect(status).toBe(200)
  return body.statement as Statement
}
const forget = (instance: string) =>
  house.ask("POST", `/verifiers/${instance}/forget`, {
    as: "operations-team",
    json: { reason: "Its disk is gone" },
  })

test("batches that are missing are named, in every task that ran before that showed; one that comes late is not", async () => {
  const before = await start()
  const reporter = createReporter(house)
  await reporter.report()
  await reporter.report([], { sequence: 5, previous: OTHERS })
  const after = await start("pod-2")
  const gap = { verifier: reporter.instance, api: "tickets", why: "missing", told_at: expect.any(String) }
  expect((await statementOf(before)).gaps).toEqual([{ ...gap, from: 2, to: 4 }])
  expect(await statementOf(after)).not.toHaveProperty("gaps")
  await createReporter(house).report() // whole, and so not named
  await reporter.report([], { sequence: 3, previous: OTHERS })
  expect((await statementOf(before)).gaps).toEqual([
    { ...gap, from: 2, to: 2 },
    { ...gap, from: 4, to: 4 },
  ])
})

test("what was given up is told with its time, of batches and of an instance; and it stays in the final statement", async () => {
  const id = await start()
  const [gappy, silent] = [createReporter(house), createReporter(house)]
  await gappy.report()
  await silent.report()
  await gappy.report([], { sequence: 3, previous: OTHERS })
  house.clock.advance(DAY / 2)
  await gappy.report([], { sequence: 4, previous: OTHERS })
  expect((await forget(gappy.instance)).status).toBe(200)
  expect((await forget(silent.instance)).status).toBe(200)
  await house.ask("POST", `/tasks/${id}/complete`, { as: "support-orchestrator" })
  house.clock.advance(DAY + 1000)
  await house.issuer.sweep()
  const { state, gaps, verifiers } = await statementOf(id)
  expect(state).toBe("final")
  expect(gaps).toMatchObject([
    { verifier: gappy.instance, from: 2, to: 2, written_off_at: expect.stringMatching(/Z$/) },
    { verifier: gappy.instance, from: 3, to: 3, why: "chain_differs" },
  ])
  const given = verifiers.filter(({ written_off_at }) => written_off_at !== undefined)
  expect(given).toMatchObject([{ verifier: silent.instance, standing: "closed" }])
})

test("those of another API's verifiers are not", async () => {
  const { body } = await house.ask("POST", "/tasks", { as: "release-orchestrator", json: RELEASE })
  const reporter = createReporter(house)
  await reporter.report()
  await reporter.report([], { sequence: 3, previous: OTHERS })
  expect(body).toHaveProperty("task_id")
  expect(await statementOf(String(body.task_id))).not.toHaveProperty("gaps")
})

async function ended(instance: string): Promise<string> {
  const id = await start(instance)
  await house.ask("POST", `/tasks/${id}/complete`, { as: "support-orchestrator" })
  return id
}
async function later(milliseconds: number): Promise<void> {
  house.clock.advance(milliseconds)
  await house.issuer.sweep()
  expect(house.faults).toEqual([])
}

test("a gap that is told of after the final statement makes a numbered successor, of tasks that it may tell of", async () => {
  const reporter = createReporter(house)
  const long = await ended("pod-1")
  await later(HOUR)
  await reporter.report()
  const lately = await ended("pod-2")
  await later(DAY)
  await later(5000)
  const first = await statementOf(lately)
  expect(first).toMatchObject({ state: "final", number: 1, verifiers: [{ standing: "behind" }] })
  await reporter.report([], { sequence: 4, previous: OTHERS })
  const since = await ended("pod-3")
  await later(11_000)
  await reporter.report([], { sequence: 5 })
  await later(60_000)
  await later(5000)
  const second = await statementOf(lately)
  expect(second).toMatchObject({ state: "final", number: 2, gaps: [{ from: 2, to: 3, why: "missing" }] })
  expect(second.previous).toMatch(/^sha-256:/)
  await later(HOUR)
  for (const [task, number] of [
    [long, 1],
    [lately, 2],
    [since, 1],
  ] as const)
    expect(await statementOf(task)).toMatchObject({ state: "final", number })
})
