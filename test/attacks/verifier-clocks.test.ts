// F15 A verifier's clock that is not the issuer's: five seconds are allowed, beyond them the later of the two counts, and how
// far they are apart is measured.
import { join } from "node:path"
import { metrics } from "@opentelemetry/api"
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics"
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest"
import { createVerifier, type Verifier } from "../../src/verifier/verifier.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { newFolder, optionsOf, removeFolder } from "../support/guarded-api.ts"
import { startIssuerStub } from "../support/issuer-stub.ts"

const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
const reader = new PeriodicExportingMetricReader({ exporter: measured, exportIntervalMillis: 3_600_000 })
const issuersClock = createFakeClock()
const folder = newFolder()
let stub: Awaited<ReturnType<typeof startIssuerStub>>
let verifier: Verifier | undefined
beforeAll(async () => {
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
  stub = await startIssuerStub(issuersClock, { tellsTime: true })
})
afterEach(async () => {
  await verifier?.close()
  verifier = undefined
})
afterAll(async () => {
  await reader.shutdown()
  metrics.disable()
  await stub.close()
  removeFolder(folder)
})

async function startVerifier(name: string) {
  const clock = createFakeClock(issuersClock.now())
  const one = await createVerifier(optionsOf(stub.issuer, join(folder, `${name}.db`), { clock }))
  verifier = one
  await vi.waitFor(() => expect(one.ready().ready).toBe(true), 10_000)
  const decide = async (token: string) => {
    const view = { method: "GET", target: "/", rawHeaders: ["Authorization", `Bearer ${token}`] }
    const decision = await one.check(view, "tickets:read", ["tickets", "SUP-1042"])
    if (decision.outcome === "allowed") decision.finished(200)
    return decision.outcome === "refused" ? `${decision.answer.status} ${decision.code}` : decision.outcome
  }
  return { clock, decide }
}

test.each([
  [-45, "allowed", "allowed"],
  [-6, "allowed", "allowed"],
  [-5, "allowed", "allowed"],
  [0, "allowed", "allowed"],
  [5, "allowed", "allowed"],
  [6, "allowed", "401 token_expired"],
  [45, "allowed", "401 token_expired"],
])("F15 %i s from the issuer's: a fresh token is %s, one that ends now %s", async (off, fresh, ending) => {
  const { clock, decide } = await startVerifier(`at${off}`)
  clock.step(off * 1000)
  const now = Math.floor(issuersClock.now() / 1000)
  expect(await decide(stub.mint({ iat: now }))).toBe(fresh)
  expect(await decide(stub.mint({ iat: now - 600, exp: now }))).toBe(ending)
  expect(await decide(stub.mint({ iat: now - 600, exp: now - 11 }))).toBe("401 token_expired")
})

const skewTold = async () => {
  await reader.forceFlush()
  const all =
    measured
      .getMetrics()
      .at(-1)
      ?.scopeMetrics.flatMap((scope) => scope.metrics) ?? []
  const skew = all.find(({ descriptor }) => descriptor.name === "taskmint.clock.skew")
  expect(skew?.descriptor.unit).toBe("s")
  return Number(skew?.dataPoints.at(-1)?.value)
}

test("F15 how far the clocks are apart is measured, to a second, whatever it is", async () => {
  const { clock } = await startVerifier("measured")
  for (const [step, expected] of [
    [0, 0],
    [-45_000, 45],
    [48_000, -3],
  ] as const) {
    clock.step(step)
    await vi.waitFor(async () => expect(Math.abs((await skewTold()) - expected)).toBeLessThan(1), 10_000)
  }
})
