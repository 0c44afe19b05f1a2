// Thirty days of ordinary work, made from a seed and written entry by entry: what agents do when nobody misuses them, with its
// nights, batches, busy days, long tails and rare operations. It counts what is called unusual of it.
import { type Anomalies, createAnomalies } from "../../src/audit/anomaly/anomaly.ts"
import { createRollups } from "../../src/audit/rollup.ts"
import { createNames } from "../../src/database/names.ts"
import { openDatabase } from "../../src/database/open.ts"
import { createLedger } from "../../src/ledger/ledger.ts"
import { createFakeClock } from "./fake-clock.ts"
import { createRandom } from "./simulated.ts"
import { createWork, type Work } from "./work.ts"

const HOUR = 3_600_000
const DAY = 24 * HOUR
const DAYS = 30
const FIRST_DAY = Math.floor(Date.parse("2026-01-05T00:00:00Z") / DAY)

interface Chance {
  /** 0 to 1. */
  next(): number
  between(least: number, most: number): number
  /** Of a long tail: half are below the median, few are many times as much. */
  tail(median: number, sigma: number): number
  /** So many that chance brings where that many come on average. */
  some(mean: number): number
}

/** What is done in one task. */
interface Shape {
  readonly uses: number
  readonly resources: number
  /** The first is the usual one; each other with the chance that is given. */
  readonly operations: readonly (readonly [name: string, chance: number])[]
  readonly refused?: number
  readonly subAgent?: string
}

interface Kind {
  readonly type: string
  readonly agent: string
  /** How many tasks begin in that hour of that day; 0 is a Sunday. */
  tasks(chance: Chance, at: { readonly day: number; readonly weekday: number; readonly hour: number }): number
  shape(chance: Chance, day: number, weekday: number): Shape
}

const isWorkday = (weekday: number) => weekday > 0 && weekday < 6
/** Up in the morning, a dip at noon, few in the evening. */
const OFFICE = [0, 0, 0, 0, 0, 0, 0, 0.3, 0.8, 1, 1, 0.9, 0.6, 0.8, 1, 1, 0.8, 0.5, 0.2, 0.05, 0.02, 0, 0, 0]

const KINDS: readonly Kind[] = [
  {
    // More from week to week, and three times as much on the day of an outage. A new operation is rolled out on the 20th day.
    type: "triage",
    agent: "triage-bot",
    tasks: (chance, { day, weekday, hour }) =>
      isWorkday(weekday)
        ? chance.some((OFFICE[hour] ?? 0) * 6 * (1 + day / 60) * (day === 17 ? 3 : 1))
        : chance.some(0.02),
    shape: (chance, day) => ({
      uses: chance.between(2, 8),
      resources: chance.between(1, 3),
      operations: [
        ["tickets:read", 1],
        ["tickets:comment", 0.3],
        ["tickets:close", 0.04],
        ["tickets:escalate", day >= 20 ? 0.1 : 0],
      ],
      refused: 0.02,
      ...(chance.next() < 0.3 && { subAgent: "summarizer" }),
    }),
  },
  {
    type: "watch",
    agent: "monitor",
    tasks: (chance) => chance.some(1.5),
    shape: (chance) => ({ uses: chance.between(4, 9), resources: 4, operations: [["metrics:read", 1]] }),
  },
  {
    // Much at once, at night; on Mondays three times as much.
    type: "sync",
    agent: "sync-bot",
    tasks: (_, { hour }) => (hour === 2 ? 2 : 0),
    shape: (chance, _, weekday) => ({
      uses: chance.tail(90, 0.3) * (weekday === 1 ? 3 : 1),
      resources: chance.tail(60, 0.3) * (weekday === 1 ? 3 : 1),
      operations: [["records:write", 1]],
    }),
  },
  {
    type: "research",
    agent: "researcher",
    tasks: (chance, { weekday, hour }) => chance.some((OFFICE[hour] ?? 0) * (isWorkday(weekday) ? 2 : 0.3)),
    shape: (chance) => ({
      uses: chance.tail(10, 0.9),
      resources: chance.tail(6, 0.9),
      operations: [
        ["wiki:read", 1],
        ["wiki:search", 0.4],
      ],
      refused: 0.05,
    }),
  },
  {
    // Now and then, whatever the hour; refused when an environment is locked.
    type: "deploy",
    agent: "deploy-bot",
    tasks: (chance) => chance.some(0.25),
    shape: (chance, day) => ({
      uses: chance.between(3, 20),
      resources: chance.between(1, 4),
      operations: [
        ["deployments:plan", 1],
        ["deployments:apply", 0.4],
        ["deployments:rollback", 0.02],
      ],
      refused: day % 9 === 4 ? 0.3 : 0.01,
    }),
  },
]

