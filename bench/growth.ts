// A large ledger beside a small one, on each engine, asked in turn: how long a start takes, the look at a task, and an auditor's query for
// its entries. Both hold the same rows told again and again (test/support/large-ledger.ts), each task under its own ids.
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs"
import { Agent, request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { openIssuer } from "../src/client/issuer-call.ts"
import { systemClock } from "../src/time.ts"
import { fillLedger, taskIdOf } from "../test/support/large-ledger.ts"
import { startPostgres } from "../test/support/postgres-server.ts"
import { median, type Server, startServer, type Target } from "./machine.ts"
import { createDatabase } from "./postgres-place.ts"
import { type Measure, printMeasures, type Settings } from "./table.ts"

const SMALL = 10_000
const AT_MOST = 1.2
const WARM_SECONDS = 3

/** One ledger with its issuer. */
interface Ledger {
  readonly server: Server
  readonly tasks: number
  readonly entries: number
  readonly fillSeconds: number
  readonly startSeconds: number
  readonly rows: string
}

export async function benchGrowth(settings: Settings): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "bench-growth-"))
  const postgres = await startPostgres()
  try {
    const onFile = await measure("SQLite", settings, (name) => ({ folder: join(folder, name), address: "" }))
    const onServer = await measure("PostgreSQL", settings, async (name) => {
      const address = await createDatabase(postgres.address, `growth_${name}`)
      return { folder: join(folder, `postgres-${name}`), address }
    })
    return onFile && onServer
  } finally {
    await postgres.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}

type Place = { readonly folder: string; readonly address: string }

async function measure(
  engine: string,
  { rounds, seconds, entries }: Settings,
  placeOf: (name: string) => Place | Promise<Place>,
): Promise<boolean> {
  const small = await grow(await placeOf("small"), SMALL)
  const large = await grow(await placeOf("large"), entries)
  const agent = new Agent({ keepAlive: true })
  const found = new Map<string, number[]>()
  try {
    for (let round = -1; round < rounds; round++) {
      const asks = [await asksOf(small, agent), await asksOf(large, agent)] as const
      for (const [at, what] of WHAT.entries()) {
        const pair = asks.map((one) => one[at] ?? one[0])
        const p50s = await latencies(pair, round < 0 ? WARM_SECONDS : seconds)
        for (const [n, name] of ["small", "large"].entries()) {
          const key = `${what} ${name}`
          if (round >= 0) found.set(key, [...(found.get(key) ?? []), p50s[n] ?? Number.NaN])
        }
      }
    }
  } finally {
    agent.destroy()
    await Promise.all([small, large].map(({ server }) => server.stop()))
  }
  const count = (of: Ledger) => of.entries.toLocaleString("en")
  console.log(
    `\n${engine}: ${count(large)} entries ${large.rows}, filled in ${large.fillSeconds.toFixed(0)} s; the issuer started on them in ${large.startSeconds.toFixed(1)} s (${small.startSeconds.toFixed(1)} s on ${count(small)})`,
  )
  const p50 = (what: string, name: string) => median(found.get(`${what} ${name}`) ?? [])
  return printMeasures(
    `${engine}, p50 at ${count(large)} entries beside ${count(small)}, ${rounds} rounds of ${seconds} s`,
    WHAT.flatMap((what): Measure[] => [
      { what: `${what}, ${count(small)} entries`, figure: inMilliseconds(p50(what, "small")) },
      {
        what: `  ${count(large)} entries`,
        figure: inMilliseconds(p50(what, "large")),
        ratio: p50(what, "large") / p50(what, "small"),
        against: "of the small one",
        atMost: AT_MOST,
      },
    ]),
  )
}

const inMilliseconds = (milliseconds: number): string => `${milliseconds.toFixed(2)} ms`

