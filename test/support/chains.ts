// Random lives of holders that stand one below the other: renewed, narrowed, delegated, ended, under policies that change. The
// gate decides; an oracle written apart, which knows nothing but sets of single uses, says what it may decide at most.
import fc from "fast-check"
import { type Step, statement } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { Refusal } from "../../src/errors.ts"
import { loadStoredPolicy } from "../../src/policy/load.ts"
import type { Agent, Policy, TaskType } from "../../src/policy/policy.ts"
import {
  type GateParts,
  type Link,
  lifetimeOf,
  type MintRequest,
  type Passed,
  passGate,
} from "../../src/task/gate.ts"
import type { Authority } from "../../src/token/authority.ts"
import { newId } from "../../src/token/id.ts"
import {
  ALL,
  both,
  grants,
  isNothing,
  isWithin,
  OPERATIONS,
  type Operation,
  ofOperations,
  operations,
  same,
  type Uses,
  usesOf,
} from "./single-uses.ts"

const AGENTS = ["root", "left", "right", "deep"] as const
type AgentName = (typeof AGENTS)[number]

interface Rules {
  readonly grants: Authority
  /** What a person has to agree to. */
  readonly asks: Authority
  readonly atMost: Readonly<Record<AgentName, readonly Operation[] | undefined>>
  readonly to: Readonly<Partial<Record<AgentName, readonly Operation[]>>>
  readonly disabled: readonly AgentName[]
  readonly maxDepth: number
  readonly lifetime: number
}

const some = fc.option(operations, { nil: undefined, freq: 3 })
const rules: fc.Arbitrary<Rules> = fc.record({
  grants,
  asks: grants,
  atMost: fc.record({ root: some, left: some, right: some, deep: some }),
  to: fc.record({ left: operations, right: operations, deep: operations }, { requiredKeys: [] }),
  disabled: fc.subarray([...AGENTS], { maxLength: 1 }),
  maxDepth: fc.integer({ min: 1, max: 4 }),
  lifetime: fc.integer({ min: 300, max: 1800 }),
})

type Act =
  | {
      readonly kind: "delegate"
      readonly at: number
      readonly agent: AgentName
      readonly part: Authority | undefined
    }
  | { readonly kind: "renew"; readonly at: number; readonly part: Authority | undefined }
  | { readonly kind: "end"; readonly at: number }
  | { readonly kind: "wait"; readonly seconds: number }
  | { readonly kind: "policy"; readonly rules: Rules }

const at = fc.nat({ max: 7 })
const part = fc.option(grants, { nil: undefined, freq: 2 })
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("delegate" as const),
      at,
      agent: fc.constantFrom(...AGENTS),
      part,
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("renew" as const), at, part }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("end" as const), at }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("wait" as const), seconds: fc.integer({ min: 1, max: 2000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("policy" as const), rules }) },
)

const DEADLINE_SECONDS = 5000

/** What every policy of these lives has in common, and whatever else a policy has. */
const BASE = await loadBase(`version: 1
apis:
  a: { resource: "https://a.example", owner: o, operations: { "a:read": { risk: low }, "a:write": { risk: low } } }
  b: { resource: "https://b.example", owner: o, operations: { "b:read": { risk: low } } }
agents: { root: { owner: o }, left: { owner: o }, right: { owner: o }, deep: { owner: o } }
orchestrators: { boss: { owner: o } }
tasks:
  task:
    orchestrators: [boss]
    agents: [root]
    deadline: ${DEADLINE_SECONDS}s
    renew: agent
    grants: [{ api: a, operations: ["a:read"], resources: [x] }]
    delegation: { max_children: 5, to: { left: ["a:read"] } }
`)

async function loadBase(text: string) {
  const policy = await loadStoredPolicy(new Map([["a.yaml", text]]), { dev: true })
  const type = "tasks" in policy ? policy.tasks.get("task") : undefined
  const rule = type?.delegation
  const grant = type?.grants[0]
  if (!("tasks" in policy) || !type || !rule || !grant)
    throw new Error(`the base has faults: ${String(policy)}`)
  return { policy, type, rule, grant }
}

function policyOf({ grants, asks, atMost, to, disabled, maxDepth, lifetime }: Rules): Policy {
  const agents = AGENTS.map((name): [string, Agent] => {
    const agent = BASE.policy.agents.get(name)
    if (!agent) throw new Error("an agent is missing")
    const most = atMost[name]
    return [name, { ...agent, atMost: most && new Set<string>(most), enabled: !disabled.includes(name) }]
  })
  const type: TaskType = {
    ...BASE.type,
    tokenLifetimeSeconds: lifetime,
    grants: [
      ...grants.map(grantOf),
      ...asks.map((one) => ({ ...grantOf(one), approval: { by: ["lead"], validSeconds: 60, once: true } })),
    ],
    delegation: {
      ...BASE.rule,
      maxDepth,
      to: new Map(Object.entries(to).map(([agent, all]) => [agent, new Set(all)])),
    },
  }
  return { ...BASE.policy, agents: new Map(agents), tasks: new Map([["task", type]]) }
}

const grantOf = ({ api, operations, resources, rule }: Authority[number]) => ({
  ...BASE.grant,
  api: api.charAt("https://".length),
  operations,
  resources: resources.map((one) =>
    one.map((text) => (text === "*" || text === "**" ? text : { literal: text })),
  ),
  rule,
})

interface Standing {
  readonly links: readonly Link[]
  /** The oracle's: what each link was given, outermost first. */
  readonly given: readonly Uses[]
  /** The same, with what it may ask a person for. */
  readonly all: readonly Uses[]
  readonly above: Standing | undefined
  ends: number
  ended: boolean
}

