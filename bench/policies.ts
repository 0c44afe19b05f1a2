// What a large policy costs: the time to load 10,000 task types of 1,000 files in the thread that reads policies, how long
// the event loop waits meanwhile, and a decision beside one of a policy with ten; then the replay of a ledger.
import { monitorEventLoopDelay } from "node:perf_hooks"
import { Refusal } from "../src/errors.ts"
import { decide } from "../src/policy/decide.ts"
import { endReading, loadPolicy } from "../src/policy/load.ts"
import type { Policy } from "../src/policy/policy.ts"
import { createPolicyFolder, type PolicyFolder } from "../test/support/policies.ts"
import { median } from "./machine.ts"
import { FILES, KINDS, manyPolicies, startOf } from "./many-policies.ts"
import { benchReplay } from "./policy-replay.ts"
import { type Measure, printMeasures, type Settings } from "./table.ts"

const FEW = 10
const MANY = 10_000
const LOAD_MILLISECONDS = 5000
const DELAY_MILLISECONDS = 20
/** By kind of task type. */
const DECISION_MILLISECONDS = [0.05, 0.2, 0.2]
const DECISIONS = 30_000

export async function benchPolicies(settings: Settings): Promise<boolean> {
  const [few, many] = [FEW, MANY].map((tasks) => createPolicyFolder(manyPolicies(tasks)))
  if (!few || !many) throw new Error("a folder is missing")
  try {
    const loaded = await measureLoads(settings, many)
    const decided = measureDecisions(settings, await read(few), await read(many))
    const replayed = await benchReplay(settings, await read(many), MANY)
    return loaded && decided && replayed
  } finally {
    await endReading()
    few.remove()
    many.remove()
  }
}

async function measureLoads({ rounds }: Settings, folder: PolicyFolder): Promise<boolean> {
  const found = { loads: [] as number[], processor: [] as number[], delays: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    await endReading() // so that its start is counted too
    const delay = monitorEventLoopDelay({ resolution: 1 })
    const [began, used] = [performance.now(), process.cpuUsage()]
    delay.enable()
    await read(folder)
    delay.disable()
    found.loads.push(performance.now() - began)
    const { user, system } = process.cpuUsage(used)
    found.processor.push((user + system) / 1000)
    found.delays.push(delay.percentile(99) / 1e6)
  }
  const title = `policy, ${MANY.toLocaleString("en")} task types in ${FILES.toLocaleString("en")} files, ${rounds} rounds`
  return printMeasures(title, [
    { what: "loaded in", ...timed(median(found.loads), LOAD_MILLISECONDS) },
    { what: "  processor time of all threads", figure: inMilliseconds(median(found.processor)) },
    { what: "  delay of the event loop, p99", ...timed(median(found.delays), DELAY_MILLISECONDS) },
  ])
}

async function read(folder: PolicyFolder): Promise<Policy> {
  const policy = await loadPolicy(folder.path)
  if ("faults" in policy) throw new Error(policy.toString())
  return policy
}

function measureDecisions({ rounds }: Settings, few: Policy, many: Policy): boolean {
  const measures = KINDS.flatMap((kind, index): Measure[] => {
    const sizes = [
      { policy: few, tasks: FEW, times: [] as number[] },
      { policy: many, tasks: MANY, times: [] as number[] },
    ]
    for (let round = 0; round < rounds; round++)
      for (const { policy, tasks, times } of sizes) times.push(median(decisionsOf(policy, tasks, index)))
    const base = median(sizes[0]?.times ?? [])
    return sizes.map(({ tasks, times }) => ({
      what: `${kind}, one type of ${tasks.toLocaleString("en")}`,
      figure: `${(median(times) * 1000).toFixed(1)} µs`,
      ...(tasks === MANY && { ratio: median(times) / base, against: `of one of ${FEW}` }),
      time: { milliseconds: median(times), atMost: DECISION_MILLISECONDS[index] ?? Number.NaN },
    }))
  })
  return printMeasures(`a decision, p50 of ${DECISIONS.toLocaleString("en")}, ${rounds} rounds`, measures)
}

/** Milliseconds of each, over all types of one kind in no order. What a type's first one compiles is counted with it. */
function decisionsOf(policy: Policy, tasks: number, kind: number): number[] {
  const types = Math.ceil((tasks - kind) / KINDS.length)
  return Array.from({ length: DECISIONS }, () => {
    const request = startOf(kind + KINDS.length * Math.floor(Math.random() * types))
    const began = performance.now()
    const decision = decide(policy, request)
    const took = performance.now() - began
    if (decision instanceof Refusal) throw new Error(`${request.type}: ${decision.reason}`)
    return took
  })
}

const inMilliseconds = (milliseconds: number): string => `${milliseconds.toFixed(0)} ms`
const timed = (milliseconds: number, atMost: number) => ({
  figure: inMilliseconds(milliseconds),
  time: { milliseconds, atMost },
})
