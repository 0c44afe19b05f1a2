// What it costs to keep what is usual, beside taking uses in: the processor's time of both threads for batches of a hundred uses of
// ten tasks, and for counting them, their starts and their ends afterwards, with what is usual and as if nobody kept that.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createAnomalies } from "../src/audit/anomaly/anomaly.ts"
import { createRollups } from "../src/audit/rollup.ts"
import { entriesToCount } from "../src/audit/rollup-statements.ts"
import { type Engine, statement } from "../src/database/database.ts"
import { sql } from "../src/database/drizzle.ts"
import { Refusal } from "../src/errors.ts"
import { createReporter, type Reporter } from "../test/support/batch-reporter.ts"
import { createWorld, SUPPORT_START, type World } from "../test/support/world.ts"
import { median } from "./machine.ts"
import { printMeasures, type Settings } from "./table.ts"

const AT_MOST = 1.05
const BATCHES = 40
const TASKS = 10
const USES_OF_A_TASK = 10
const USES = BATCHES * TASKS * USES_OF_A_TASK
const HOUR_MILLISECONDS = 3_600_000

const uses = sql`(SELECT id FROM name WHERE text IN ('use.allowed', 'use.refused'))`
const telling = sql`(SELECT id FROM name WHERE text IN ('task.started', 'token.delegated', 'use.refused'))`
/** What the roll-ups read where nothing but them is counted. */
const lean = statement<never>(
  "bench.entries",
  sql`SELECT e.seq AS seq, e.at AS at, e.kind AS kind_id, e.task AS task, e.token AS token, t.type AS type_id,
      e.agent AS agent_id, e.api AS api_id, e.operation AS operation_id, NULL AS code_id, e.resource AS resource,
      n.claims AS claims, NULL AS exp, b.bytes AS bytes
    FROM entry e LEFT JOIN task t ON t.id = e.task LEFT JOIN entry_bytes b ON b.seq = e.seq AND e.kind IN ${telling}
      LEFT JOIN token n ON n.id = e.token AND e.kind IN ${uses}
    WHERE e.seq > ${sql.placeholder("after")} AND e.seq <= ${sql.placeholder("upTo")} ORDER BY e.seq`,
)

/** An engine on which nothing of what is usual is read or written. */
const careless = (engine: Engine): Engine => ({
  query: async (asked, values) =>
    asked.name.startsWith("anomaly.")
      ? []
      : engine.query(asked.name === entriesToCount.name ? lean : asked, values),
  atomically: (steps) =>
    engine.atomically(steps.filter(({ statement: { name } }) => !name.startsWith("anomaly."))),
  hearOthers: (listener) => engine.hearOthers(listener),
  scrub: () => engine.scrub(),
  close: () => engine.close(),
  broken: engine.broken,
})

export async function benchAnomalies({ rounds }: Settings): Promise<boolean> {
  const world = await openWorld()
  try {
    const reporter = createReporter(world)
    const taken: number[] = []
    for (let round = -1; round < rounds; round++) {
      const spent = await takeUses(world, reporter)
      if (round >= 0) taken.push(spent / USES)
    }
    const counted = await countAgain(world, rounds)
    const uses = USES * (rounds + 1)
    const [without, kept] = [median(counted.without) / uses, median(counted.kept) / uses]
    const all = median(taken) + without
    return printMeasures(
      `SQLite, processor time of a use, ${rounds} rounds, ${uses} uses counted again in each`,
      [
        { what: "taken in", figure: inMicroseconds(median(taken)) },
        { what: "  and counted in the roll-ups", figure: inMicroseconds(all) },
        {
          what: "  and what is usual kept and looked at",
          figure: inMicroseconds(median(taken) + kept),
          ratio: (median(taken) + kept) / all,
          against: "of the time without",
          atMost: AT_MOST,
        },
      ],
    )
  } finally {
    await world.close()
    await world.remove()
  }
}

const inMicroseconds = (milliseconds: number): string => `${(milliseconds * 1000).toFixed(1)} µs`

async function openWorld(): Promise<World> {
  const world = await createWorld({ alone: true })
  const file = join(world.policyFolder, "support.yaml")
  const limits = "limits: { active_tasks: 1000000, starts_per_hour: 1000000 }"
  writeFileSync(file, readFileSync(file, "utf8").replace(/limits: \{ active_tasks: 50.*\}/, limits))
  if ((await world.policies.reload()) !== "loaded") throw new Error("the policy was not loaded")
  return world
}

/** Milliseconds of the processor, of both threads. */
async function spend(work: () => Promise<unknown>): Promise<number> {
  const began = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(began)
  return (user + system) / 1000
}

/** Tasks are started before and completed after: the batches alone are measured. */
async function takeUses(world: World, reporter: Reporter): Promise<number> {
  const batches: { readonly task: string; readonly jti: string }[][] = []
  for (let batch = 0; batch < BATCHES; batch++) batches.push(await startTasks(world))
  const spent = await spend(async () => {
    for (const tasks of batches)
      await reporter.report(...tasks.flatMap((one) => Array.from({ length: USES_OF_A_TASK }, () => one)))
  })
  for (const { task } of batches.flat()) await world.tasks.change("support-orchestrator", task, "complete")
  world.clock.advance(2 * HOUR_MILLISECONDS)
  return spent
}

/** Everything, in turn without what is usual and with it. */
async function countAgain(world: World, rounds: number) {
  const found: { readonly without: number[]; readonly kept: number[] } = { without: [], kept: [] }
  const plain = createRollups({ engine: careless(world.engine), names: world.names, usual: async () => [] })
  const whole = createRollups(world)
  for (let round = -1; round < rounds; round++) {
    await plain.reset()
    const without = await spend(plain.advance)
    await whole.reset()
    const anomalies = createAnomalies(world)
    const kept = await spend(() => whole.advance().then(anomalies.look))
    if (round < 0) continue
    found.without.push(without)
    found.kept.push(kept)
  }
  return found
}

async function startTasks(world: World) {
  const started = []
  for (let task = 0; task < TASKS; task++) {
    const one = await world.tasks.start("support-orchestrator", SUPPORT_START)
    if (one instanceof Refusal) throw new Error(one.reason)
    const [, claims = ""] = (one.tokens[0]?.accessToken ?? "").split(".")
    started.push({
      task: one.taskId,
      jti: String(JSON.parse(Buffer.from(claims, "base64url").toString()).jti),
    })
  }
  return started
}
