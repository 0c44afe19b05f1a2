// What a verifier tells OpenTelemetry: one span and one measurement for each decision, how old its knowledge is, and how far
// the issuer's clock is from ours. Through the API alone: without an SDK in the host it does nothing. No token, no header and
// no query is in any of it, and what watches decides nothing: a fault of the SDK changes no decision.
import {
  type Attributes,
  createNoopMeter,
  type Meter,
  metrics,
  type ObservableResult,
  ProxyTracerProvider,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api"
import type { Recorder } from "../spool/recorder.ts"
import type { IssuerTime } from "./issuer-time.ts"
import type { Revocations } from "./revocations.ts"
import type { Witness } from "./witness.ts"

export interface Telemetry {
  /** The same check, each with a span `taskmint.check` below the one that is active, and timed. */
  watch<View extends Viewed, Rest extends readonly unknown[], Decision extends Decided>(
    check: (view: View, operation: string, ...rest: Rest) => Promise<Decision>,
  ): (view: View, operation: string, ...rest: Rest) => Promise<Decision>
  /** Tells of no ages and clocks any more. */
  close(): void
}

interface Viewed {
  readonly method: string
  readonly route?: string
}

interface Decided {
  readonly outcome: string
  /** Of a refusal. */
  readonly code?: string
  readonly use?: { readonly task: string; readonly useId: string }
}

const SCOPE = "taskmint"
/** A decision takes a tenth of a millisecond, its record some more; the SDK's own boundaries are for milliseconds. */
const SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]
const TRACE_ID = /^(?!0{32})[0-9a-f]{32}$/

interface Measured {
  readonly revocations: Pick<Revocations, "age">
  readonly issuerTime: Pick<IssuerTime, "skewSeconds">
  readonly witness: Pick<Witness, "standing">
  readonly recorder: Pick<Recorder, "filled">
}

/** The host's SDK must be registered before, for its metrics; spans find it later, too. */
export function createTelemetry(measured: Measured): Telemetry {
  const meter = metrics.getMeter(SCOPE)
  const duration = meter.createHistogram("taskmint.check.duration", {
    unit: "s",
    description: "How long a decision took, its record included",
    advice: { explicitBucketBoundaries: SECONDS },
  })
  const gauges = openGauges(meter, measured)
  const tell = async <Decision extends Decided>(
    check: () => Promise<Decision>,
    tracer: Tracer | undefined,
    view: Viewed,
    operation: string,
  ): Promise<Decision> => {
    const began = performance.now()
    const span = tracer && safely(() => tracer.startSpan("taskmint.check"))
    const decision = await check()
    safely(() => {
      const told = describe(operation, decision)
      duration.record((performance.now() - began) / 1000, told)
      if (span?.isRecording()) {
        span.setAttributes({ ...told, ...describeRequest(view), ...describeUse(decision) })
        // A refusal is a decision, not a failure of ours; only what can't be told is.
        if (decision.code?.endsWith("_unavailable")) span.setStatus({ code: SpanStatusCode.ERROR })
      }
      span?.end()
    })
    return decision
  }
  const isMeasured = meter !== createNoopMeter()
  return {
    watch:
      (check) =>
      (view, operation, ...rest) => {
        const tracer = safely(findTracer)
        // Where nobody listens, a request pays for nothing.
        if (!tracer && !isMeasured) return check(view, operation, ...rest)
        return tell(() => check(view, operation, ...rest), tracer, view, operation)
      },
    close() {
      for (const gauge of gauges) gauge.close()
    },
  }
}

const AGE = "How old the knowledge of revocations is"
const SKEW = "How far the issuer's clock is ahead of this one"
const FILLED =
  "How much of the spool is taken by uses that the issuer does not have yet; 1: nothing is served"
const FORKED = "1: the issuer's ledger is not the one that was known, and nothing is served"

function openGauges(meter: Meter, { revocations, issuerTime, witness, recorder }: Measured) {
  const age = () => {
    const milliseconds = revocations.age()
    return milliseconds && milliseconds / 1000
  }
  return [
    gaugeOf(meter, "taskmint.revocations.age", AGE, age, "s"),
    gaugeOf(meter, "taskmint.clock.skew", SKEW, issuerTime.skewSeconds, "s"),
    gaugeOf(meter, "taskmint.spool.filled", FILLED, recorder.filled),
    gaugeOf(meter, "taskmint.ledger.forked", FORKED, () => (witness.standing() ? 1 : 0)),
  ]
}

/** Told whenever the SDK asks, while there is something to tell. */
function gaugeOf(
  meter: Meter,
  name: string,
  description: string,
  value: () => number | undefined,
  unit = "1",
) {
  const gauge = meter.createObservableGauge(name, { unit, description })
  const tell = (result: ObservableResult) => {
    const told = value()
    if (told !== undefined) result.observe(told)
  }
  gauge.addCallback(tell)
  return { close: () => gauge.removeCallback(tell) }
}

/** The host's own, if it has registered one by now. */
function findTracer(): Tracer | undefined {
  const provider = trace.getTracerProvider()
  return provider instanceof ProxyTracerProvider
    ? provider.getDelegateTracer(SCOPE)
    : provider.getTracer(SCOPE)
}

/** The trace that the request belongs to, where the host has one. */
export function activeTraceId(): string | undefined {
  const id = safely(() => trace.getActiveSpan()?.spanContext().traceId)
  return id !== undefined && TRACE_ID.test(id) ? id : undefined
}

/** Few values each, for a metric: operations are in the host's code, codes in our table. */
const describe = (operation: string, { outcome, code }: Decided): Attributes => ({
  "taskmint.operation": operation,
  "taskmint.outcome": outcome,
  ...(code !== undefined && { "error.type": code }),
})

const describeRequest = ({ method, route }: Viewed): Attributes => ({
  "http.request.method": method,
  ...(route && { "http.route": route }),
})

const describeUse = ({ use }: Decided): Attributes =>
  use ? { "taskmint.task": use.task, "taskmint.use": use.useId } : {}

function safely<T>(tell: () => T): T | undefined {
  try {
    return tell()
  } catch {
    return undefined
  }
}
