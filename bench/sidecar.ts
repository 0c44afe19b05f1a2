// The sidecar before an API, against nginx before the same API, which checks and records nothing. Proxies and API share one
// core, the issuer and the load have the other: what a proxy costs by itself is told beside what is left of the API's rate.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { load } from "./load.ts"
import { fsyncMilliseconds, LOAD_CORE, median, type Server, startServer, type Target } from "./machine.ts"
import { type Measure, perSecond, printMeasures, type Settings } from "./table.ts"

/** Where Debian puts it, and others. */
const NGINX = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx", "/opt/homebrew/bin/nginx"]

type Name = "bare" | "nginx" | "batched" | "ahead"

export async function benchSidecar(settings: Settings): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "bench-sidecar-"))
  const program = NGINX.find((one) => existsSync(one))
  if (!program) console.log("nginx is not installed: the sidecar is compared with the bare upstream alone")
  const issuer = await startServer("taskmint", [], LOAD_CORE)
  const servers = await startAll(folder, issuer, program)
  const rates = new Map<Name, number[]>()
  for (let round = -1; round < settings.rounds; round++)
    for (const [name, { target }] of servers) {
      const { perSecond: rate } = await load(target, round < 0 ? 3 : settings.seconds)
      if (round >= 0) rates.set(name, [...(rates.get(name) ?? []), rate])
    }
  for (const server of servers.values()) await server.stop()
  await issuer.stop()
  const fsync = fsyncMilliseconds(folder)
  rmSync(folder, { recursive: true, force: true })
  const title = `proxied GET, ${settings.rounds} interleaved rounds of ${settings.seconds} s, fsync of a page ${fsync.toFixed(2)} ms`
  const medians = new Map([...rates].map(([name, all]) => [name, median(all)]))
  return printMeasures(title, measuresOf(medians))
}

const WORDS = {
  bare: "the API, no proxy",
  nginx: "nginx, checks and records nothing",
  batched: "taskmint guard, batched",
  ahead: "taskmint guard, write-ahead",
} as const satisfies Record<Name, string>

function measuresOf(rates: ReadonlyMap<Name, number>): Measure[] {
  const [bare = Number.NaN, nginx] = [rates.get("bare"), rates.get("nginx")]
  const cost = (rate: number) => 1e6 / rate - 1e6 / bare
  return [...rates].flatMap(([name, rate]) => {
    const what = WORDS[name]
    const figure = perSecond(rate)
    if (name === "bare") return { what, figure }
    const own = { what: "  its own work", figure: `${cost(rate).toFixed(0)} µs` }
    if (name === "nginx" || nginx === undefined)
      return [{ what, figure, ratio: rate / bare, against: "of the API" }, own]
    const against = "nginx"
    // On a machine that is busy with something else nginx may seem to cost nothing.
    const tells = cost(nginx) > 0
    return [
      { what, figure, ratio: rate / nginx, against },
      { ...own, ...(tells && { ratio: cost(rate) / cost(nginx), against }) },
    ]
  })
}

/** In the order in which they are measured. */
async function startAll(
  folder: string,
  issuer: Server,
  program: string | undefined,
): Promise<ReadonlyMap<Name, Server>> {
  const upstream = await startServer("upstream")
  const origin = new URL(upstream.target.url).origin
  const token = await startTask(issuer.target)
  const given = { ...issuer.target.given, upstream: origin, token }
  const start = (name: Name, server: string, needs: object) => {
    const file = join(folder, `${name}.json`)
    writeFileSync(file, JSON.stringify(needs), { mode: 0o600 })
    return startServer(server, [file])
  }
  const servers = new Map<Name, Server>([["bare", upstream]])
  if (program) servers.set("nginx", await start("nginx", "nginx", { upstream: origin, program }))
  for (const [name, recording] of [
    ["batched", "batched"],
    ["ahead", "write-ahead"],
  ] as const) {
    const spool = join(folder, `${name}.db`)
    servers.set(name, await start(name, "sidecar", { ...given, spool, recording }))
  }
  return servers
}

async function startTask({ url, method, headers, body }: Target): Promise<string> {
  const answer = await fetch(url, { method, headers, ...(body && { body }) })
  const { tokens } = (await answer.json()) as { tokens: { access_token: string }[] }
  return tokens[0]?.access_token ?? ""
}
