// Catalogue G, races: an order to end tokens against those who ask for tokens at the same moment. Whatever comes first,
// no token of what was ended has a place in the ledger behind the order, and whoever asks after the answer gets none.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause, setImmediate } from "node:timers/promises"
import { decodeJwt } from "jose"
import { expect, onTestFinished, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import type { Revocation } from "../../src/task/revocation-view.ts"
import type { Started } from "../../src/task/start.ts"
import { onPostgres } from "../support/engine.ts"
import { createFolders } from "../support/folder.ts"
import { createWorld, SUPPORT_START, type World, writePolicies } from "../support/world.ts"

const ORCHESTRATOR = "support-orchestrator"
/** In some five seconds on a quiet machine; each run draws others. */
const INTERLEAVINGS = onPostgres ? 300 : 1500
/** Races at the same time. Then all their tokens run out, or each order would have to look through ever more of them. */
const AT_ONCE = onPostgres ? 50 : 100
/** What the last answer took. */
let pace = 0
const HOUR_MILLISECONDS = 3_600_000
const newFolder = createFolders()

/** The shipped policy, without its limits on how many tasks there may be. */
async function openWorld(): Promise<World> {
  const folder = newFolder()
  const policies = join(folder, "policies")
  writePolicies(policies)
  const file = join(policies, "support.yaml")
  const text = readFileSync(file, "utf8")
  const roomy = text.replace(/limits: \{.*\}/, "limits: { active_tasks: 1000000, starts_per_hour: 1000000 }")
  expect(roomy).not.toBe(text)
  writeFileSync(file, roomy)
  const world = await createWorld({ folder })
  onTestFinished(() => world.leave())
  return world
}

type Kind = "instance" | "task" | "token"

/** One order and what was answered around it. */
interface Race {
  readonly kind: Kind
  readonly order: Revocation
  /** Ids of the tokens that were answered, each with whether it was asked for after the order was answered. */
  readonly answered: readonly { readonly jti: string; readonly late: boolean }[]
}

async function race(world: World, number: number, random: () => number): Promise<Race> {
  const kind = (["instance", "task", "token"] as const)[number % 3] ?? "task"
  const agent = { id: "triage-bot", instance: `pod-${number}` }
  const request = { ...SUPPORT_START, agent, reference: `run-${number}` }
  const start = () => world.tasks.start(ORCHESTRATOR, request)
  const first = kind === "instance" ? undefined : mustStart(await start())
  const value = {
    instance: `triage-bot/pod-${number}`,
    task: first?.taskId,
    token: first && jtisOf(first)[0],
  }
  const renew = () => world.tasks.renew(ORCHESTRATOR, first?.taskId ?? "", {})
  const answered: { jti: string; late: boolean }[] = (first ? jtisOf(first) : []).map(early)
  let ordered = false
  const turnOver = async () => {
    await world.tasks.change(ORCHESTRATOR, first?.taskId ?? "", "pause")
    return world.tasks.change(ORCHESTRATOR, first?.taskId ?? "", "resume")
  }
  const asking = async (ask: () => ReturnType<typeof start | typeof renew | typeof turnOver>) => {
    await turns(random)
    const [late, since] = [ordered, performance.now()]
    const answer = await ask()
    pace = performance.now() - since
    if (!(answer instanceof Refusal)) answered.push(...jtisOf(answer).map((jti) => ({ jti, late })))
  }
  const askers = { instance: [start, start], task: [renew, turnOver], token: [start, renew] }[kind]
  const asked = askers.map(asking)
  const ordering = async () => {
    await moment(random, asked)
    const wanted = { kind, value: value[kind] ?? "", reason: "race" }
    const set = await world.revocations.revoke("operations-team", wanted)
    if (set instanceof Refusal) throw new Error(set.reason)
    ordered = true
    return set
  }
  const [order] = await Promise.all([ordering(), ...asked])
  await asking(start)
  return { kind, order, answered }
}

const early = (jti: string) => ({ jti, late: false })

function mustStart(started: Started | Refusal): Started {
  if (started instanceof Refusal) throw new Error(started.reason)
  return started
}

const jtisOf = (answer: Pick<Started, "tokens">) =>
  answer.tokens.map(({ accessToken }) => String(decodeJwt(accessToken).jti))

/** Lets a few turns of the loop pass, so that each race meets the others and the disk at another point. */
async function turns(random: () => number): Promise<void> {
  for (let left = Math.floor(random() * 6); left > 0; left--) await setImmediate()
}

/**
 * When an order is given. A start reads before it writes, and of a server each takes longer than a few turns: there some
 * orders wait for about as long, and some until one of the others is answered.
 */
async function moment(random: () => number, asked: readonly Promise<void>[]): Promise<void> {
  const drawn = onPostgres ? random() : 0
  if (drawn < 0.3) await turns(random)
  else if (drawn < 0.8) await pause(random() * 1.5 * pace)
  else await Promise.race(asked)
}

/** xorshift32: a run can be repeated by its seed. */
function createRandom(seed: number): () => number {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/** Where each token and each order stands in the ledger. */
async function placesOf(world: World): Promise<Map<string, number>> {
  const places = new Map<string, number>()
  for (const kind of ["token.issued", "token.renewed", "token.revoked"] as const) {
    for (let after: string | undefined; ; ) {
      const { entries, next } = await world.ledger.read({ kind, limit: 1000, ...(after && { after }) })
      for (const { seq, jti, body } of entries) places.set(String(body?.revocation ?? jti), seq)
      if (next === null) break
      after = next
    }
  }
  return places
}

test(`G02 ${INTERLEAVINGS} orders race with starts and renewals: nothing that an order ends stands behind it or is answered after it`, {
  timeout: 240_000,
}, async () => {
  const world = await openWorld()
  const seed = Math.floor(Math.random() * 2 ** 31)
  const random = createRandom(seed)
  const races: Race[] = []
  while (races.length < INTERLEAVINGS) {
    const numbers = Array.from({ length: AT_ONCE }, (_, at) => races.length + at)
    races.push(...(await Promise.all(numbers.map((number) => race(world, number, random)))))
    world.clock.advance(HOUR_MILLISECONDS)
  }

  const places = await placesOf(world)
  const wrong = races.flatMap(({ kind, order, answered }) =>
    answered
      .filter(({ jti }) => kind !== "token" || jti === order.value)
      .filter(({ jti, late }) => late || !(Number(places.get(jti)) < Number(places.get(order.id))))
      .map(({ jti }) => `${kind} ${order.value}: ${jti} (seed ${seed})`),
  )
  expect(wrong).toEqual([])
  // And the races were races: an order found tokens to end, and came before others.
  const before = races.filter(({ kind, order }) => kind === "instance" && order.tokensEnded > 0)
  const after = races.filter(({ kind, order }) => kind === "instance" && order.tokensEnded === 0)
  expect(Math.min(before.length, after.length)).toBeGreaterThan(INTERLEAVINGS / 100)
})
