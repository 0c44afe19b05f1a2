// Every member that a policy file may have: what diff says of a change in it, or why it says nothing.
import { expect, test, vi } from "vitest"
import { ANOMALY_RULES } from "../../src/policy/anomaly-rules.ts"
import { diffPolicies } from "../../src/policy/diff.ts"
import { loadStoredPolicy } from "../../src/policy/load.ts"
import { policyJsonSchema } from "../../src/policy/schema.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"

// Each policy is read by a thread of its own.
vi.setConfig({ testTimeout: 60_000 })

const keySet = () => ({ keys: [importSigningKey(generatePrivateJwk("ES256")).publicJwk] })
const workload = { provider: "ci", subject: "job-1", claims: { team: "a" } }
const ways = () => [{ private_key_jwt: { jwks: keySet() } }, { workload }]
const caller = () => ({ owner: "a", enabled: true, authenticate: ways() })
const operations = { "tickets:read": { risk: "low", enabled: true }, "tickets:close": { risk: "high" } }
const claims = { team: "a" }
const all = ["tickets:read", "tickets:close"]

const approval = { by: ["leads", "chiefs"], valid: "15m", once: true }
const task = {
  description: "what it is for",
  orchestrators: ["jobs", "night-jobs"],
  agents: ["bot", "helper"],
  on_behalf_of: { users: ["team"], required: false },
  token_lifetime: "10m",
  deadline: "2h",
  inputs: {
    ticket: { pattern: "[A-Z]+" },
    place: { enum: ["here", "there"] },
    count: { integer: { min: 1, max: 9 } },
  },
  when: "inputs.ticket != 'A'",
  grants: [
    {
      api: "tickets",
      operations: all,
      resources: ["tickets/{ticket}", "{place}/{count}"],
      when: "inputs.ticket != 'B'",
    },
    { api: "tickets", operations: ["tickets:close"], resources: ["tickets/*"], approval },
  ],
  proof_of_possession: "optional",
  delegation: { max_depth: 2, max_children: 3, to: { helper: all } },
  renew: "orchestrator",
  limits: { active_tasks: 5, starts_per_hour: 6, uses: 7, uses_of: { "tickets:read": 5 }, at_limit: "pause" },
  enabled: true,
}
const learned = { enabled: true, learn: { tasks: 40, days: 6 } }
const acting = { action: "pause", tasks: ["triage"] }
const unusual = (name: string) => ({
  ...acting,
  ...(/^(unusual|new)_/.test(name) && learned),
  ...(/^unusual_(?!hour)/.test(name) && { at_least: 100, deviations: 5 }),
})
const BASE = {
  version: 1,
  identity_providers: {
    people: {
      issuer: "https://login.example",
      audience: "taskmint",
      name_claim: "email",
      enabled: true,
      jwks: keySet(),
    },
    ci: { issuer: "https://ci.example", jwks_uri: "https://ci.example/keys", private_addresses: false },
    others: { issuer: "https://others.example", audience: "taskmint", jwks: keySet() },
    runs: { issuer: "https://runs.example", jwks: keySet() },
  },
  apis: {
    tickets: { resource: "https://tickets.example", operations, ...caller() },
    cloud: {
      ...{ resource: "https://cloud.example", owner: "a", foreign: true, openid: false },
      operations: { "cloud:put": { risk: "low" } },
    },
  },
  agents: { bot: { ...caller(), at_most: all }, helper: { owner: "a" } },
  orchestrators: { jobs: caller(), "night-jobs": { owner: "a" } },
  users: { team: { provider: "people", claims, at_most: all, enabled: true } },
  staff: {
    "night-watch": { roles: ["auditor"], authenticate: ways(), enabled: true },
    leads: { roles: ["approver"], authenticate: [{ openid: { provider: "people", claims } }] },
    chiefs: { roles: ["approver"] },
  },
  tasks: {
    triage: task,
    kept: { ...task, proof_of_possession: "required", renew: "agent", renewal_grace: "5m" },
  },
  anomalies: Object.fromEntries(ANOMALY_RULES.map((name) => [name, unusual(name)])),
}

/** By the last of the path: the first that ends so. Other values than in BASE; undefined: without it. */
const OTHERWISE: readonly (readonly [string, unknown])[] = [
  ["identity_providers.*.issuer", "https://elsewhere.example"],
  ["jwks_uri", "https://ci.example/other"],
  ["private_addresses", true],
  ["audience", "mint"],
  ["name_claim", "sub"],
  ["jwks.keys", keySet().keys],
  ["apis.*.resource", "https://tickets.elsewhere.example"],
  ["workload.provider", "runs"],
  ["workload.subject", "job-2"],
  ["claims", { team: "b" }],
  ["risk", "high"],
  ["foreign", false],
  ["apis.*.openid", true],
  ["at_most", ["tickets:read"]],
  ["provider", "others"],
  ["roles", ["operator"]],
  ["tasks.*.orchestrators", ["jobs"]],
  ["tasks.*.agents", ["bot"]],
  ["on_behalf_of.users", undefined],
  ["required", true],
  ["token_lifetime", "20m"],
  ["deadline", "3h"],
  ["pattern", "[a-z]+"],
  ["enum", ["here"]],
  ["min", 2],
  ["max", 8],
  ["grants[].api", undefined],
  ["grants[].operations", ["tickets:read"]],
  ["grants[].resources", ["tickets/{ticket}"]],
  ["approval.by", ["leads"]],
  ["approval.valid", "20m"],
  ["approval.once", false],
  ["when", "inputs.ticket != 'C'"],
  ["proof_of_possession", "required"],
  ["max_depth", 3],
  ["max_children", 4],
  ["delegation.to", { helper: ["tickets:read"] }],
  ["tasks.*.renew", "none"],
  ["renewal_grace", "6m"],
  ["active_tasks", 50],
  ["starts_per_hour", 60],
  ["limits.uses", 70],
  ["uses_of", { "tickets:read": 6 }],
  ["at_limit", "revoke"],
  ["learn.tasks", 51],
  ["days", 8],
  ["at_least", 101],
  ["deviations", 6],
  ["action", "revoke"],
  [".tasks", ["kept"]],
  ["enabled", false],
]

