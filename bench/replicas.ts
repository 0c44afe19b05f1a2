// Task starts at one, two and four issuers on one PostgreSQL database: what a start costs all of them and the database
// together, as time of processors, and how many there are each second. Beside it, how seldom an SQLite file is synced.
import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Client } from "pg"
import { startPostgres } from "../test/support/postgres-server.ts"
import { load } from "./load.ts"
import { median, type Server, startServer } from "./machine.ts"
import { processorTime } from "./processor.ts"
import { type Measure, perSecond, printMeasures, type Settings } from "./table.ts"

const REPLICAS = [1, 2, 4] as const
type Count = (typeof REPLICAS)[number]
const CONNECTIONS = 64
/** Of each issuer alone: long enough for it to have been compiled. */
const WARM_SECONDS = 10
const FEWEST_STARTS_PER_FSYNC = 20
/** Of all starts, where several issuers write. */
const MOST_AGAIN = 0.05

export async function benchReplicas(settings: Settings): Promise<boolean> {
  const { rounds, seconds } = settings
  const { rates, costs, again } = await measureReplicas(settings)
  const perFsync = await startsPerFsync(seconds)
  const rate = (count: Count) => median(rates.get(count) ?? [])
  const cost = (count: Count) => median(costs.get(count) ?? [])
  return printMeasures(`task starts on PostgreSQL, ${rounds} interleaved rounds of ${seconds} s`, [
    ...REPLICAS.map((count): Measure => {
      const of = `${count} ${count === 1 ? "issuer" : "issuers"}`
      const figure = `${Math.round(cost(count))} µs`
      if (count === 1) return { what: `CPU time of a start, ${of} and database`, figure }
      return { what: `  ${of}`, figure, ratio: cost(count) / cost(1), against: "of one", atMost: 1.15 }
    }),
    { what: "starts, 1 issuer", figure: perSecond(rate(1)) },
    {
      what: "  2 issuers",
      figure: perSecond(rate(2)),
      ratio: rate(2) / rate(1),
      against: "of one",
      atLeast: 1,
    },
    { what: "  4 issuers", figure: perSecond(rate(4)), ratio: rate(4) / rate(1), against: "of one" },
    {
      what: "starts that were done again, at most",
      figure: `${(100 * again).toFixed(2)} %`,
      ratio: again / MOST_AGAIN,
      against: `of ${100 * MOST_AGAIN} %`,
      atMost: 1,
    },
    {
      what: `starts for each fsync, SQLite, ${CONNECTIONS} callers`,
      figure: perFsync === undefined ? "strace is missing" : perFsync.toFixed(0),
      ...(perFsync !== undefined && {
        ratio: perFsync / FEWEST_STARTS_PER_FSYNC,
        against: `of ${FEWEST_STARTS_PER_FSYNC}`,
        atLeast: 1,
      }),
    },
  ])
}

type Figures = Map<Count, number[]>

interface Measured {
  readonly rates: Figures
  readonly costs: Figures
  /** Share of starts that were in a transaction which was rolled back, were all that waited in it. */
  readonly again: number
}

async function measureReplicas({ rounds, seconds }: Settings): Promise<Measured> {
  const rates: Figures = new Map(REPLICAS.map((count) => [count, []]))
  const costs: Figures = new Map(REPLICAS.map((count) => [count, []]))
  const folder = mkdtempSync(join(tmpdir(), "bench-replicas-"))
  const postgres = await startPostgres()
  const issuers: Server[] = []
  try {
    for (let at = 0; at < Math.max(...REPLICAS); at++)
      issuers.push(await startServer("taskmint", [folder, postgres.address]))
    for (const { target } of issuers) await load(target, WARM_SECONDS)
    const rolledBack = await rollbacks(postgres.address)
    let starts = 0
    for (let round = 0; round < rounds; round++)
      for (const count of REPLICAS) {
        const chosen = issuers.slice(0, count)
        const spent = usedBy(issuers)
        const all = await Promise.all(
          chosen.map(({ target }) => load(target, seconds, { connections: CONNECTIONS / count })),
        )
        const rate = all.reduce((sum, one) => sum + one.perSecond, 0)
        starts += rate * seconds
        rates.get(count)?.push(rate)
        costs.get(count)?.push((usedBy(issuers) - spent) / (rate * seconds))
      }
    const again = ((await rollbacks(postgres.address)) - rolledBack) * CONNECTIONS
    return { rates, costs, again: again / starts }
  } finally {
    await Promise.all(issuers.map((issuer) => issuer.stop()))
    await postgres.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Transactions that the server has rolled back; it tells so within a second. */
async function rollbacks(address: string): Promise<number> {
  await sleep(2000)
  const client = new Client(address)
  await client.connect()
  const { rows } = await client.query(
    "SELECT xact_rollback AS count FROM pg_stat_database WHERE datname = current_database()",
  )
  await client.end()
  return Number(rows[0]?.count)
}

/** Microseconds that the issuers and every process of the database have used so far. */
function usedBy(issuers: readonly Server[]): number {
  const pids = new Set(issuers.map((issuer) => String(issuer.pid)))
  let used = 0
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const time = processorTime(pid)
    if (time && (pids.has(pid) || time.name === "postgres")) used += time.used
  }
  return used
}

/** Undefined where strace is not installed, or may not trace. */
async function startsPerFsync(seconds: number): Promise<number | undefined> {
  if (spawnSync("strace", ["-V"]).status !== 0) return undefined
  const issuer = await startServer("taskmint")
  try {
    await load(issuer.target, WARM_SECONDS)
    const trace = spawn("strace", ["-f", "-c", "-e", "trace=fsync,fdatasync", "-p", String(issuer.pid)], {
      stdio: ["ignore", "ignore", "pipe"],
    })
    let told = ""
    trace.stderr.setEncoding("utf8").on("data", (text: string) => {
      told += text
    })
    const { perSecond: rate } = await load(issuer.target, seconds)
    trace.kill("SIGINT")
    await new Promise((resolve) => trace.once("close", resolve))
    const total = /^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s.*total$/m.exec(told)?.[1]
    return total === undefined ? undefined : (rate * seconds) / Number(total)
  } finally {
    await issuer.stop()
  }
}
