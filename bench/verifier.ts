// The guard against the same endpoint unguarded, and against what people put in front of their APIs today, none of which
// records anything. The API has one core, the issuer and the load the other.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { type Load, load } from "./load.ts"
import { fsyncMilliseconds, LOAD_CORE, median, type Server, startServer, type Target } from "./machine.ts"
import { type Measure, perSecond, printMeasures, type Settings } from "./table.ts"

/** More than a verifier's cache holds. */
const DISTINCT_TOKENS = 12_000
const SERVERS: readonly (readonly [name: string, file: string, recording: string])[] = [
  ["ahead", "guarded-api", "write-ahead"],
  ["batched", "guarded-api", "batched"],
  ["peers", "peers-hono", ""],
  ["fastify", "fastify", "write-ahead"],
  ["express", "express", "write-ahead"],
]

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
  distinct: ["batched", "/tickets/"],
  distinctJose: ["peers", "/jose/"],
} as const
type Case = keyof typeof CASES

/** What a guarded server has recorded is shipped before the next one, or the same one unguarded, is measured. */
const SHIPPING_MILLISECONDS = 700

export async function benchVerifier(settings: Settings): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "bench-verifier-"))
  const issuer = await startServer("taskmint", [], LOAD_CORE)
  const tokens = await startTasks(issuer.target, DISTINCT_TOKENS)
  const servers = await startAll(folder, issuer, tokens)
  const rates = new Map<Case, number[]>()
  for (let round = -1; round < settings.rounds; round++)
    for (const name of Object.keys(CASES) as Case[]) {
      await sleep(SHIPPING_MILLISECONDS)
      const { perSecond: rate } = await measure(name, servers, tokens, round < 0 ? 3 : settings.seconds)
      if (round >= 0) rates.set(name, [...(rates.get(name) ?? []), rate])
    }
  for (const server of servers.values()) await server.stop()
  await issuer.stop()
  const fsync = fsyncMilliseconds(folder)
  rmSync(folder, { recursive: true, force: true })
  const title = `guarded GET, ${settings.rounds} interleaved rounds of ${settings.seconds} s, fsync of a page ${fsync.toFixed(2)} ms`
  return printMeasures(
    title,
    measuresOf((name) => median(rates.get(name) ?? [])),
  )
}

function measuresOf(rate: (name: Case) => number): Measure[] {
  const row = (what: string, name: Case, than?: Case, against = "", atLeast?: number): Measure => ({
    what,
    figure: perSecond(rate(name)),
    ...(than && { ratio: rate(name) / rate(than), against }),
    atLeast,
  })
  return [
    row("hono, unguarded", "open", "jwk", "hono/jwk: ceiling"),
    row("", "open", "jose", "jose by hand: ceiling"),
    row("hono, write-ahead", "writeAhead", "open", "of unguarded", 0.5),
    row("hono, batched", "batched", "open", "of unguarded", 0.55),
    row("  the same, write-ahead", "writeAhead", "jwk", "hono/jwk, static keys", 10),
    row("", "writeAhead", "jose", "jose by hand", 4.5),
    row("distinct tokens, batched", "distinct", "distinctJose", "jose by hand", 1.5),
    row("fastify, unguarded", "fastifyOpen", "fastifyPeer", "@fastify/jwt: ceiling"),
    row("fastify, write-ahead", "fastify", "fastifyPeer", "@fastify/jwt with its cache", 1.1),
    row("express, unguarded", "expressOpen", "expressPeer", "express-oauth2-jwt-bearer: ceiling"),
    row("express, write-ahead", "express", "expressPeer", "express-oauth2-jwt-bearer", 1.5),
  ]
}

async function measure(
  name: Case,
  servers: ReadonlyMap<string, Server>,
  tokens: readonly string[],
  seconds: number,
): Promise<Load> {
  const [server, path] = CASES[name]
  const target = servers.get(server)?.target
  if (!target) throw new Error(`${server} was not started`)
  const asked: Target = { ...target, url: target.url.replace(/\/(tickets|jose)\//, path) }
  return load(asked, seconds, name.startsWith("distinct") ? { tokens } : {})
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

/** Starts that many tasks and keeps a token of each. */
async function startTasks({ url, method, headers, body }: Target, count: number): Promise<string[]> {
  const tokens: string[] = []
  const start = async () => {
    while (tokens.length < count) {
      const answer = await fetch(url, { method, headers, ...(body && { body }) })
      const task = (await answer.json()) as { tokens: { access_token: string }[] }
      tokens.push(task.tokens[0]?.access_token ?? "")
    }
  }
  await Promise.all(Array.from({ length: 32 }, start))
  return tokens
}
