// A task of three hours on tokens of five minutes: a sub-agent, a person who takes 45 minutes to decide, an issuer that is
// away for ten, an orchestrator that dies and comes back. Issuer, guard and sessions are real, the clock is not. Nothing that
// was called fails, and the ledger accounts for everything: each use once, each token, nothing past the deadline.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { createSessionKey } from "../../src/client/client.ts"
import type { HandedToken, TaskTokenHeld } from "../../src/client/held-token.ts"
import { openSession, type Session } from "../../src/client/session.ts"
import { readSessionOptions, type SessionOptions } from "../../src/client/session-options.ts"
import type { Task } from "../../src/client/task.ts"
import { approvalTexts } from "../support/approvals.ts"
import { type Simulated, simulate } from "../support/simulated.ts"
import { buildTown, type Town } from "../support/town.ts"

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 })

/** The grace is longer than the outage: a sub-agent's token ends with its delegator's, and who is away for long is asked for later. */
const RULES = `    token_lifetime: 5m
    deadline: 3h
    renew: agent
    renewal_grace: 15m
    delegation: { max_depth: 1, max_children: 1, to: { summarizer: [tickets:read] } }
`
const START = {
  type: "triage-ticket",
  agent: { id: "triage-bot", instance: "pod-1" },
  purpose: "a task of three hours",
  inputs: { ticket: "SUP-1042" },
  reference: "run-1",
} as const
const MINUTE = 60_000
/** As long as the outage and its end may take. */
const WAIT_SECONDS = 900

interface Call {
  readonly who: string
  readonly minute: number
  answer?: number | unknown
}

interface Entry {
  readonly kind: string
  readonly at: string
  readonly jti?: string
  readonly code?: string
  readonly agent?: string
  readonly operation?: string
  readonly body?: Readonly<Record<string, unknown>>
}

interface Claims {
  readonly jti: string
  readonly iat: number
  readonly exp: number
  readonly lineage?: readonly string[]
}

const claimsOf = (token: string): Claims =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString())

let town: Town
let around: Simulated
let task: Task
let agent: Session
let subAgent: Session
let delegation: string
let beganAt: number
const calls: Call[] = []
let open = 0
/** Every token that anybody was given. */
const given: Claims[] = []
const givenBelow: Claims[] = []
let entries: Entry[]

const note = (tokens: readonly HandedToken[]) =>
  given.push(...tokens.map(({ accessToken }) => claimsOf(accessToken)))
const noteBelow = (tokens: readonly Claims[]) => {
  given.push(...tokens)
  givenBelow.push(...tokens)
}

/** A session that tells of each token that it gets. */
async function openNoting(options: SessionOptions, told: (tokens: Claims[]) => void): Promise<Session> {
  const opened = await readSessionOptions({ ...options, waitSeconds: WAIT_SECONDS }, around)
  const { renew } = opened
  if (!renew) throw new Error("the session does not renew")
  const noting = async (...asked: Parameters<typeof renew>) => {
    const fresh = await renew(...asked)
    told(fresh.map(({ token }: TaskTokenHeld) => claimsOf(token.reveal())))
    return fresh
  }
  return openSession({ ...opened, renew: noting }, around)
}

/** It is on its way; time goes on meanwhile. */
function call(who: string, session: Session, path = "", method = "GET"): Call {
  const made: Call = { who, minute: minute() }
  calls.push(made)
  if (who !== "asker") open++
  session
    .fetch(`${town.tickets}/tickets/SUP-1042${path}`, { method })
    .then(
      ({ status }) => status,
      (error: unknown) => error,
    )
    .then((answer) => {
      made.answer = answer
      if (who !== "asker") open--
    })
  return made
}

const minute = () => Math.floor((around.clock.now() - beganAt) / MINUTE)

/** Until that minute both agents work; what is asked of servers gets its real time. */
async function passTo(end: number): Promise<void> {
  while (minute() < end) {
    call("agent", agent)
    call("sub-agent", subAgent)
    for (let part = 0; part < 12; part++) {
      if (open > 0 || part === 0) await town.quiet()
      if ((await around.pass(5000)) > 0) await town.quiet()
    }
  }
}

const forReal = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** What guards hear of the issuer comes every two seconds of real time: where its age matters, time is slow. */
async function slowly(until: () => boolean | Promise<boolean>): Promise<void> {
  for (let seconds = 0; !(await until()) && seconds < 60; seconds++) {
    await around.pass(1000)
    await forReal(80)
  }
}

const isDeaf = () => town.doubts().some((doubt) => doubt.startsWith("revocations"))

async function questions() {
  const { approvals } = await town.ask("operations-team", "GET", "/approvals?state=requested")
  return Array.isArray(approvals) ? approvals : []
}

async function decide(): Promise<void> {
  const [one, more] = await questions()
  expect(more).toBeUndefined()
  expect(one).toMatchObject({ operation: "tickets:close", requested_by: "triage-bot/pod-1" })
  const answer = await town.ask("operations-team", "POST", `/approvals/${one.id}`, { decision: "grant" })
  expect(answer).toMatchObject({ state: "granted" })
}

async function readLedger(): Promise<Entry[]> {
  const all: Entry[] = []
  for (let after = ""; ; ) {
    const page = await town.ask("audit-team", "GET", `/ledger/entries?task=${task.id}&limit=1000${after}`)
    if (Array.isArray(page.entries)) all.push(...page.entries)
    if (typeof page.next !== "string") return all
    after = `&after=${page.next}`
  }
}

