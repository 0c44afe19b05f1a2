// The guard against the same endpoint unguarded, and against what people put in front of their APIs today, none of which
// records anything. The API has one core, the issuer and the load the other, the load first: taking a use in costs the issuer
// more than checking it costs the guard, and an API that waits for the load's turn would seem slow. What it costs the API's
// processor, all that is shipped later included, stands beside.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { load } from "./load.ts"
import {
  fsyncMilliseconds,
  LOAD_CORE,
  median,
  type Server,
  signatureMicroseconds,
  startServer,
  type Target,
} from "./machine.ts"
import { processorTime, settle } from "./processor.ts"
import { type Measure, perSecond, printMeasures, type Settings } from "./table.ts"

/** More than a verifier's cache holds, and so many more that none comes back while it is remembered that it came. */
const DISTINCT_TOKENS = 60_000
const SERVERS: readonly (readonly [name: string, file: string, recording: string])[] = [
  ["ahead", "guarded-api", "write-ahead"],
  ["batched", "guarded-api", "batched"],
  // Of its own: what so many tasks leave in a process is no part of the rows above.
  ["distinct", "guarded-api", "batched"],
  ["peers", "peers-hono", ""],
  ["fastify", "fastify", "write-ahead"],
  ["express", "express", "write-ahead"],
]

/**
 * Until then what opens new tokens is still being compiled, on the core that serves. In rounds, each shipped before the next:
 * what one token does in all of them together may be more than its task's share of the spool.
 */
const WARM = { rounds: 3, seconds: 3 }

/** What is measured, by the server and the path that it takes. */
const CASES = {
  open: ["ahead", "/open/"],
  writeAhead: ["ahead", "/tickets/"],
  batched: ["batched", "/tickets/"],
  jwk: ["peers", "/jwk/"],
  jose: ["peers", "/jose/"],
  fastifyOpen: ["fastify", "/open/"],
  fastify: ["fastify", "/tickets/"],
  fastifyPeer: ["fastify", "/peer/"],
  expressOpen: ["express", "/open/"],
  express: ["express", "/tickets/"],
  expressPeer: ["express", "/peer/"],
  distinct: ["distinct", "/tickets/"],
  distinctJose: ["peers", "/jose/"],
} as const
type Case = keyof typeof CASES

interface Measured {
  readonly rates: number[]
  /** Microseconds of the server's processor for each request. */
  readonly costs: number[]
}

export async function benchVerifier(settings: Settings): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "bench-verifier-"))
  const issuer = await startServer("taskmint", [], LOAD_CORE, true)
  const tokens = await startTasks(issuer.target, DISTINCT_TOKENS)
  const servers = await startAll(folder, issuer, tokens)
  const measured = new Map<Case, Measured>()
  for (let round = -WARM.rounds; round < settings.rounds; round++)
    for (const name of Object.keys(CASES) as Case[]) {
      const seconds = round < 0 ? WARM.seconds : settings.seconds
      const { rate, cost } = await measure({ name, servers, issuer, tokens, seconds })
      const { rates, costs } = measured.get(name) ?? { rates: [], costs: [] }
      if (round >= 0) measured.set(name, { rates: [...rates, rate], costs: [...costs, cost] })
    }
  for (const server of servers.values()) await server.stop()
  await issuer.stop()
  const fsync = fsyncMilliseconds(folder)
  const signature = signatureMicroseconds()
  rmSync(folder, { recursive: true, force: true })
  const title = `guarded GET, ${settings.rounds} interleaved rounds of ${settings.seconds} s, fsync of a page ${fsync.toFixed(2)} ms, a signature checked ${signature.toFixed(0)} µs`
  return printMeasures(
    title,
    measuresOf(
      (name) => median(measured.get(name)?.rates ?? []),
      (name) => median(measured.get(name)?.costs ?? []),
      signature,
    ),
  )
}

type Figure = (name: Case) => number

