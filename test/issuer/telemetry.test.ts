// What a host's OpenTelemetry SDK gets to see of an issuer: the real one, in memory. Figures and codes, no names, no tokens.
import { metrics } from "@opentelemetry/api"
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics"
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest"
import { Unavailable } from "../../src/database/database.ts"
import { openDatabase } from "../../src/database/open.ts"
import { writeProbe } from "../../src/issuer/statements.ts"
import { insertBytes } from "../../src/ledger/statements.ts"
import { type House, openHouse, START } from "../support/issuer-house.ts"

const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
let house: House
/** What becomes of entries and of asking whether there can be any; the issuer's own chores, which commit at any time, go on. */
let writing: "goes on" | "fails" | Promise<void> = "goes on"

beforeAll(async () => {
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
  house = await openHouse()
  await house.issuer.close()
  const engine = await openDatabase(house.database)
  await house.restart({
    database: {
      query: (statement, values) => engine.query(statement, values),
      async atomically(steps) {
        const isOurs = steps.some(({ statement }) => statement === insertBytes || statement === writeProbe)
        const does = isOurs ? writing : "goes on"
        if (does === "fails") throw new Unavailable("no disk")
        await does
        return engine.atomically(steps)
      },
      hearOthers: (listener) => engine.hearOthers(listener),
      scrub: () => engine.scrub(),
      close: () => engine.close(),
      broken: engine.broken,
    },
  })
})
afterAll(async () => {
  await house.remove()
  await reader.shutdown()
  metrics.disable()
})
beforeEach(() => {
  writing = "goes on"
})

interface Point {
  readonly attributes: Readonly<Record<string, unknown>>
  /** Of a histogram: how often. */
  readonly value: number
}

async function points(name: string): Promise<Point[]> {
  await reader.forceFlush()
  const all = exporter
    .getMetrics()
    .at(-1)
    ?.scopeMetrics.flatMap((scope) => scope.metrics)
  const found = all?.find(({ descriptor }) => descriptor.name === name)
  return (found?.dataPoints ?? []).map(({ attributes, value }) => ({
    attributes,
    value: typeof value === "number" ? value : value.count,
  }))
}

const valueNow = async (name: string, attributes: object = {}) =>
  (await points(name)).find((one) => JSON.stringify(one.attributes) === JSON.stringify(attributes))?.value

const start = () => house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })

test("requests are timed by method, route and status, refusals by their code, and by nothing else", async () => {
  await start()
  await house.ask("POST", "/tasks", { as: "support-orchestrator", json: { ...START, type: "nonsense" } })
  await house.ask("GET", "/tasks/task_secret", { as: "support-orchestrator" })
  const told = (await points("http.server.request.duration")).map(({ attributes }) => attributes)
  const start201 = {
    "http.request.method": "POST",
    "http.route": "/tasks",
    "http.response.status_code": 201,
  }
  expect(told).toContainEqual(start201)
  const denied = { ...start201, "http.response.status_code": 403, "error.type": "access_denied" }
  expect(told).toContainEqual(denied)
  expect(told).toContainEqual({
    "http.request.method": "GET",
    "http.route": "/tasks/{id}",
    "http.response.status_code": 404,
    "error.type": "not_found",
  })
  expect(JSON.stringify(told)).not.toMatch(/secret|support|triage|nonsense/)
})

test("entries are counted when they are on disk, and commits timed", async () => {
  const [entries = 0, commits = 0] = [
    await valueNow("taskmint.ledger.entries"),
    await valueNow("taskmint.commit.duration"),
  ]
  const { promise, resolve: release } = Promise.withResolvers<void>()
  writing = promise
  const starting = start()
  await vi.waitFor(async () => expect(await valueNow("taskmint.commits.waiting")).toBeGreaterThan(0))
  expect(await valueNow("taskmint.ledger.entries")).toBe(entries)
  release()
  expect((await starting).status).toBe(201)
  expect(await valueNow("taskmint.ledger.entries")).toBe(entries + 2)
  expect(await valueNow("taskmint.commit.duration")).toBeGreaterThan(commits)
  await vi.waitFor(async () => expect(await valueNow("taskmint.commits.waiting")).toBe(0))
})

