// Failures that nobody reports because nothing is heard any more: a verifier gone quiet, a running task that is renewed no
// more or whose agent never collects its tokens, an agent that gets nothing but refusals; and a key that two agents hold, reports with a gap. It decides what is one and when it is over,
// and writes nothing but how far it has looked: acting on it is the issuer's (issuer/watch.ts).
import { setImmediate } from "node:timers/promises"
import type { Engine } from "../database/database.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { PolicyStore } from "../policy/in-force.ts"
import { type Clock, toEpochSeconds } from "../time.ts"
import { QUIET_MILLISECONDS } from "../token/batch.ts"
import { type Alarm, type AlarmPage, type Begun, type Standing, standingAlarms, standingOf } from "./alarm.ts"
import { findIncomplete } from "./completeness.ts"
import { createHearing } from "./hearing.ts"
import { openPlace, type Place } from "./place.ts"
import { createRefusals, type Refusals, type RefusedRun } from "./refusals.ts"
import {
  holdersOfKey,
  type JudgedRow,
  judgedAlarms,
  newestNumbers,
  nextToCollect,
  nextToRunOut,
  outcomesBetween,
  outcomesOfHolder,
  type QuietVerifierRow,
  quietVerifiers,
  type StalledTaskRow,
  sharedKeys,
  stalledTasks,
  taskStillStalled,
  taskStillUncollected,
  type UncollectedTaskRow,
  uncollectedTasks,
  verifierStillQuiet,
} from "./statements.ts"

/** What was said and is over. */
export interface Over extends Standing {
  /** Of a verifier instance: it was heard again; false: it was written off. */
  readonly returned: boolean
  /** Of one that was: how long nothing was heard of it, and whether batches are missing since. */
  readonly silentMilliseconds?: number
  readonly missing?: boolean
}

export interface Silence {
  /** What was found and is not settled, and what is over. Throws Unavailable; nothing that was found is lost by that. */
  look(): Promise<{ readonly begun: readonly Begun[]; readonly over: readonly Over[] }>
  /** It was said, or is not so any more. */
  settle(begun: Begun): void
  /** Keeps how far it has looked, for a process that starts later, once all that was found is settled. */
  save(): Promise<void>
}

export interface SilenceOptions {
  readonly engine: Engine
  readonly ledger: Ledger
  readonly policies: PolicyStore
  readonly clock: Clock
}

/** A restarted agent gets that long to take its task over. */
const STALLED_SECONDS = 20
/** Tokens that ran out are looked at by so many seconds of them at once, mints and entries by so many rows. */
const SECONDS_AT_ONCE = 10
const ROWS_AT_ONCE = 10_000
/** Alarms of one kind that one look raises, and that it judges. */
const MOST_AT_ONCE = 500

interface Watching extends SilenceOptions {
  readonly refusals: Refusals
  readonly place: Place
  /** Found and not settled: where it was found is not looked at again. */
  readonly owed: Map<string, Begun>
}

const keyOf = ({ kind, value }: Alarm): string => `${kind} ${value}`

export function createSilence(options: SilenceOptions): Silence {
  const hearing = createHearing(options.clock)
  const owed = new Map<string, Begun>()
  let watching: Watching | undefined
  let judged = 0
  const open = async (now: number): Promise<Watching> => {
    const place = watching?.place ?? (await openPlace(options.engine, now))
    watching ??= { ...options, refusals: createRefusals(), place, owed }
    return watching
  }
  return {
    async look() {
      const now = options.ledger.at()
      const parts = await open(now)
      // Before the entries: an alarm is by entries that were there when it was raised.
      const said = await agentAlarms(options.engine)
      const [newest] = await options.engine.query(newestNumbers)
      await readEntries(parts, newest?.seq ?? 0, now)
      await findSharedKeys(parts, newest?.token ?? 0)
      for (const one of await findIncomplete(options.engine, MOST_AT_ONCE)) owe(parts, one)
      if (hearing.hears()) {
        await findQuiet(parts, now)
        await findStalled(parts, now)
        await findUncollected(parts, now)
      }
      const page = await judge(options.engine, now, judged)
      judged = page.last
      hearing.looked()
      const known = new Set(said.map(({ value }) => value))
      const agents = parts.refusals.runs(now).map(ofAgent)
      return {
        begun: [...owed.values(), ...agents.filter(({ value }) => !known.has(value))],
        over: [...page.over, ...said.filter((row) => !isStillRefused(parts, row, now)).map(overOf)],
      }
    },
    settle: (begun) => void owed.delete(keyOf(begun)),
    save: async () => {
      if (owed.size === 0) await watching?.place.save(options.ledger.at())
    },
  }
}

const owe = ({ owed }: Pick<Watching, "owed">, begun: Begun): void => void owed.set(keyOf(begun), begun)

const overOf = (row: Standing): Over => ({ ...row, returned: true })

async function agentAlarms(engine: Engine): Promise<readonly Standing[]> {
  const found: Standing[] = []
  let after: number | undefined = 0
  while (after !== undefined) {
    const page: AlarmPage = await standingAlarms(engine, {
      kind: "agent_refused",
      after,
      limit: MOST_AT_ONCE,
    })
    found.push(...page.alarms)
    after = page.next
  }
  return found
}

