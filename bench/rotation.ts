// A rotation of the signing key while tasks are started as fast as issuers answer, and every token is verified as APIs do: by
// readers that keep key sets for as long as they may. Time runs faster for all of them alike (fast-clock.ts).
import { mkdtempSync, rmSync } from "node:fs"
import { Agent, request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openIssuer } from "../src/client/issuer-call.ts"
import { createKeySet, type KeySet } from "../src/remote/key-set.ts"
import { createServiceTokens } from "../src/remote/service-token.ts"
import { type Clock, toEpochSeconds } from "../src/time.ts"
import { Unreadable } from "../src/token/jwt.ts"
import { judgeToken, openTaskToken } from "../src/token/verify.ts"
import { startPostgres } from "../test/support/postgres-server.ts"
import { createFastClock, paceFromNow } from "./fast-clock.ts"
import { type Server, startServer } from "./machine.ts"
import { perSecond, printMeasures, type Settings } from "./table.ts"

/** A quarter of an hour in 45 seconds. */
const TIMES = 20
const CALLERS = 32
/** The longest that a reader may keep a key set: libraries of others keep it for ten minutes. */
const KEPT_MILLISECONDS = 600_000
/** After the new key signs. */
const AFTERWARDS_MILLISECONDS = 5000
const LONGEST_MILLISECONDS = 120_000
/** Of the tokens of the last key, one in so many is verified again at the end. */
const KEPT_TOKENS = 50

export async function benchRotation(_settings: Settings): Promise<boolean> {
  const postgres = await startPostgres()
  try {
    const onFile = await measure("one issuer on SQLite", [""])
    const onServer = await measure("two issuers on PostgreSQL", [postgres.address, postgres.address])
    return onFile && onServer
  } finally {
    await postgres.remove()
  }
}

async function measure(title: string, addresses: readonly string[]): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "bench-rotation-"))
  const pace = paceFromNow(TIMES)
  const issuers: Server[] = []
  try {
    for (const address of addresses) issuers.push(await startServer("taskmint", [folder, address, pace]))
    return report(title, await rotateUnderLoad(issuers, createFastClock(pace)))
  } finally {
    await Promise.all(issuers.map((issuer) => issuer.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
}

function report(
  title: string,
  { seen, seconds }: { readonly seen: Seen; readonly seconds: number },
): boolean {
  const [before = 0, after = 0] = seen.kids.values()
  const starts = [...seen.kids.values()].reduce((sum, count) => sum + count, 0)
  const slowest = Math.max(...seen.slowest)
  const reasons = [...seen.faults].map(([reason, count]) => `${reason} ${count}`).join(", ")
  if (reasons !== "") console.log(`\n${title}: ${reasons}`)
  const none = (count: number) => ({ ratio: count, against: `of ${starts.toLocaleString("en")}`, atMost: 0 })
  return printMeasures(`a rotation under load, ${title}, ${CALLERS} callers, time ${TIMES} times as fast`, [
    { what: "starts", figure: perSecond(starts / seconds) },
    { what: "tokens of the key before", figure: before.toLocaleString("en") },
    {
      what: "tokens of the key after",
      figure: after.toLocaleString("en"),
      ratio: seen.kids.size,
      against: "keys signed",
      atLeast: 2,
    },
    { what: "the slowest start", figure: `${Math.round(slowest)} ms` },
    { what: "requests refused", figure: String(seen.refused), ...none(seen.refused) },
    { what: "tokens not verifiable", figure: String(seen.unverifiable), ...none(seen.unverifiable) },
    {
      what: "  of the key before, at the end",
      figure: `${seen.again}`,
      ratio: seen.againFailed,
      against: "not verifiable",
      atMost: 0,
    },
  ])
}

interface Seen {
  /** Tokens by the key that signed them, in the order in which keys were met. */
  readonly kids: Map<string, number>
  readonly faults: Map<string, number>
  readonly kept: string[]
  readonly slowest: number[]
  refused: number
  unverifiable: number
  again: number
  againFailed: number
}

async function rotateUnderLoad(issuers: readonly Server[], clock: Clock) {
  const seen: Seen = {
    kids: new Map(),
    faults: new Map(),
    kept: [],
    slowest: [0],
    refused: 0,
    unverifiable: 0,
    again: 0,
    againFailed: 0,
  }
  const readers = issuers.map((issuer) => createReader(issuer, clock))
  const agent = new Agent({ keepAlive: true, maxSockets: CALLERS })
  let over = false
  const began = performance.now()
  const load = Promise.all(
    Array.from({ length: CALLERS }, (_caller, n) => {
      const [issuer, other] = [issuers[n % issuers.length], readers[(n + 1) % readers.length]]
      if (!issuer || !other) throw new Error("no issuer")
      return startUntil(() => over, { issuer, reader: other, seen, clock, agent })
    }),
  )
  await waitUntil(() => seen.kids.size > 0)
  const operator = issuers[0] && openIssuer({ ...callerOf(issuers[0], "operations", "operatorJwk") }, clock)
  await operator?.call("POST", "/keys/rotate", {})
  await waitUntil(() => seen.kids.size > 1)
  await new Promise((resolve) => setTimeout(resolve, AFTERWARDS_MILLISECONDS))
  over = true
  await load
  agent.destroy()
  const seconds = (performance.now() - began) / 1000
  for (const [n, token] of seen.kept.entries()) {
    const reason = await readers[n % readers.length]?.faultOf(token)
    if (reason === "token_expired") continue // it has had its time
    seen.again += 1
    if (reason !== undefined) seen.againFailed += 1
  }
  return { seen, seconds }
}

async function waitUntil(done: () => boolean): Promise<void> {
  const until = performance.now() + LONGEST_MILLISECONDS
  while (!done() && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 50))
}

function callerOf({ target: { given = {} } }: Server, clientId: string, key: string) {
  const credential = { clientId, privateJwk: Object(given[key]) as object }
  return { issuer: String(given.issuer), issuerAddress: String(given.issuerAddress), credential }
}

/** An API's side: our key set, fetched again when it is as old as it may be, or when a key is not in it. */
function createReader({ target: { given = {} } }: Server, clock: Clock) {
  const keys: KeySet = createKeySet({ address: `${given.issuerAddress}/.well-known/jwks.json`, clock })
  const here = { issuer: String(given.issuer), audience: String(given.resource) }
  let fetchedAt = Number.NEGATIVE_INFINITY
  return {
    /** Undefined: it stands. */
    async faultOf(token: string): Promise<string | undefined> {
      if (clock.monotonic() - fetchedAt > KEPT_MILLISECONDS) {
        fetchedAt = clock.monotonic()
        await keys.refresh()
      }
      let opened = openTaskToken(token, keys.keyOf)
      if (opened instanceof Unreadable && opened.tag === "kid") {
        await keys.seek(kidOf(token))
        opened = openTaskToken(token, keys.keyOf)
      }
      if (opened instanceof Unreadable) return opened.tag
      return judgeToken(opened.token, { ...here, now: toEpochSeconds(clock.now()) })?.code
    },
  }
}

const kidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).kid

