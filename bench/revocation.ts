// From an operator's order to the refusal at fifty verifiers, in a few processes, while tasks are started as fast as the
// issuer answers. Each verifier is asked every few milliseconds: that much of each figure is not the product's.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openIssuer } from "../src/client/issuer-call.ts"
import { systemClock } from "../src/time.ts"
import { load } from "./load.ts"
import { LOAD_CORE, startServer, type Target } from "./machine.ts"
import { printMeasures, type Settings } from "./table.ts"

const PROCESSES = 5
const VERIFIERS = 10
const LIMIT_MILLISECONDS = 500
const LOAD_CONNECTIONS = 8
/** The order's own second, so that the next task's token is none of the last order's. */
const PAUSE_MILLISECONDS = 300

export async function benchRevocation(settings: Settings): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "bench-revocation-"))
  const issuer = await startServer("taskmint", [], LOAD_CORE)
  const apis = await Promise.all(
    Array.from({ length: PROCESSES }, (_each, at) => {
      const file = join(folder, `given-${at}.json`)
      const spools = Array.from({ length: VERIFIERS }, (_one, each) => join(folder, `uses-${at}-${each}.db`))
      writeFileSync(file, JSON.stringify({ ...issuer.target.given, spools }), { mode: 0o600 })
      return startServer("verifiers", [file])
    }),
  )
  const seconds = settings.rounds * settings.seconds
  const loading = load(issuer.target, seconds, { connections: LOAD_CONNECTIONS })
  const times: number[] = []
  const until = performance.now() + seconds * 1000
  while (performance.now() < until) times.push(...(await measureOne(issuer.target, apis)))
  const { perSecond } = await loading
  for (const server of [...apis, issuer]) await server.stop()
  rmSync(folder, { recursive: true, force: true })
  times.sort((a, b) => a - b)
  const at = (share: number) =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN
  const time = (milliseconds: number) => ({ milliseconds, atMost: LIMIT_MILLISECONDS })
  const title = `from the order to the refusal, ${PROCESSES * VERIFIERS} verifiers, ${times.length} refusals`
  return printMeasures(`${title}, ${Math.round(perSecond)} starts/s meanwhile`, [
    { what: "p50", figure: `${Math.round(at(0.5))} ms`, time: time(at(0.5)) },
    { what: "p99", figure: `${Math.round(at(0.99))} ms`, time: time(at(0.99)) },
    { what: "the slowest", figure: `${Math.round(at(1))} ms` },
  ])
}

/** Milliseconds until each verifier refused the token of one fresh task. */
async function measureOne(issuer: Target, apis: readonly { readonly target: Target }[]): Promise<number[]> {
  const { url, method, headers, body } = issuer
  const started = await fetch(url, { method, headers, ...(body && { body }) })
  const task = (await started.json()) as { task_id: string; tokens: { access_token: string }[] }
  const token = task.tokens[0]?.access_token ?? ""
  const ask = async (target: Target, what: string): Promise<number[]> => {
    const answer = await fetch(`${target.url}${what}`, { method: "POST", body: token })
    if (!answer.ok) throw new Error(`${what}: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as number[]
  }
  await Promise.all(apis.map(({ target }) => ask(target, "allowed")))
  const refusals = apis.map(({ target }) => ask(target, "revoked"))
  const ordered = Date.now()
  await operatorOf(issuer).call("POST", "/revocations", {
    kind: "task",
    value: task.task_id,
    reason: "bench",
  })
  const times = (await Promise.all(refusals)).flat().map((at) => at - ordered)
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLISECONDS))
  return times
}

let operator: ReturnType<typeof openIssuer> | undefined

function operatorOf({ given = {} }: Target): ReturnType<typeof openIssuer> {
  const { issuer, issuerAddress, operatorJwk } = given as {
    issuer: string
    issuerAddress: string
    operatorJwk: object
  }
  const credential = { clientId: "operations", privateJwk: operatorJwk }
  operator ??= openIssuer({ issuer, issuerAddress, credential }, systemClock)
  return operator
}
