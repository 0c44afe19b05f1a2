// Task starts: one API, the service token reused, durable. Against the bare server and against two peers that sign an
// ES256 JWT and keep one durable row each. The server that only signs and keeps a row through the same writer shows how
// much of a start is taskmint's own work.
import { load } from "./load.ts"
import { median, type Server, startServer } from "./machine.ts"
import { perSecond, printMeasures, type Settings } from "./table.ts"

const SERVERS = ["hono-empty", "signing-only", "taskmint", "oidc-provider", "oauth2-server"] as const
/** Until then the largest of the servers is still being compiled, on the core that serves. */
const WARM_SECONDS = 20

export async function benchStarts(settings: Settings): Promise<boolean> {
  const servers = new Map<string, Server>()
  for (const name of SERVERS) servers.set(name, await startServer(name))
  const rates = new Map<string, number[]>(SERVERS.map((name) => [name, []]))
  for (let round = -1; round < settings.rounds; round++)
    for (const [name, server] of servers) {
      const { perSecond: rate } = await load(server.target, round < 0 ? WARM_SECONDS : settings.seconds)
      if (round >= 0) rates.get(name)?.push(rate)
    }
  for (const server of servers.values()) await server.stop()
  const of = (name: (typeof SERVERS)[number]) => median(rates.get(name) ?? [])
  const starts = of("taskmint")
  return printMeasures(`task starts, ${settings.rounds} interleaved rounds of ${settings.seconds} s`, [
    { what: "hono, empty JSON POST", figure: perSecond(of("hono-empty")) },
    { what: "hono, a signature and a durable row", figure: perSecond(of("signing-only")) },
    { what: "oidc-provider, client credentials", figure: perSecond(of("oidc-provider")) },
    { what: "@node-oauth/oauth2-server", figure: perSecond(of("oauth2-server")) },
    {
      what: "taskmint start",
      figure: perSecond(starts),
      ratio: starts / of("hono-empty"),
      against: "of hono, empty",
      atLeast: 0.15,
    },
    { what: "", figure: "", ratio: starts / of("oidc-provider"), against: "oidc-provider", atLeast: 3 },
    {
      what: "",
      figure: "",
      ratio: starts / of("oauth2-server"),
      against: "@node-oauth/oauth2-server",
      atLeast: 1.3,
    },
  ])
}