beforeAll(async () => {
  around = simulate(5, Date.now())
  beganAt = around.clock.now()
  town = await buildTown({
    clock: around.clock,
    dev: true,
    prepare(policies) {
      for (const [name, text] of Object.entries(approvalTexts(policies)))
        writeFileSync(
          join(policies, name),
          text.replace("    token_lifetime: 10m\n    deadline: 2h\n", RULES),
        )
    },
  })
  const [key, keyBelow] = [createSessionKey(), createSessionKey()]
  const request = { ...START, dpopJkt: key.thumbprint }
  task = await town.orchestrator().start(request)
  const { tokens } = task.handover()
  note(tokens)
  const question = { operation: "tickets:close", resource: "tickets/SUP-1042", reason: "It is solved" }
  agent = await openNoting({ ...task.handover(), key, approval: () => question }, (fresh) =>
    given.push(...fresh),
  )
  const below = await agent.delegate({
    agent: { id: "summarizer", instance: "pod-2" },
    resource: town.tickets,
    dpopJkt: keyBelow.thumbprint,
  })
  const { delegation: id, ...handed } = below
  delegation = id
  noteBelow(handed.tokens.map(({ accessToken }) => claimsOf(accessToken)))
  subAgent = await openNoting({ ...handed, key: keyBelow }, noteBelow)

  await passTo(20)
  await slowly(() => !isDeaf())
  const closing = call("asker", agent, "/close", "POST")
  // It has to reach the guard, which has to know whether the token still stands, before it can be answered with "ask".
  await slowly(async () => (await questions()).length > 0)
  await passTo(65)
  await forReal(2100)
  await decide()
  // What can't be undone needs news of the last half minute.
  await slowly(() => closing.answer !== undefined)
  await passTo(90)
  await town.restartIssuer(() => passTo(100))
  await slowly(() => !isDeaf())
  await passTo(120)
  // A new process, which knows its own reference and nothing else.
  const { id: known } = task
  task = await town.orchestrator().start(request)
  expect(task.id).toBe(known)
  await passTo(178)
  await town.flush()
  await task.complete()
  entries = await readLedger()
}, 90_000)
afterAll(async () => {
  await Promise.all([agent?.close(), subAgent?.close()])
  await town?.close()
})

const of = (...kinds: string[]) => entries.filter(({ kind }) => kinds.includes(kind))
const minted = () => of("token.issued", "token.renewed", "token.delegated")
const ids = (claims: readonly { readonly jti?: string }[]) => claims.map(({ jti }) => jti).sort()
const seconds = (value: unknown) => (typeof value === "number" ? value : Number.NaN)

test("every call was served, in the outage, too, and the one that a person had to agree to", () => {
  expect(calls.filter(({ answer }) => answer !== 200)).toEqual([])
  expect(calls.length).toBeGreaterThan(2 * 170)
  expect(calls.filter(({ who }) => who === "asker")).toMatchObject([{ minute: 20, answer: 200 }])
})

test("every use that was served is in the ledger, exactly once", () => {
  const recorded = of("use.allowed").map(({ body }) => String(body?.use))
  expect(recorded.sort()).toEqual(town.served.map(({ useId }) => useId).sort())
  expect(recorded).toHaveLength(calls.length)
})

test("nothing was refused but the question itself", () => {
  // Of an operation that can't be undone the guard says "cannot tell", when on this clock its news are old;
  // a sub-agent that renews after the outage before its delegator did is told to wait; and where the clock leaps while a
  // request is on its way, the guard says "renew", and the session does.
  const waits = new Set(["revocations_stale", "holder_above_expired", "token_expired"])
  const refused = of("use.refused", "token.refused", "task.refused").filter(
    ({ code = "" }) => !waits.has(code),
  )
  expect(refused.map(({ kind, code }) => `${kind} ${code}`)).toEqual(["use.refused operation_not_granted"])
  expect(of("approval.requested", "approval.granted")).toHaveLength(2)
})

test("every token has its entry, and no entry is without its token", () => {
  const [approved, more] = minted().filter(({ body }) => body?.approval !== undefined)
  expect(more).toBeUndefined()
  expect(of("use.allowed").filter(({ operation }) => operation === "tickets:close")).toMatchObject([
    { jti: approved?.jti },
  ])
  expect(ids(minted())).toEqual(ids([...given, approved ?? {}]))
  expect(given.length).toBeGreaterThan(4 * 30)
})

test("no token lives longer than five minutes, and nothing past the deadline", () => {
  const deadline = task.deadline / 1000
  for (const { body } of minted()) {
    const [from, until] = [seconds(body?.iat), seconds(body?.exp)]
    const most = body?.approval === undefined ? 300 : 900
    expect(until - from).toBeLessThanOrEqual(most)
    expect(until).toBeLessThanOrEqual(deadline)
  }
  expect(Math.max(...given.map(({ exp }) => exp))).toBeGreaterThan(deadline - 60)
  for (const { at } of entries) expect(Date.parse(at)).toBeLessThanOrEqual(task.deadline)
})

test("the sub-agent is the same delegation over all its renewals", () => {
  expect(new Set(givenBelow.map(({ lineage }) => String(lineage)))).toEqual(new Set([delegation]))
  expect(givenBelow.length).toBeGreaterThan(2 * 30)
  const below = minted().filter(({ agent: name }) => name === "summarizer")
  expect(ids(below)).toEqual(ids(givenBelow))
  for (const { body } of below) expect(body?.lineage).toEqual([delegation])
})

test("one start, one end: the orchestrator that came back found its task and ended it", () => {
  expect(of("task.started", "task.completed", "task.expired").map(({ kind }) => kind)).toEqual([
    "task.started",
    "task.completed",
  ])
  expect(entries.at(-1)).toMatchObject({ kind: "task.completed" })
})