async function readEntries({ engine, refusals, place }: Watching, newest: number, now: number) {
  for (let after = place.seq(); after < newest; after = place.seq()) {
    const upTo = Math.min(after + ROWS_AT_ONCE, newest)
    await refusals.take(await engine.query(outcomesBetween, { after, upTo }), (holder, place) =>
      engine.query(outcomesOfHolder, { agent: holder.agent, instance: holder.instance, after: place, upTo }),
    )
    place.readTo(upTo, now)
    if (upTo < newest) await setImmediate()
  }
}

function ofAgent({ agent, instance, side, refusals, since, code }: RefusedRun): Begun {
  const facts = { agent, instance, side, refusals, ...(code !== undefined && { last_code: code }) }
  return { kind: "agent_refused", value: `${agent}/${instance}`, facts, since, guards: [] }
}

const isStillRefused = ({ refusals }: Watching, { value, facts }: Standing, now: number): boolean =>
  refusals.isRefused(facts.side ?? "api", value, now)

async function findSharedKeys(parts: Watching, newest: number): Promise<void> {
  const { engine, ledger, place } = parts
  for (let after = place.token(); after < newest; after = place.token()) {
    const upTo = Math.min(after + ROWS_AT_ONCE, newest)
    for (const { jkt } of await engine.query(sharedKeys, { after, upTo })) {
      const agents = (await engine.query(holdersOfKey, { jkt })).map(({ agent }) => agent)
      owe(parts, { kind: "key_shared", value: jkt, facts: { agents }, since: ledger.at(), guards: [] })
    }
    place.mintedTo(upTo)
    if (upTo < newest) await setImmediate()
  }
}

async function findQuiet(parts: Watching, now: number): Promise<void> {
  const values = { before: now - QUIET_MILLISECONDS, limit: MOST_AT_ONCE }
  for (const row of await parts.engine.query(quietVerifiers, values)) owe(parts, ofVerifier(row))
}

const ofVerifier = ({ instance, api, sequence, last_seen }: QuietVerifierRow): Begun => ({
  kind: "verifier_silent",
  value: instance,
  facts: { api, sequence },
  since: last_seen,
  guards: [{ statement: verifierStillQuiet, values: { instance, last_seen }, rows: 1 }],
})

/** Some of them at once; the place stays at what was looked at, so the rest comes next time. */
async function findStalled(parts: Watching, now: number): Promise<void> {
  const { engine, policies, place, owed } = parts
  const seconds = toEpochSeconds(now)
  const last = seconds - STALLED_SECONDS
  for (let from = place.exp(); from < last && owed.size < MOST_AT_ONCE; from = place.exp()) {
    const [next] = await engine.query(nextToRunOut, { from })
    const until = Math.min((next?.exp ?? last) + SECONDS_AT_ONCE, last)
    const tasks = policies.inForce().tasks
    for (const row of await engine.query(stalledTasks, { from, until }))
      if (tasks.get(row.type)?.renew !== "none") owe(parts, ofTask(row, seconds))
    place.ranOutTo(until)
    if (until < last) await setImmediate()
  }
}

const ofTask = ({ task_id, ran_out, ...who }: StalledTaskRow, now: number): Begun => ({
  kind: "task_unrenewed",
  value: task_id,
  facts: { task: task_id, ...who },
  since: ran_out * 1000,
  guards: [{ statement: taskStillStalled, values: { task: task_id, now }, rows: 1 }],
})

/** The same, of tasks that began without tokens, for their agent collects them. */
async function findUncollected({ engine, place, owed }: Watching, now: number): Promise<void> {
  const last = toEpochSeconds(now) - STALLED_SECONDS
  for (let from = place.collectBy(); from < last && owed.size < MOST_AT_ONCE; from = place.collectBy()) {
    const [next] = await engine.query(nextToCollect, { from })
    const until = Math.min((next?.at ?? last) + SECONDS_AT_ONCE, last)
    for (const row of await engine.query(uncollectedTasks, { from, until })) owe({ owed }, ofAwaited(row))
    place.collectedTo(until)
    if (until < last) await setImmediate()
  }
}

const ofAwaited = ({ task_id, started_at, ...who }: UncollectedTaskRow): Begun => ({
  kind: "task_uncollected",
  value: task_id,
  facts: { task: task_id, ...who },
  since: started_at,
  guards: [{ statement: taskStillUncollected, values: { task: task_id }, rows: 1 }],
})

/** Goes round the alarms that stand, a page each time. */
async function judge(engine: Engine, now: number, after: number) {
  const values = { after, limit: MOST_AT_ONCE, now: toEpochSeconds(now) }
  const rows: readonly JudgedRow[] = await engine.query(judgedAlarms, values)
  const over = rows.filter((row) => row.stands === 0)
  return {
    over: over.map(endOf),
    last: rows.length < MOST_AT_ONCE ? 0 : (rows.at(-1)?.id ?? 0),
  }
}

function endOf(row: JudgedRow): Over {
  const silent = (row.last_seen ?? 0) - row.since
  if (silent <= 0) return { ...standingOf(row), returned: false }
  return { ...standingOf(row), returned: true, silentMilliseconds: silent, missing: row.missing === 1 }
}