export interface Calm {
  readonly tasks: number
  readonly entries: number
  /** By rule. */
  readonly raised: Readonly<Record<string, number>>
}

/** `crews`: how many agents of each kind. `place`: an empty database. */
export async function runCalm(
  place: string,
  seed: number,
  crews: number,
  tell?: (day: number) => void,
): Promise<Calm> {
  const engine = await openDatabase(place)
  try {
    const names = createNames(engine)
    const clock = createFakeClock(FIRST_DAY * DAY)
    const ledger = await createLedger({ engine, names, clock })
    const work = createWork({ engine, names, ledger })
    const rollups = createRollups({ engine, names })
    const anomalies = createAnomalies({
      engine,
      ledger,
      policies: { inForce: () => ({ anomalies: new Map() }) },
    })
    const chance = createChance(seed)
    const raised: Record<string, number> = {}
    let tasks = 0
    for (let hour = 0; hour < DAYS * 24; hour++) {
      const at = {
        day: Math.floor(hour / 24),
        weekday: (FIRST_DAY + Math.floor(hour / 24) + 4) % 7,
        hour: hour % 24,
      }
      for (let crew = 0; crew < crews; crew++)
        for (const kind of KINDS)
          for (let left = kind.tasks(chance, at); left > 0; left--, tasks++)
            writeTask(work, chance, { kind, crew, ...at, begins: clock.now() + chance.next() * HOUR })
      clock.advance(HOUR)
      await work.flush(clock.now())
      await rollups.advance()
      await lookOnce(anomalies, raised)
      if (hour % 24 === 23) tell?.(at.day)
    }
    return { tasks, entries: work.entries(), raised }
  } finally {
    await engine.close()
  }
}

async function lookOnce(anomalies: Anomalies, raised: Record<string, number>): Promise<void> {
  for (const one of (await anomalies.look()).begun) {
    raised[one.kind] = (raised[one.kind] ?? 0) + 1
    anomalies.settle(one)
  }
}

interface Begin {
  readonly kind: Kind
  readonly crew: number
  readonly day: number
  readonly weekday: number
  readonly begins: number
}

function writeTask(work: Work, chance: Chance, { kind, crew, day, weekday, begins }: Begin): void {
  const { uses, resources, operations, refused = 0, subAgent } = kind.shape(chance, day, weekday)
  const at = Math.round(begins)
  const task = work.start(at, `${kind.type}-${crew}`, `${kind.agent}-${crew}`)
  let now = at
  for (let use = 0; use < uses; use++) {
    now += Math.round(chance.next() * 4000)
    const operation = operations.findLast(([, often]) => chance.next() < often)?.[0] ?? ""
    const resource = `r/${Math.floor(chance.next() * resources)}`
    const isRefused = chance.next() < refused
    work.use(now, task, { operation, resource, refused: isRefused })
    if (subAgent !== undefined && use === 0)
      work.use(now, task, { operation: operations[0]?.[0] ?? "", resource, agent: `${subAgent}-${crew}` })
  }
  work.end(now + 1000, task)
}

function createChance(seed: number): Chance {
  const next = createRandom(seed)
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
  return {
    next,
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    tail: (median, sigma) => Math.max(1, Math.round(median * Math.exp(sigma * normal()))),
    some(mean) {
      let [count, left] = [0, Math.exp(-mean)]
      for (let drawn = next(); drawn > left; drawn *= next()) count += 1
      return count
    },
  }
}
