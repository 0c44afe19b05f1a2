// What the issuer tells OpenTelemetry: how requests ended and how long they took, how the database keeps up, who waits and
// who follows. Through the API alone: without an SDK in the host it does nothing. No token, name or id is in any of it, and
// what watches decides nothing: a fault of the SDK changes no answer.
import {
  type Attributes,
  createNoopMeter,
  type Meter,
  metrics,
  type ObservableResult,
} from "@opentelemetry/api"
import { ALARMS } from "../audit/alarm.ts"
import { POSTURE_RULES } from "../audit/posture/rules.ts"
import { STANDING_RULES } from "../audit/posture/standing-rules.ts"
import { type Engine, type Step, Unavailable } from "../database/database.ts"
import type { Code } from "../errors.ts"
import { insertBytes } from "../ledger/statements.ts"
import type { Admission } from "./admission.ts"
import type { Endpoint } from "./endpoint.ts"
import type { PostureWatch } from "./posture-watch.ts"
import type { Rooms } from "./rooms.ts"

/** How a request ended: `code` of a refusal, `fault` of what nobody expected. */
export interface Answered {
  readonly response: Response
  readonly code?: Code | "fault"
}

export interface Telemetry {
  /** The same engine, its commits timed and counted. */
  engine(engine: Engine): Engine
  /** The same answers, each timed. */
  watch<C>(endpoint: Endpoint, answer: (asked: C) => Promise<Answered>): (asked: C) => Promise<Response>
  faulted(): void
  /** An alarm is written down; `code` says which. */
  alarmed(code: string | undefined): void
  /** From now on what is asked of the rooms is told, whenever the SDK wants to know. */
  observe(rooms: Observed): void
  /** Tells nothing of the rooms any more. */
  close(): void
}

type Observed = Pick<Rooms, "streams" | "policies" | "health" | "watch" | "deliveries" | "posture"> & {
  readonly admission: Admission
}

const SCOPE = "taskmint"
/** The boundaries that the semantic conventions recommend for requests, with finer ones below. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** The host's SDK must be registered before. */
export function createTelemetry(): Telemetry {
  const meter = metrics.getMeter(SCOPE)
  const requests = histogram(meter, "http.server.request.duration", "How long requests took")
  const commits = histogram(meter, "taskmint.commit.duration", "From asking for a commit to its fsync")
  const { entries, faults, alarms } = countersOf(meter)
  let waiting = 0
  const watched: (() => void)[] = [
    watchGauge(meter, "taskmint.commits.waiting", "Commits that are not on disk yet", () => [[waiting, {}]]),
  ]
  const isMeasured = meter !== createNoopMeter()

  const commit = async (engine: Engine, steps: readonly Step[]): Promise<void> => {
    const began = performance.now()
    waiting += 1
    const written = steps.filter(({ statement }) => statement === insertBytes).length
    try {
      await engine.atomically(steps)
      commits.record(secondsSince(began))
      if (written > 0) entries.add(written)
    } catch (error) {
      commits.record(secondsSince(began), {
        "error.type": error instanceof Unavailable ? "unavailable" : "conflict",
      })
      throw error
    } finally {
      waiting -= 1
    }
  }
  return {
    engine: (engine) =>
      !isMeasured
        ? engine
        : {
            query: (statement, values) => engine.query(statement, values),
            atomically: (steps) => commit(engine, steps),
            hearOthers: (listener) => engine.hearOthers(listener),
            scrub: () => engine.scrub(),
            close: () => engine.close(),
            broken: engine.broken,
          },
    watch: (endpoint, answer) => async (asked) => {
      if (!isMeasured) return (await answer(asked)).response
      const began = performance.now()
      const { response, code } = await answer(asked)
      requests.record(secondsSince(began), describe(endpoint, response.status, code))
      return response
    },
    faulted: () => faults.add(1),
    alarmed: (code = "") => alarms.add(1, { "taskmint.alarm": code }),
    observe: (rooms) => void watched.push(...watchRooms(meter, rooms)),
    close() {
      for (const stop of watched) stop()
    },
  }
}

function countersOf(meter: Meter) {
  const counter = (name: string, description: string) => meter.createCounter(name, { description })
  const entries = counter("taskmint.ledger.entries", "Entries written since the start")
  const faults = counter("taskmint.faults", "What nobody expected; the log has each")
  const alarms = counter(
    "taskmint.alarms.raised",
    "Alarms on their way to the ledger; decided again, one counts again",
  )
  // A counter that is told from zero on shows its first step, too.
  for (const one of [entries, faults]) one.add(0)
  alarms.add(0, { "taskmint.alarm": "canary_used" })
  return { entries, faults, alarms }
}

