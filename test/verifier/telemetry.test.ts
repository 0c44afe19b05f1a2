// What the host's OpenTelemetry SDK gets to see: the real one, in memory. No token, no header, no query.
import { AsyncLocalStorage } from "node:async_hooks"
import { type Context, type ContextManager, context, metrics, ROOT_CONTEXT, trace } from "@opentelemetry/api"
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics"
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { newId } from "../../src/token/id.ts"
import { type GuardedApi, startGuardedApi } from "../support/guarded-api.ts"

const spans = new InMemorySpanExporter()
const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
const reader = new PeriodicExportingMetricReader({ exporter: measured, exportIntervalMillis: 3_600_000 })
let api: GuardedApi

beforeAll(async () => {
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }))
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
  context.setGlobalContextManager(createContextManager())
  api = await startGuardedApi()
})
beforeEach(() => spans.reset())
afterAll(async () => {
  await api.close()
  await reader.shutdown()
  trace.disable()
  context.disable()
  metrics.disable()
})

const told = () =>
  spans.getFinishedSpans().map(({ name, attributes, status }) => ({ name, attributes, status }))

test("a decision is one span with operation, outcome, route and task, and nothing of the request besides", async () => {
  const task = newId("task")
  const token = api.stub.mint({ txn: task })
  expect((await api.get("/tickets/SUP-1042?email=ana", token)).status).toBe(200)
  expect(told()).toMatchObject([
    {
      name: "taskmint.check",
      attributes: {
        "taskmint.operation": "tickets:read",
        "taskmint.outcome": "allowed",
        "taskmint.task": task,
        "taskmint.use": api.handled.at(-1)?.use.useId,
        "http.request.method": "GET",
        "http.route": "/tickets/:id",
      },
      status: { code: 0 },
    },
  ])
  const everything = JSON.stringify(told())
  for (const secret of [token, token.split(".")[2] ?? "", "SUP-1042", "email"])
    expect(everything).not.toContain(secret)
})

test("a refusal is told by its code; only what can't be told is an error", async () => {
  await api.get("/tickets/SUP-1043", api.stub.mint())
  await api.get("/tickets/SUP-1042", "junk")
  expect(
    told().map(({ attributes, status }) => [
      attributes["taskmint.outcome"],
      attributes["error.type"],
      status.code,
    ]),
  ).toEqual([
    ["refused", "resource_not_granted", 0],
    ["refused", "token_invalid", 0],
  ])
})

test("decisions are counted and timed by operation, outcome and code; revocations have an age", async () => {
  await api.get("/tickets/SUP-1042", api.stub.mint())
  await reader.forceFlush()
  const all =
    measured
      .getMetrics()
      .at(-1)
      ?.scopeMetrics.flatMap((scope) => scope.metrics) ?? []
  const durations = all.find(({ descriptor }) => descriptor.name === "taskmint.check.duration")
  expect(durations?.descriptor.unit).toBe("s")
  expect(durations?.dataPoints.map(({ attributes }) => attributes)).toContainEqual({
    "taskmint.operation": "tickets:read",
    "taskmint.outcome": "refused",
    "error.type": "resource_not_granted",
  })
  expect(
    all.find(({ descriptor }) => descriptor.name === "taskmint.revocations.age")?.dataPoints,
  ).toHaveLength(1)
})

test("a use names the trace that its request belongs to", async () => {
  const task = newId("task")
  const view = {
    method: "GET",
    target: "/tickets/SUP-1042",
    rawHeaders: ["Authorization", `Bearer ${api.stub.mint({ txn: task })}`],
  }
  const span = trace.getTracer("host").startSpan("request")
  const check = () => api.verifier.check(view, "tickets:read", ["tickets", "SUP-1042"])
  for (const decision of [await context.with(trace.setSpan(ROOT_CONTEXT, span), check), await check()])
    if (decision.outcome === "allowed") decision.finished(200)
  await api.verifier.flush()
  const traces = api.stub.uses().flatMap((use) => (use.task === task ? [use.trace_id] : []))
  expect(traces).toEqual([span.spanContext().traceId, undefined])
})

/** What an SDK for Node brings along. */
function createContextManager(): ContextManager {
  const storage = new AsyncLocalStorage<Context>()
  return {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (active, run, of, ...args) => storage.run(active, () => run.call(of as never, ...args)),
    bind: (_, target) => target,
    enable: () => createContextManager(),
    disable: () => createContextManager(),
  }
}