/** What a holder may do at most, of what was `started` and is `now`: nothing where policy does not let it be. */
function oracle(
  rules: Rules,
  [started, now]: readonly [Uses, Uses],
  { links }: Standing,
  given: readonly Uses[],
): Uses {
  const NOTHING: Uses = [0, 0, 0]
  const names = ["root", ...links.map(({ agent }) => agent)]
  if (links.length > rules.maxDepth || new Set(names).size < names.length) return NOTHING
  let uses = both(started, now)
  for (const [depth, name] of names.entries()) {
    const agent = AGENTS.find((one) => one === name) ?? "root"
    if (rules.disabled.includes(agent)) return NOTHING
    uses = both(uses, ofOperations(rules.atMost[agent] ?? OPERATIONS))
    if (depth === 0) continue
    uses = both(uses, ofOperations(rules.to[agent] ?? []))
    uses = both(uses, given[depth - 1] ?? [ALL, ALL, ALL])
  }
  return uses
}

const GUARD: Step = { statement: statement("none", sql`SELECT 1`), values: {} }

/** Plays one life; throws where the gate decided something that the oracle does not allow. */
function play(first: Rules, acts: readonly Act[]): void {
  let now = 1_772_000_000
  let current = first
  let policy = policyOf(first)
  const deadline = (now + DEADLINE_SECONDS) * 1000
  const parts: GateParts = {
    mayMint: () => undefined,
    issuer: "https://issuer.example",
    policies: { inForce: () => policy, guard: () => GUARD },
  }
  const ask = (links: readonly Link[], more: Partial<MintRequest>) =>
    passGate(parts, {
      now: now * 1000,
      holder: { type: "task", orchestrator: "boss", agent: "root", instance: "1", sub: "boss" },
      links,
      inputs: {},
      jkt: "A".repeat(43),
      deadline,
      ...more,
    })
  const start = ask([], {})
  if (start instanceof Refusal) return
  const ceiling = [...start.authority, ...start.approvable]
  const [started, all] = [usesOf(start.authority), usesOf(ceiling)]
  const freely = (holder: Standing) =>
    oracle(current, [started, usesOf(current.grants)], holder, holder.given)
  const asking = (holder: Standing) => oracle(current, [all, usesOf(current.asks)], holder, holder.all)
  const root: Standing = {
    links: [],
    given: [],
    all: [],
    above: undefined,
    ends: now + lifetimeOf(start, now),
    ended: false,
  }
  const holders = [root]
  const stands = (one: Standing | undefined): boolean =>
    one === undefined || (!one.ended && stands(one.above))

  const mint = (holder: Standing, part: Authority | undefined, delegating = false): Passed | undefined => {
    const until = holder.above?.ends
    const most = freely(holder)
    const passed = ask(holder.links, { ceiling, until, delegating, narrowing: part && { grants: part } })
    if (passed instanceof Refusal) {
      if (part === undefined && !isNothing(most) && now * 1000 < deadline)
        throw new Error(`refused ${passed.reason}`)
      return undefined
    }
    const got = usesOf(passed.authority)
    if (!isWithin(most, got)) throw new Error("more than the oracle allows")
    if (part === undefined && !same(most, got)) throw new Error("less than the oracle allows")
    if (part !== undefined && !isWithin(usesOf(part), got)) throw new Error("more than was asked for")
    for (let above = holder.above; above; above = above.above)
      if (!isWithin(freely(above), got)) throw new Error("more than a holder above has")
    const asks = usesOf(passed.approvable)
    if (!isWithin(asking(holder), asks)) throw new Error("asks for more than the oracle allows")
    if (part === undefined && !same(asking(holder), asks)) throw new Error("may ask for less")
    if (delegating && part && !isWithin(usesOf(part), asks))
      throw new Error("asks for more than it was given")
    const life = lifetimeOf(passed, now)
    if (life <= 0) return undefined
    if ((now + life) * 1000 > deadline) throw new Error("beyond the deadline")
    if (until !== undefined && now + life > until) throw new Error("longer than who stands above")
    holder.ends = Math.max(holder.ends, now + life)
    return passed
  }

  for (const one of acts) {
    if (one.kind === "wait") now += one.seconds
    else if (one.kind === "policy") [current, policy] = [one.rules, policyOf(one.rules)]
    else {
      const holder = holders[one.at % holders.length] ?? root
      const alive = (each: Standing | undefined) => each === undefined || each.ends > now
      if (!stands(holder) || !alive(holder.above)) continue
      if (one.kind === "end") holder.ended = holder.above !== undefined
      else if (one.kind === "renew") mint(holder, one.part)
      else if (alive(holder)) {
        const link = { delegationId: newId("del"), agent: one.agent, instance: "1" }
        const made: Standing = {
          links: [...holder.links, link],
          given: [...holder.given, [ALL, ALL, ALL]],
          all: [...holder.all, [ALL, ALL, ALL]],
          above: holder,
          ends: 0,
          ended: false,
        }
        const passed = mint(made, one.part, true)
        const authority = passed && [...passed.authority, ...passed.approvable]
        if (authority)
          holders.push({
            ...made,
            links: [...holder.links, { ...link, authority }],
            given: [...holder.given, usesOf(passed.authority)],
            all: [...holder.all, usesOf(authority)],
          })
      }
    }
  }
}

/** Throws with the seed and the shortest life that goes wrong. */
export function runChains(runs: number, seed: number = Date.now()): void {
  const lives = fc.property(rules, fc.array(act, { maxLength: 12 }), (first, acts) => {
    play(first, acts)
  })
  fc.assert(lives, { numRuns: runs, seed })
}
