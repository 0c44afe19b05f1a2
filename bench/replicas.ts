// Task starts at one, two and four issuers on one PostgreSQL database: what a start costs all of them and the database
// together, as time of processors, and how many there are each second. Beside it, how seldom an SQLite file is synced.
import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
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

export async function benchReplicas(settings: Settings): Promise<boolean> {
  const { rounds, seconds } = settings
  const [rates, costs] = await measureReplicas(settings)
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

async function measureReplicas({
  rounds,
  seconds,
}: Settings): Promise<readonly [rates: Figures, costs: Figures]> {
  const rates: Figures = new Map(REPLICAS.map((count) => [count, []]))
  const costs: Figures = new Map(REPLICAS.map((count) => [count, []]))
  const folder = mkdtempSync(join(tmpdir(), "bench-replicas-"))
  const postgres = await startPostgres()
  const issuers: Server[] = []
  try {
    for (let at = 0; at < Math.max(...REPLICAS); at++)
      issuers.push(await startServer("taskmint", [folder, postgres.address]))
    for (const { target } of issuers) await load(target, WARM_SECONDS)
    for (let round = 0; round < rounds; round++)
      for (const count of REPLICAS) {
        const chosen = issuers.slice(0, count)
        const spent = usedBy(issuers)
        const all = await Promise.all(
          chosen.map(({ target }) => load(target, seconds, { connections: CONNECTIONS / count })),
        )
        const rate = all.reduce((sum, one) => sum + one.perSecond, 0)
        rates.get(count)?.push(rate)
        costs.get(count)?.push((usedBy(issuers) - spent) / (rate * seconds))
      }
  } finally {
    await Promise.all(issuers.map((issuer) => issuer.stop()))
    await postgres.remove()
    rmSync(folder, { recursive: true, force: true })
  }
  return [rates, costs]
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