/** One task, started and completed, told again until there are so many entries; then an issuer on them. */
async function grow({ folder, address }: Place, entries: number): Promise<Ledger> {
  mkdirSync(folder)
  const first = await startServer("taskmint", [folder, address])
  const { target } = first
  const started = await ask(target, "POST", "/tasks", target.headers.authorization, target.body)
  const { task_id } = JSON.parse(started) as { task_id: string }
  await ask(target, "POST", `/tasks/${task_id}/complete`, target.headers.authorization)
  await first.stop()
  const place = address === "" ? join(folder, "issuer.db") : address
  const began = performance.now()
  const filled = await fillLedger(place, Math.ceil(entries / ENTRIES_OF_A_TASK), { isCounted: true })
  const fillSeconds = (performance.now() - began) / 1000
  const again = performance.now()
  const server = await startServer("taskmint", [folder, address])
  const startSeconds = (performance.now() - again) / 1000
  await signed(server, filled.entries)
  const rows =
    address === "" ? `in ${Math.round(statSync(place).size / 1e6).toLocaleString("en")} MB` : "there"
  return { server, ...filled, fillSeconds, startSeconds, rows }
}

/** Waits until all of it is in the tree: it was told behind the issuer's back. */
async function signed({ target }: Server, entries: number): Promise<void> {
  for (;;) {
    const auditor = await serviceToken(target, "operations", "operatorJwk")
    const note = await ask(target, "GET", "/ledger/checkpoint", auditor)
    if (Number(note.split("\n")[1]) >= entries) return
    await sleep(1000)
  }
}

/** A start's two, and its completion. */
const ENTRIES_OF_A_TASK = 3
const WHAT = ["start", "look at a task", "entries of a task"] as const

async function asksOf({ server: { target }, tasks }: Ledger, agent: Agent) {
  // Tokens of its own for each round: filling the other ledger can take longer than one lives.
  const [orchestrator, auditor] = await Promise.all([
    serviceToken(target, "support-orchestrator", "orchestratorJwk"),
    serviceToken(target, "operations", "operatorJwk"),
  ])
  const any = () => taskIdOf(1 + Math.floor(Math.random() * tasks))
  return [
    () => ask(target, "POST", "/tasks", orchestrator, target.body, agent),
    () => ask(target, "GET", `/tasks/${any()}`, orchestrator, undefined, agent),
    () => ask(target, "GET", `/ledger/entries?task=${any()}`, auditor, undefined, agent),
  ] as const
}

async function serviceToken({ given = {} }: Target, clientId: string, key: string): Promise<string> {
  const [issuer, issuerAddress] = [String(given.issuer), String(given.issuerAddress)]
  const credential = { clientId, privateJwk: Object(given[key]) as object }
  return `Bearer ${await openIssuer({ issuer, issuerAddress, credential }, systemClock).serviceToken()}`
}

/** Of each, milliseconds, median. One caller asks one after the other: what else the machine does meets all of them alike. */
async function latencies(asks: readonly (() => Promise<unknown>)[], seconds: number): Promise<number[]> {
  const times: number[][] = asks.map(() => [])
  const until = performance.now() + seconds * 1000
  while (performance.now() < until)
    for (const [n, ask] of asks.entries()) {
      const began = performance.now()
      await ask()
      times[n]?.push(performance.now() - began)
    }
  return times.map(median)
}

/** Throws on anything but 2xx, and on an answer that holds nothing: a fast refusal is no figure. */
function ask(
  target: Target,
  method: "GET" | "POST",
  path: string,
  authorization = "",
  body?: string,
  agent?: Agent,
): Promise<string> {
  const headers = { authorization, ...(body !== undefined && { "content-type": "application/json" }) }
  return new Promise((resolve, reject) => {
    const sent = request(
      new URL(path, target.url),
      { method, headers, ...(agent && { agent }) },
      (answer) => {
        let text = ""
        answer.setEncoding("utf8").on("data", (part: string) => {
          text += part
        })
        answer.on("end", () => {
          const good = (answer.statusCode ?? 0) < 300 && !text.includes('"entries":[]')
          if (good) resolve(text)
          else reject(new Error(`${method} ${path}: ${answer.statusCode} ${text.slice(0, 200)}`))
        })
      },
    )
    sent.on("error", reject).end(body)
  })
}