/** What diff says nothing of, or no more than that it reads otherwise. */
const NOT_COMPARED: Readonly<Record<string, string>> = {
  version: "there is one",
  ...Object.fromEntries(
    ["apis", "agents", "orchestrators"].map((name) => [`${name}.*.owner`, "it tells people whom to ask"]),
  ),
  "tasks.*.description": "it tells people what it is for, and is a neutral finding",
}
/** What changes only with something else, as it would not load otherwise. */
const WITH_OTHERS: Readonly<Record<string, string>> = {
  "tasks.*.grants[].api": "operations bear its name",
  "tasks.*.on_behalf_of.users": "it is a list by itself, too, and named by none without it",
}

interface Node {
  readonly anyOf?: readonly Node[]
  readonly properties?: Readonly<Record<string, Node>>
  readonly additionalProperties?: Node | boolean
  readonly items?: Node
}

/** Every member, as `tasks.*.grants[].api`. */
function membersOf({ anyOf = [], properties = {}, additionalProperties, items }: Node, path = ""): string[] {
  const inner = typeof additionalProperties === "object" ? membersOf(additionalProperties, `${path}.*`) : []
  const own = Object.entries(properties).flatMap(([name, one]) => {
    const at = path === "" ? name : `${path}.${name}`
    return [at, ...membersOf(one, at)]
  })
  const ways = anyOf.flatMap((one) => membersOf(one, path))
  return [...new Set([...ways, ...own, ...inner, ...(items ? membersOf(items, `${path}[]`) : [])])]
}

const MEMBERS = membersOf(policyJsonSchema() as Node)
const isWhole = (path: string) =>
  MEMBERS.some((one) => one.startsWith(`${path}.`) || one.startsWith(`${path}[`))

type Json = Record<string, unknown>
const membersIn = (value: unknown) => value as Json

/** A copy of BASE with another value at the first place that the path names. */
function changed(path: string, value: unknown): unknown {
  const copy: unknown = structuredClone(BASE)
  const steps = path.replaceAll("[]", ".[]").split(".")
  const last = steps.pop() ?? ""
  const parent = placeIn(copy, steps, last)
  if (!parent || !(last in membersIn(parent))) throw new Error(`BASE has nothing at ${path}`)
  if (value === undefined) delete membersIn(parent)[last]
  else membersIn(parent)[last] = value
  return copy
}

function placeIn(value: unknown, [step, ...rest]: readonly string[], last: string): object | undefined {
  if (typeof value !== "object" || value === null) return undefined
  if (step === undefined) return last in value ? value : undefined
  const inner = step === "*" || step === "[]" ? Object.values(value) : [membersIn(value)[step]]
  for (const one of inner) {
    const found = placeIn(one, rest, last)
    if (found) return found
  }
  return undefined
}

const load = async (value: unknown) => {
  const read = await loadStoredPolicy(new Map([["p.yaml", JSON.stringify(value)]]), { dev: true })
  return "faults" in read ? read.toString() : read
}
const loaded = async (value: unknown) => {
  const read = await load(value)
  if (typeof read === "string") throw new Error(read)
  return read
}
const base = await loaded(BASE)

const SINGLE = MEMBERS.filter((path) => !isWhole(path))
const COMPARED = SINGLE.filter((path) => !(path in NOT_COMPARED) && !(path in WITH_OTHERS))

test.each(COMPARED)("a change of %s is found, both ways", async (path) => {
  const [, value] = OTHERWISE.find(([end]) => path.endsWith(end)) ?? []
  expect(value, "it needs another value here, or a reason").not.toBe(undefined)
  const now = await loaded(changed(path, value))
  const there = diffPolicies(base, now).filter(({ direction }) => direction !== "neutral")
  const back = diffPolicies(now, base).filter(({ direction }) => direction !== "neutral")
  expect([there.length > 0, back.length > 0]).toEqual([true, true])
})

test("members that are taken out whole are found, where the policy then loads", async () => {
  const silent: string[] = []
  for (const path of MEMBERS.filter(isWhole)) {
    const now = await load(changed(path, undefined))
    if (typeof now !== "string" && diffPolicies(base, now).length === 0) silent.push(path)
  }
  expect(silent).toEqual([])
})

test("what is not compared says nothing but neutral things", async () => {
  for (const path of Object.keys(NOT_COMPARED).filter((one) => one !== "version")) {
    const found = diffPolicies(base, await loaded(changed(path, "another")))
    expect([path, found.every(({ direction }) => direction === "neutral")]).toEqual([path, true])
  }
})