async function startUntil(
  isOver: () => boolean,
  with_: {
    readonly issuer: Server
    readonly reader: ReturnType<typeof createReader>
    readonly seen: Seen
    readonly clock: Clock
    readonly agent: Agent
  },
): Promise<void> {
  const { issuer, reader, seen, clock, agent } = with_
  const caller = callerOf(issuer, "support-orchestrator", "orchestratorJwk")
  const tokens = createServiceTokens({ ...caller, clock })
  while (!isOver()) {
    const began = performance.now()
    const { status, text } = await start(issuer, await tokens.get(), agent)
    if (performance.now() - began > (seen.slowest[0] ?? 0)) seen.slowest[0] = performance.now() - began
    if (status !== 201) {
      seen.refused += 1
      count(seen.faults, `${status} ${text.slice(0, 120)}`)
      continue
    }
    const token: string = JSON.parse(text).tokens[0].access_token
    const first = seen.kids.size < 2
    if (count(seen.kids, kidOf(token)) % KEPT_TOKENS === 0 && first) seen.kept.push(token)
    const fault = await reader.faultOf(token)
    if (fault === undefined) continue
    seen.unverifiable += 1
    count(seen.faults, fault)
  }
}

function count(counts: Map<string, number>, name: string): number {
  const now = (counts.get(name) ?? 0) + 1
  counts.set(name, now)
  return now
}

function start({ target }: Server, token: string, agent: Agent): Promise<{ status: number; text: string }> {
  const headers = { ...target.headers, authorization: `Bearer ${token}` }
  return new Promise((resolve, reject) => {
    const sent = request(target.url, { method: "POST", headers, agent }, (answer) => {
      let text = ""
      answer.setEncoding("utf8").on("data", (part: string) => {
        text += part
      })
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }))
    })
    sent.on("error", reject).end(target.body)
  })
}
