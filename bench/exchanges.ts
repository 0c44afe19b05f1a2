// What a renewal and a delegation by exchange cost beside a task start: processor time of an issuer, its writer's thread
// included, for each of them in turn, 64 at once. Proofs are made beforehand, as agents would; checking them is part of it, and
// so is what the issuer does within seconds: taking the entries into the tree, and counting them.
import { createPrivateKey, randomBytes } from "node:crypto"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { SignJWT } from "jose"
import { createIssuer, type Issuer } from "../src/issuer/issuer.ts"
import { readProof, signProof } from "../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey, type SigningKey } from "../src/token/signature.ts"
import { median } from "./machine.ts"
import { printMeasures, type Settings } from "./table.ts"

const ISSUER = "http://127.0.0.1:1"
const RESOURCE = "https://tickets.internal.example"
const AT_ONCE = 64
const EACH_ROUND = 3000
/** Of each agent: a task of hours on tokens of minutes renews far more often. */
const RENEWALS = 3
/** An exchange needs one signature checked, the proof's: that of the token is known to the process that made it. */
const CHECKS = 1

/** Within which an issuer does what is left to do for entries. */
const LATER_MILLISECONDS = 5500

setFlagsFromString("--expose-gc")
const collect: NodeJS.GCFunction = runInNewContext("gc")

const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
const EXCHANGE = {
  grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
  subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
  resource: RESOURCE,
}

const orchestrator = { jwk: generatePrivateJwk("ES256") }
const orchestratorKey = importSigningKey(orchestrator.jwk)
const childKey = importSigningKey(generatePrivateJwk("ES256"))

const POLICY = `version: 1
apis:
  tickets:
    resource: ${RESOURCE}
    owner: bench@example.com
    operations: { tickets:read: { risk: low }, tickets:comment: { risk: moderate } }
agents: { triage-bot: { owner: bench@example.com }, summarizer: { owner: bench@example.com } }
orchestrators:
  support-orchestrator:
    owner: bench@example.com
    authenticate: [{ private_key_jwt: { jwks: ${JSON.stringify({ keys: [orchestratorKey.publicJwk] })} } }]
tasks:
  triage-ticket:
    orchestrators: [support-orchestrator]
    agents: [triage-bot]
    deadline: 2h
    inputs: { ticket: { pattern: "[A-Z]{2,5}-[0-9]{1,9}" } }
    grants:
      - { api: tickets, operations: [tickets:read, tickets:comment], resources: ["tickets/{ticket}"] }
    renew: agent
    delegation: { to: { summarizer: [tickets:read] } }
    limits: { active_tasks: 1000000, starts_per_hour: 1000000 }
`

export async function benchExchanges({ rounds }: Settings): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "bench-exchanges-"))
  mkdirSync(join(folder, "policies"))
  writeFileSync(join(folder, "policies", "bench.yaml"), POLICY, { mode: 0o644 })
  const issuer = await createIssuer({
    issuer: ISSUER,
    database: join(folder, "issuer.db"),
    policies: join(folder, "policies"),
    keyEncryptionKey: randomBytes(32),
    onFault: (error) => console.error(error),
  })
  const costs = {
    start: [] as number[],
    renewal: [] as number[],
    delegation: [] as number[],
    check: [] as number[],
  }
  for (let round = -2; round < rounds; round++) {
    const found = await measureRound(issuer)
    if (round < 0) continue
    for (const [what, cost] of Object.entries(found)) Reflect.get(costs, what).push(cost)
  }
  await issuer.close()
  rmSync(folder, { recursive: true, force: true })
  const of = (what: keyof typeof costs) => median(costs[what])
  const micros = (cost: number) => `${cost.toFixed(0)} µs`
  const delegation = of("delegation") - CHECKS * of("check")
  const renewal = of("renewal") - CHECKS * of("check")
  return printMeasures(
    `renewals and delegations beside starts, CPU time, ${rounds} rounds of ${EACH_ROUND} each`,
    [
      { what: "task start, key-bound, two tokens", figure: micros(of("start")) },
      {
        what: "renewal by exchange",
        figure: micros(of("renewal")),
        ratio: of("renewal") / of("start"),
        against: "of a start",
        atMost: 1,
      },
      { what: "one proof read and its signature checked", figure: micros(of("check")) },
      {
        what: "renewal without that",
        figure: micros(renewal),
        ratio: renewal / of("start"),
        against: "of a start",
      },
      {
        what: "delegation without that",
        figure: micros(delegation),
        ratio: delegation / of("start"),
        against: "of a start",
        atMost: 1.2,
      },
    ],
  )
}