function measuresOf(rate: Figure, cost: Figure, signature: number): Measure[] {
  const row = (what: string, name: Case, than?: Case, against = "", atLeast?: number): Measure[] => [
    {
      what,
      figure: perSecond(rate(name)),
      ...(than && { ratio: rate(name) / rate(than), against }),
      atLeast,
    },
    {
      what: "  its processor time",
      figure: `${cost(name).toFixed(1)} µs`,
      ...(than && { ratio: cost(than) / cost(name), against }),
    },
  ]
  /** What nothing that checks a signature for each request can reach. */
  const checking = 1_000_000 / (1_000_000 / rate("open") + signature)
  const ceiling = { ratio: checking / rate("distinctJose"), against: "jose by hand: ceiling" }
  return [
    row("hono, unguarded", "open", "jwk", "hono/jwk: ceiling"),
    row("", "open", "jose", "jose by hand: ceiling"),
    row("hono, write-ahead", "writeAhead", "open", "of unguarded", 0.5),
    row("hono, batched", "batched", "open", "of unguarded", 0.55),
    row("  the same, write-ahead", "writeAhead", "jwk", "hono/jwk, static keys", 10),
    row("", "writeAhead", "jose", "jose by hand", 4.5),
    [{ what: "hono, unguarded, and a bare signature check", figure: perSecond(checking), ...ceiling }],
    row("distinct tokens, batched", "distinct", "distinctJose", "jose by hand", 1.5),
    row("fastify, unguarded", "fastifyOpen", "fastifyPeer", "@fastify/jwt: ceiling"),
    row("fastify, write-ahead", "fastify", "fastifyPeer", "@fastify/jwt with its cache", 1.1),
    row("express, unguarded", "expressOpen", "expressPeer", "express-oauth2-jwt-bearer: ceiling"),
    row("express, write-ahead", "express", "expressPeer", "express-oauth2-jwt-bearer", 1.5),
  ].flat()
}

interface Measuring {
  readonly name: Case
  readonly servers: ReadonlyMap<string, Server>
  readonly issuer: Server
  readonly tokens: readonly string[]
  readonly seconds: number
}

/** Ends when what was recorded is shipped: that is part of the cost, and no part of the next measure. */
async function measure({ name, servers, issuer, tokens, seconds }: Measuring) {
  const [key, path] = CASES[name]
  const server = servers.get(key)
  if (!server) throw new Error(`${key} was not started`)
  const { target, pid } = server
  const asked: Target = { ...target, url: target.url.replace(/\/(tickets|jose)\//, path) }
  const used = () => processorTime(pid)?.used ?? Number.NaN
  const before = used()
  const { perSecond: rate } = await load(asked, seconds, name.startsWith("distinct") ? { tokens } : {})
  await settle([issuer.pid, pid])
  return { rate, cost: (used() - before) / (rate * seconds) }
}

async function startAll(
  folder: string,
  issuer: Server,
  tokens: readonly string[],
): Promise<ReadonlyMap<string, Server>> {
  const { given } = issuer.target
  const jwks: unknown = await (await fetch(`${given?.issuerAddress}/.well-known/jwks.json`)).json()
  const servers = new Map<string, Server>()
  for (const [name, server, recording] of SERVERS) {
    const file = join(folder, `${name}.json`)
    const spool = join(folder, `${name}.db`)
    const all = { ...given, jwks, token: tokens[0], spool, ...(recording && { recording }) }
    writeFileSync(file, JSON.stringify(all), { mode: 0o600 })
    servers.set(name, await startServer(server, [file]))
  }
  return servers
}

/** Starts that many tasks, of the type whose tokens outlive the bench, and keeps a token of each. */
async function startTasks({ url, method, headers, body: usual }: Target, count: number): Promise<string[]> {
  const tokens: string[] = []
  const body = JSON.stringify({ ...JSON.parse(usual ?? ""), type: "serve-ticket" })
  const start = async () => {
    while (tokens.length < count) {
      const answer = await fetch(url, { method, headers, body })
      const task = (await answer.json()) as { tokens: { access_token: string }[] }
      tokens.push(task.tokens[0]?.access_token ?? "")
    }
  }
  await Promise.all(Array.from({ length: 32 }, start))
  return tokens
}