const describe = (endpoint: Endpoint, status: number, code: Answered["code"]): Attributes => ({
  "http.request.method": endpoint.method.toUpperCase(),
  "http.route": endpoint.path,
  "http.response.status_code": status,
  ...(code !== undefined && { "error.type": code }),
})

const secondsSince = (began: number): number => (performance.now() - began) / 1000

const histogram = (meter: Meter, name: string, description: string) =>
  meter.createHistogram(name, { unit: "s", description, advice: { explicitBucketBoundaries: SECONDS } })

type Observations = readonly (readonly [value: number, attributes: Attributes])[]

function watchRooms(meter: Meter, rooms: Observed): (() => void)[] {
  const { admission, streams, policies, health, watch, deliveries, posture } = rooms
  const perLane = (what: "running" | "waiting") => (): Observations =>
    Object.entries(admission.count()).map(([lane, count]) => [count[what], { "taskmint.lane": lane }])
  const gauge = (name: string, description: string, look: () => Observations | Promise<Observations>) =>
    watchGauge(meter, name, description, look)
  return [
    gauge("taskmint.requests.running", "Requests that are being answered", perLane("running")),
    gauge("taskmint.requests.waiting", "Requests that wait for their turn", perLane("waiting")),
    gauge("taskmint.feed.followers", "Open streams of revocations", () => [[streams.count(), {}]]),
    gauge(
      "taskmint.policy.refused",
      "1 while the policy files are refused and the policy in force stays",
      () => [[policies.state().refused ? 1 : 0, {}]],
    ),
    gauge("taskmint.alarms", "Alarms that stand", () =>
      ALARMS.map((kind) => [watch.standing().get(kind) ?? 0, { "taskmint.alarm": kind }]),
    ),
    gauge("taskmint.verifier.drift", "Seconds that a verifier's clock differs most from the issuer's", () => [
      [watch.drift() / 1000, {}],
    ]),
    gauge("taskmint.webhook.waiting", "Events that no webhook has taken yet", () => [
      [deliveries.standing().waiting, {}],
    ]),
    ...watchPosture(gauge, posture),
    gauge("taskmint.ready", "1 while this process can mint", async () => [
      [(await health.ready()) === undefined ? 0 : 1, {}],
    ]),
  ]
}

type Gauge = (name: string, description: string, look: () => Promise<Observations>) => () => void

/** As of the last look, which is a minute old at most. */
function watchPosture(gauge: Gauge, posture: PostureWatch): (() => void)[] {
  const ages = (of: "tasks" | "tokens") => async (): Promise<Observations> =>
    (await posture.latest())[of].map(({ withinSeconds, count }) => [
      count,
      { "taskmint.age": withinSeconds === null ? "older" : `${withinSeconds}` },
    ])
  return [
    gauge("taskmint.posture.findings", "Where the installation stands otherwise than it should", async () => {
      const { findings } = await posture.latest()
      const count = (rule: string) => findings.filter((one) => one.rule === rule).length
      return RULES.map((rule) => [count(rule), { "taskmint.rule": rule }])
    }),
    gauge(
      "taskmint.tasks.live",
      "Tasks that have not ended, by how many seconds ago they were started",
      ages("tasks"),
    ),
    gauge("taskmint.tokens.live", "Live tokens, by how many seconds ago they were issued", ages("tokens")),
    gauge("taskmint.key.age", "Seconds since the key that signs was made", async () => {
      const { at, keys } = await posture.latest()
      const current = keys.filter(({ state }) => state === "current")
      return current.map(({ signs, createdAt }) => [(at - createdAt) / 1000, { "taskmint.key": signs }])
    }),
  ]
}

const RULES = [...Object.keys(POSTURE_RULES), ...Object.keys(STANDING_RULES)]

function watchGauge(
  meter: Meter,
  name: string,
  description: string,
  look: () => Observations | Promise<Observations>,
): () => void {
  const gauge = meter.createObservableGauge(name, { description })
  const tell = async (result: ObservableResult) => {
    for (const [value, attributes] of await look()) result.observe(value, attributes)
  }
  gauge.addCallback(tell)
  return () => gauge.removeCallback(tell)
}
