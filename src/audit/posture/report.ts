// The report of posture: everything that is read for it, once, and what is found. What differs is posture.ts's and standing.ts's to
// say; this decides the order of findings and how ages are told apart.
import type { Engine } from "../../database/database.ts"
import type { Rotation, WaitsFor } from "../../keys/rotation.ts"
import type { PolicyStore } from "../../policy/in-force.ts"
import type { Place, Policy } from "../../policy/policy.ts"
import { SEVERITIES, type Severity } from "../../policy/review-rule.ts"
import { type Age, countLiveTasks, countLiveTokens } from "../living.ts"
import { dayOf } from "../privilege-count.ts"
import { comparePosture, type Served } from "./posture.ts"
import type { PostureRule } from "./rules.ts"
import { findStanding } from "./standing.ts"
import { GIVEN_DAYS, HEARD_DAYS } from "./standing-facts.ts"
import { type StandingRule, TOPICS, type Topic } from "./standing-rules.ts"
import {
  askedSince,
  type CanaryRow,
  canariesOf,
  firstDay,
  givenSince,
  heardSince,
  ledgerKeyAges,
  lockedNames,
  startedSince,
} from "./statements.ts"

/** Times are epoch milliseconds. */
export interface PostureReport {
  readonly at: number
  /** The digest of the policy in force. */
  readonly policy: string
  /** The gravest first. */
  readonly findings: readonly Finding[]
  readonly tasks: readonly Age[]
  readonly tokens: readonly Age[]
  readonly keys: readonly KeyAge[]
}

export interface Finding {
  readonly rule: PostureRule | StandingRule
  readonly topic: Topic
  readonly severity: Severity
  readonly api?: string
  readonly agent?: string
  readonly type?: string
  readonly operation?: string
  readonly resource?: string
  readonly place?: Place
  readonly message: string
  readonly fix: string
}

export interface KeyAge {
  /** Of a signing key its thumbprint, of the ledger's key its name and id. */
  readonly key: string
  readonly signs: "tokens" | "ledger"
  readonly state: string
  readonly createdAt: number
  readonly activatedAt: number | undefined
  readonly waitsFor: WaitsFor | undefined
}

export interface PostureSources {
  readonly engine: Engine
  readonly policies: PolicyStore
  readonly rotation: Rotation
  /** Epoch milliseconds. */
  readonly now: number
  /** By API, what its verifiers say. */
  readonly served: ReadonlyMap<string, Served>
}

/** Questions to people that are looked at: more than that many in 30 days are one reason to look at all of them. */
const MOST_ASKED = 20_000
const DAY_MILLISECONDS = 86_400_000

/** As of now, but for what was not counted yet. Throws Unavailable. */
export async function readPosture(sources: PostureSources): Promise<PostureReport> {
  const { engine, policies, rotation, now, served } = sources
  const day = { day: dayOf(now) - GIVEN_DAYS + 1 }
  const [first] = await engine.query(firstDay)
  const { retired = [], standing: keys = [] } = Object.groupBy(await rotation.list(), ({ state }) =>
    state === "retired" ? "retired" : "standing",
  )
  const ledgerKeys = await engine.query(ledgerKeyAges)
  const { ages: tasks, groups: live } = await countLiveTasks(engine, now)
  const policy = policies.inForce()
  const found = findStanding(policy, {
    now,
    wholeWindow: (first?.day ?? Number.POSITIVE_INFINITY) < day.day,
    given: await engine.query(givenSince, day),
    started: await engine.query(startedSince, day),
    asked: await engine.query(askedSince, { most: MOST_ASKED, since: now - GIVEN_DAYS * DAY_MILLISECONDS }),
    heard: await engine.query(heardSince, { day: dayOf(now) - HEARD_DAYS + 1 }),
    live,
    longLived: tasks.at(-1)?.count ?? 0,
    locks: await engine.query(lockedNames, { now }),
    keys,
    retired: retired.toSorted((one, other) => (one.retiredAt ?? 0) - (other.retiredAt ?? 0)),
    canaries: await canariesIn(engine, policy),
    nextKeyAt: rotation.nextAt(),
    signerMissing: rotation.waitsForSigner(),
    ledgerKeyAt: ledgerKeys.find(({ state }) => state === "current")?.created_at,
    policyState: policies.state(),
  })
  return {
    at: now,
    policy: policy.digest,
    findings: [...servedFindings(policy, served), ...found].sort(graveFirst),
    tasks,
    tokens: await countLiveTokens(engine, now),
    keys: [
      ...keys.map(
        ({ kid, state, createdAt, activatedAt, waitsFor }): KeyAge => ({
          ...{ key: kid, signs: "tokens", state, createdAt, activatedAt, waitsFor },
        }),
      ),
      ...ledgerKeys.map(
        ({ vkey, state, created_at }): KeyAge => ({
          ...{ key: vkey, signs: "ledger", state, createdAt: created_at, activatedAt: created_at },
          waitsFor: undefined,
        }),
      ),
    ],
  }
}

/** Who may mint one is staff that operates, under its own name. */
async function canariesIn(engine: Engine, policy: Policy): Promise<readonly CanaryRow[]> {
  const counts = new Map<string, number>()
  for (const { name: by } of policy.staff.values())
    for (const { kid, count } of await engine.query(canariesOf, { by }))
      counts.set(kid, (counts.get(kid) ?? 0) + count)
  return [...counts].map(([kid, count]) => ({ kid, count }))
}

const servedFindings = (policy: Policy, served: ReadonlyMap<string, Served>): Finding[] =>
  comparePosture(policy, served).map((one) => ({ ...one, topic: "served" }))

/** Then by topic, and in the order in which each topic found them. */
const graveFirst = (one: Finding, other: Finding): number =>
  SEVERITIES.indexOf(other.severity) - SEVERITIES.indexOf(one.severity) ||
  TOPICS.indexOf(one.topic) - TOPICS.indexOf(other.topic)
