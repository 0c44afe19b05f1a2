// An auditor's questions on a large ledger: one task, its uses and its end, told again until there are so many entries,
// spread over thirty days; and the bytes that they took.
import { statSync } from "node:fs"
import { Client } from "pg"
import { type Engine, isPostgres } from "../src/database/database.ts"
import { openDatabase } from "../src/database/open.ts"
import { type EntryFilter, findIn, MOST_ENTRIES } from "../src/ledger/search.ts"
import { parseInstant } from "../src/time.ts"
import { jtiOf, report, useOf } from "../test/support/incident.ts"
import { openHouse, START } from "../test/support/issuer-house.ts"
import { type Filled, fillLedger, taskIdOf } from "../test/support/large-ledger.ts"
import type { NewPlace } from "./ledger.ts"
import { median } from "./machine.ts"
import { type Measure, printMeasures, type Settings } from "./table.ts"

const USES = 10
/** A start's two, and its completion. */
const ENTRIES_OF_A_TASK = USES + 3
const SPREAD_MILLISECONDS = 30 * 86_400_000
const HOUR_MILLISECONDS = 3_600_000
const STORY = { p50: 2, p99: 10 }
const HOUR_AT_MOST = 5
const BYTES_AT_MOST = 1000
const ASKED = 1000

/** Tasks of which the bytes are counted. */
const MOST_COUNTED = 10_000

export async function benchAsking(name: string, { entries }: Settings, newPlace: NewPlace): Promise<boolean> {
  const tasks = Math.ceil(entries / ENTRIES_OF_A_TASK)
  const counted = Math.min(tasks, MOST_COUNTED)
  const few = await bytesOf(await newPlace("few_uses"), counted, USES)
  const many = await bytesOf(await newPlace("many_uses"), counted, 2 * USES)
  const bytes = (many - few) / (counted * USES)
  const place = await newPlace("asked")
  await makeTask(place, USES)
  const filled = await fillLedger(place, tasks, {
    apartMilliseconds: Math.floor(SPREAD_MILLISECONDS / tasks),
  })
  const engine = await openDatabase(place)
  try {
    return printMeasures(`${name}, questions to ${filled.entries.toLocaleString("en")} entries`, [
      ...(await askStories(engine, filled)),
      ...(await askHour(engine, filled)),
      {
        what: "bytes of a use, with its indexes",
        figure: bytes.toFixed(0),
        ratio: bytes / BYTES_AT_MOST,
        against: `of ${BYTES_AT_MOST}`,
        atMost: 1,
      },
      {
        what: "  of a task without uses: its row, its token's, three entries",
        figure: ((few - bytes * counted * USES) / counted).toFixed(0),
      },
    ])
  } finally {
    await engine.close()
  }
}

/** What so many tasks with so many uses take. */
async function bytesOf(place: string, tasks: number, uses: number): Promise<number> {
  await makeTask(place, uses)
  const before = await bytesAt(place)
  await fillLedger(place, tasks, { apartMilliseconds: Math.floor(SPREAD_MILLISECONDS / tasks) })
  return (await bytesAt(place)) - before
}

/** The task that is told again: started, used, completed. */
async function makeTask(place: string, uses: number): Promise<void> {
  const house = await openHouse({ database: place })
  try {
    const { body } = await house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
    const task = String(body.task_id)
    const jti = jtiOf(body as unknown as Parameters<typeof jtiOf>[0])
    await report(
      house,
      Array.from({ length: uses }, () => useOf(house, task, jti)),
    )
    await house.ask("POST", `/tasks/${task}/complete`, { as: "support-orchestrator" })
  } finally {
    await house.remove()
  }
}

async function askStories(engine: Engine, { tasks }: Filled): Promise<Measure[]> {
  const any = () => ({ task: taskIdOf(1 + Math.floor(Math.random() * tasks)), limit: MOST_ENTRIES })
  await timesOf(engine, 50, any, ENTRIES_OF_A_TASK)
  const times = await timesOf(engine, ASKED, any, ENTRIES_OF_A_TASK)
  const p99 = [...times].sort((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.NaN
  return [
    { what: "a task's whole story, p50", ...timed(median(times), STORY.p50) },
    { what: "  p99", ...timed(p99, STORY.p99) },
  ]
}

async function askHour(engine: Engine, { entries }: Filled): Promise<Measure[]> {
  const after = Buffer.from(String(entries - 1)).toString("base64url")
  const newest = parseInstant((await findIn(engine, { after })).entries[0]?.at ?? "") ?? Number.NaN
  const asked = () => ({ agent: START.agent.id, from: newest - HOUR_MILLISECONDS })
  const [first = Number.NaN] = await timesOf(engine, 1, asked)
  const times = await timesOf(engine, ASKED / 10, asked)
  return [
    { what: "an agent's last hour, a page of it, p50", ...timed(median(times), HOUR_AT_MOST) },
    { what: "  the first question about a time", figure: inMilliseconds(first) },
  ]
}

/** Throws where another number of entries is found, or none: that is no figure. */
async function timesOf(
  engine: Engine,
  count: number,
  asked: () => EntryFilter,
  wanted?: number,
): Promise<number[]> {
  const times: number[] = []
  for (let n = 0; n < count; n++) {
    const filter = asked()
    const began = performance.now()
    const { entries } = await findIn(engine, filter)
    times.push(performance.now() - began)
    if (entries.length === 0 || (wanted !== undefined && entries.length !== wanted))
      throw new Error(`${entries.length} entries were found by ${JSON.stringify(filter)}`)
  }
  return times
}

const inMilliseconds = (milliseconds: number): string => `${milliseconds.toFixed(2)} ms`
const timed = (milliseconds: number, atMost: number) => ({
  figure: inMilliseconds(milliseconds),
  time: { milliseconds, atMost },
})

async function bytesAt(place: string): Promise<number> {
  if (!isPostgres(place)) return statSync(place).size
  const client = new Client(place)
  await client.connect()
  const { rows } = await client.query("SELECT pg_database_size(current_database()) AS bytes")
  await client.end()
  return Number(rows[0].bytes)
}