test("what failed is told apart: the disk, the fault, whether it can mint", async () => {
  const [faults = 0, entries] = [await valueNow("taskmint.faults"), await valueNow("taskmint.ledger.entries")]
  expect(await valueNow("taskmint.ready")).toBe(1)
  writing = "fails"
  house.clock.advance(2000)
  expect((await start()).status).toBe(503)
  expect(await valueNow("taskmint.faults")).toBe(faults + 1)
  expect(await valueNow("taskmint.ready")).toBe(0)
  expect(await valueNow("taskmint.ledger.entries")).toBe(entries)
  expect(await valueNow("taskmint.commit.duration", { "error.type": "unavailable" })).toBeGreaterThan(0)
})

describe("what is so at the moment", () => {
  test("who waits, who runs and who follows", async () => {
    for (const lane of ["first", "later"])
      for (const name of ["taskmint.requests.running", "taskmint.requests.waiting"])
        expect(await valueNow(name, { "taskmint.lane": lane })).toBe(0)
    const stream = await house.call("GET", "/revocations", {
      as: "tickets",
      headers: { accept: "text/event-stream" },
    })
    expect(await valueNow("taskmint.feed.followers")).toBe(1)
    await stream.body?.cancel()
    expect(await valueNow("taskmint.feed.followers")).toBe(0)
  })

  test("which alarms stand", async () => {
    const refused = { "taskmint.alarm": "agent_refused" }
    expect(await valueNow("taskmint.alarms", refused)).toBe(0)
    const json = { ...START, type: "nonsense" }
    for (let index = 0; index < 5; index++)
      await house.ask("POST", "/tasks", { as: "support-orchestrator", json })
    await house.issuer.sweep()
    expect(await valueNow("taskmint.alarms", refused)).toBe(1)
    expect(await valueNow("taskmint.alarms", { "taskmint.alarm": "verifier_silent" })).toBe(0)
  })

  test("what no webhook has taken", async () => {
    const webhooks = { addresses: ["https://127.0.0.1:1/"], privateHosts: ["127.0.0.1"] }
    await house.restart({ webhooks })
    expect(await valueNow("taskmint.webhook.waiting")).toBe(0)
    const json = { ...START, type: "nonsense" }
    for (let index = 0; index < 5; index++)
      await house.ask("POST", "/tasks", { as: "support-orchestrator", json })
    house.clock.advance(600_000)
    await house.issuer.sweep()
    await house.issuer.sweep()
    expect(await valueNow("taskmint.webhook.waiting")).toBeGreaterThan(0)
  })

  test("how the installation stands, as of the last look", async () => {
    await start()
    await house.issuer.sweep()
    const rule = (name: string) => valueNow("taskmint.posture.findings", { "taskmint.rule": name })
    expect(await rule("api-without-verifier")).toBe(2)
    expect(await rule("agent-dormant")).toBe(0)
    expect(await valueNow("taskmint.tasks.live", { "taskmint.age": "3600" })).toBeGreaterThan(0)
    expect(await valueNow("taskmint.tokens.live", { "taskmint.age": "300" })).toBeGreaterThan(0)
    expect(await valueNow("taskmint.key.age", { "taskmint.key": "tokens" })).toBeGreaterThanOrEqual(0)
  })

  test("whether policy files are refused", async () => {
    expect(await valueNow("taskmint.policy.refused")).toBe(0)
  })
})

test("an alarm that is written down is counted by its code", async () => {
  const raised = () => valueNow("taskmint.alarms.raised", { "taskmint.alarm": "canary_used" })
  expect(await raised()).toBe(0)
  const { type, agent, inputs } = START
  const json = { type, agent, inputs, reason: "drill" }
  const { body } = await house.ask("POST", "/canaries", { as: "operations-team", json })
  await house.call("GET", "/tasks", { token: String(body.access_token) })
  await vi.waitFor(async () => expect(await raised()).toBe(1), 3000)
})