/** Microseconds of processor time for each, in one round that starts tasks, renews and delegates. */
async function measureRound(issuer: Issuer) {
  const token = await serviceToken(issuer)
  // One for each task, as agents have them.
  const keys = Array.from({ length: EACH_ROUND }, () => importSigningKey(generatePrivateJwk("ES256")))
  const agents: Agent[] = []
  const starts = keys.map((key, at) => ({ key, request: startRequest(token, key, at) }))
  // What it does without being asked, to be taken from what the others cost.
  const idle = await costOf(issuer, [undefined], async () => undefined)
  const start = await costOf(issuer, starts, async ({ key, request }) => {
    agents.push({ key, own: ownIn(await answered(issuer, request)) })
  })
  const send = async (request: Request) => void (await answered(issuer, request))
  const renewals = Array.from({ length: RENEWALS }, () =>
    agents.map((agent) => exchangeRequest(agent, {})),
  ).flat()
  const renewal = await costOf(issuer, renewals, send)
  const actor = { requested_actor: "summarizer/pod-1", dpop_jkt: childKey.thumbprint }
  const delegations = agents.map((agent) => exchangeRequest(agent, actor))
  const delegation = await costOf(issuer, delegations, send)
  const check = await costOf(undefined, keys.map(proof), async (one) => void readProof(one))
  return {
    start: start - idle / starts.length,
    renewal: renewal - idle / renewals.length,
    delegation: delegation - idle / delegations.length,
    check,
  }
}

async function costOf<T>(
  issuer: Issuer | undefined,
  all: readonly T[],
  run: (one: T) => Promise<void>,
): Promise<number> {
  await issuer?.sweep()
  collect({ execution: "sync", type: "major" }) // what is left of the one before is not this one's cost
  const before = process.cpuUsage()
  const left = all.values()
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const one of left) await run(one)
    }),
  )
  if (issuer) await sleep(LATER_MILLISECONDS)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / all.length
}

interface Agent {
  readonly key: SigningKey
  readonly own: string
}

function startRequest(token: string, key: SigningKey, at: number): Request {
  const body = {
    type: "triage-ticket",
    agent: { id: "triage-bot", instance: "pod-1" },
    purpose: "Triage the ticket",
    inputs: { ticket: `SUP-${at + 1}` },
    dpop_jkt: key.thumbprint,
  }
  const headers = { "content-type": "application/json", authorization: `Bearer ${token}` }
  return new Request(`${ISSUER}/tasks`, { method: "POST", headers, body: JSON.stringify(body) })
}

const proof = (key: SigningKey): string =>
  signProof({ method: "POST", url: `${ISSUER}/token`, now: Math.floor(Date.now() / 1000) }, key)

const exchangeRequest = ({ own, key }: Agent, more: Readonly<Record<string, string>>): Request =>
  new Request(`${ISSUER}/token`, {
    method: "POST",
    headers: { dpop: proof(key) },
    body: new URLSearchParams({ ...EXCHANGE, subject_token: own, ...more }),
  })

/** Throws when anything but 2xx comes back: a fast refusal is no figure. */
async function answered(issuer: Issuer, request: Request): Promise<object> {
  const answer = await issuer.fetch(request)
  const body: unknown = JSON.parse(await answer.text())
  if (!answer.ok || typeof body !== "object" || body === null)
    throw new Error(`${request.url}: ${answer.status} ${JSON.stringify(body)}`)
  return body
}

function ownIn(body: object): string {
  const tokens = "tokens" in body && Array.isArray(body.tokens) ? body.tokens : []
  return String(tokens.find((one) => one.resource === ISSUER)?.access_token)
}

async function serviceToken(issuer: Issuer): Promise<string> {
  const assertion = await new SignJWT({})
    .setProtectedHeader({ alg: "ES256", typ: "client-authentication+jwt", kid: orchestratorKey.kid })
    .setIssuer("support-orchestrator")
    .setSubject("support-orchestrator")
    .setAudience(ISSUER)
    .setJti(randomBytes(16).toString("hex"))
    .setIssuedAt()
    .setExpirationTime("1m")
    .sign(createPrivateKey({ key: { ...orchestrator.jwk }, format: "jwk" }))
  const form = {
    grant_type: "client_credentials",
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: assertion,
  }
  const request = new Request(`${ISSUER}/token`, { method: "POST", body: new URLSearchParams(form) })
  const body = await answered(issuer, request)
  return "access_token" in body ? String(body.access_token) : ""
}
