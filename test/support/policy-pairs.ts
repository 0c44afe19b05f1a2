// Pairs of policies that differ a little, as objects, and requests to both. They are made here, apart from every reader of
// policies; how both are answered is policy-answers.ts's.
import fc from "fast-check"
import type { User } from "../../src/policy/behalf.ts"
import { condition } from "../../src/policy/condition.ts"
import type { TaskRequest } from "../../src/policy/decide.ts"
import { diffPolicies } from "../../src/policy/diff.ts"
import type { Finding } from "../../src/policy/finding.ts"
import { inputPattern } from "../../src/policy/pattern.ts"
import type {
  Condition,
  InputRule,
  Place,
  Policy,
  TaskGrant,
  TaskType,
  UserRule,
} from "../../src/policy/policy.ts"
import { parseTemplate } from "../../src/token/resource.ts"
import { answerOf, concerning, isIn } from "./policy-answers.ts"

const place: Place = { file: "made.yaml", line: 1, column: 1 }
const OPERATIONS = ["a:r", "a:w", "b:r"] as const
const TEMPLATES = ["t/{x}", "t/*", "t/**", "t/a", "*/{x}", "t/{x}/c", "t/{y}"]
const VALUES = ["a", "b", "1", "z", "0"]

/** There in a quarter of all cases. */
const some = <T>(one: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: one })
const enabled = fc.integer({ min: 0, max: 19 }).map((number) => number > 0)
const operations = fc.subarray([...OPERATIONS], { minLength: 1 })
const atMost = some(operations)

const input: fc.Arbitrary<InputRule> = fc.oneof(
  fc
    .constantFrom("[a-z]", "[a-b]", ".*", "[0-9]")
    .map((source) => ({ kind: "pattern" as const, source, pattern: inputPattern(source) })),
  fc.subarray(VALUES, { minLength: 1 }).map((values) => ({ kind: "enum" as const, values: new Set(values) })),
  fc
    .constantFrom([0, 5000], [1, 9000], [1, 3])
    .map(([min = 0, max = 0]) => ({ kind: "integer" as const, min, max })),
)

/** Each is true or false for every request: one that can't be told refuses more than its grant, which no text shows. */
const CONDITIONS = ['inputs.x == "a"', 'task.purpose == "p"', "has(task.reference)"].map(
  (source): Condition => ({ source, asksUsage: false, place, holds: condition(source, ["x"]) }),
)
const when = some(fc.constantFrom(...CONDITIONS))

const approval = fc.record({
  by: fc.subarray(["leads", "chiefs"], { minLength: 1 }),
  validSeconds: fc.constantFrom(60, 900),
  once: fc.boolean(),
})
const grant = fc.record({
  operations: fc.subarray([...OPERATIONS], { minLength: 1, maxLength: 2 }),
  templates: fc.subarray(TEMPLATES, { minLength: 1, maxLength: 2 }),
  approval: fc.option(approval, { nil: undefined, freq: 2 }),
  when,
})

const type = fc.record({
  orchestrators: fc.subarray(["o1", "o2"], { minLength: 1 }),
  agents: fc.subarray(["g1", "g2"], { minLength: 1 }),
  users: fc.constantFrom(undefined, ["u1", "u2"], ["u2", "u1"], ["u1", "u2"], ["u2", "u1"], ["u1"]),
  required: fc.boolean(),
  x: input,
  y: some(input),
  grants: fc.array(grant, { minLength: 1, maxLength: 3 }),
  when,
  enabled,
})
const user = fc.record({
  claims: fc.constantFrom<UserRule["claims"][]>({ g: "1" }, { g: "2" }, { g: "1", h: true }),
  atMost: fc.constantFrom(undefined, [...OPERATIONS], ["a:r" as const]),
  enabled,
})

/** What differs is drawn part by part, so that most of a pair is alike. */
const parts = fc.record({
  apiA: enabled,
  readA: enabled,
  people: enabled,
  audience: fc.constantFrom("https://a.example", "https://a.example", "https://other.example"),
  issuer: fc.constantFrom("https://people.example", "https://people.example", "https://others.example"),
  g1: fc.record({ atMost, enabled }),
  g2: fc.record({ atMost, enabled }),
  o2: enabled,
  u1: user,
  u2: user,
  t1: type,
  t2: type,
})
type Parts = typeof parts extends fc.Arbitrary<infer P> ? P : never

/** The second of a pair: of each part, the first's in most of all cases, down to the members of a task type. */
const pair = fc
  .record({ one: parts, other: parts, draws: fc.array(fc.nat({ max: 9 }), { minLength: 64, maxLength: 64 }) })
  .map(({ one, other, draws }) => {
    let at = 0
    const mix = <T extends object>(first: T, second: T, deep: boolean): T => {
      const members = Object.entries(first).map(([name, value]: [string, unknown]) => {
        const mine: unknown = Reflect.get(second, name)
        const inside = deep && /^[tu]\d$/.test(name) && typeof value === "object" && value !== null
        if (inside && typeof mine === "object" && mine !== null) return [name, mix(value, mine, false)]
        return [name, (draws[at++ % 64] ?? 0) < 8 ? value : mine]
      })
      return { ...first, ...Object.fromEntries(members) }
    }
    return [one, mix(one, other, true)] as const
  })

function policyOf(made: Parts): Policy {
  const owned = { owner: "o", authenticate: [], workloads: [], place }
  const api = (name: string, resource: string, names: readonly string[], on: boolean) => ({
    ...owned,
    name,
    resource,
    operations: new Map(
      names.map((one) => [one, { risk: "low" as const, enabled: made.readA || one !== "a:r" }]),
    ),
    foreign: false,
    openid: false,
    enabled: on,
  })
  const asSet = (names: readonly string[] | undefined) => names && new Set<string>(names)
  const agent = (name: string, { atMost: most, enabled: on }: Parts["g1"]) => ({
    ...owned,
    name,
    atMost: asSet(most),
    enabled: on,
  })
  const people = (name: string, { claims, atMost: most, enabled: on }: Parts["u1"]) => ({
    name,
    provider: "p",
    claims,
    atMost: asSet(most),
    enabled: on,
    place,
  })
  const named = <T extends { readonly name: string }>(...all: readonly T[]) =>
    new Map(all.map((one) => [one.name, one]))
  return {
    anomalies: new Map(),
    digest: "",
    files: new Map(),
    identityProviders: named({
      name: "p",
      issuer: made.issuer,
      privateAddresses: false,
      audience: "m",
      nameClaim: undefined,
      enabled: made.people,
      place,
    }),
    apis: named(
      api("a", made.audience, ["a:r", "a:w"], made.apiA),
      api("b", "https://b.example", ["b:r"], true),
    ),
    agents: named(agent("g1", made.g1), agent("g2", made.g2)),
    orchestrators: named({ ...owned, name: "o1", enabled: true }, { ...owned, name: "o2", enabled: made.o2 }),
    users: named(people("u1", made.u1), people("u2", made.u2)),
    staff: new Map(),
    tasks: named(typeOf("t1", made.t1), typeOf("t2", made.t2)),
  }
}

function typeOf(name: string, made: Parts["t1"]): TaskType {
  const inputs = new Map([["x", made.x], ...(made.y ? [["y", made.y] as const] : [])])
  const grants = made.grants.flatMap((one, index) =>
    ["a", "b"].flatMap((api): TaskGrant[] => {
      const mine = one.operations.filter((operation) => operation.startsWith(`${api}:`))
      const read = one.templates.map((text) => parseTemplate(text, new Set(inputs.keys())))
      const resources = read.flatMap((template) => (typeof template === "string" ? [] : [template]))
      if (mine.length === 0 || resources.length === 0) return []
      return [
        {
          api,
          operations: mine,
          resources,
          rule: `made.yaml#/tasks/${name}/grants/${index}`,
          place,
          ...(one.approval && { approval: one.approval }),
          ...(one.when && { when: one.when }),
        },
      ]
    }),
  )
  return {
    name,
    description: undefined,
    orchestrators: new Set(made.orchestrators),
    agents: new Set(made.agents),
    onBehalfOf: made.users && { users: made.users, required: made.required },
    tokenLifetimeSeconds: 600,
    deadlineSeconds: 3600,
    inputs,
    grants,
    ...(made.when && { when: made.when }),
    proofOfPossession: "optional",
    delegation: undefined,
    renew: "orchestrator",
    renewalGraceSeconds: 0,
    limits: { activeTasks: 1, startsPerHour: 1 },
    enabled: made.enabled,
    place,
  }
}

const person: fc.Arbitrary<User> = fc.record(
  {
    sub: fc.constant("p/ana"),
    provider: fc.constant("p"),
    issuer: fc.constant("https://people.example"),
    claims: fc.constantFrom<User["claims"][]>({ g: "1" }, { g: ["1", "2"] }, { g: ["1", "2"], h: true }),
    rule: fc.constantFrom("u1", "u2"),
  },
  { requiredKeys: ["sub", "provider", "issuer", "claims"] },
)
const request: fc.Arbitrary<TaskRequest> = fc.record({
  type: fc.constantFrom("t1", "t2"),
  orchestrator: fc.constantFrom("o1", "o2"),
  agent: fc.constantFrom("g1", "g2"),
  user: fc.option(person, { nil: undefined, freq: 2 }),
  inputs: fc.oneof(
    fc.record({ x: fc.constantFrom(...VALUES) }),
    fc.record({ x: fc.constantFrom("a", "b"), y: fc.constantFrom("a", "b") }),
  ),
  operations: some(operations),
  circumstances: fc.record({
    purpose: fc.constantFrom("p", "q"),
    reference: fc.constantFrom(undefined, "run-7"),
  }),
})

const run = fc.record({ pair, requests: fc.array(request, { minLength: 8, maxLength: 8 }) })

/** Throws where a request is answered in a way that the difference does not say. Answers how many were called unchanged. */
export function runPairs(runs: number, seed: number): { unchanged: number; changed: number } {
  const seen = { unchanged: 0, changed: 0 }
  fc.assert(
    fc.property(run, ({ pair: [first, second], requests }) => {
      const [old, now] = [policyOf(first), policyOf(second)]
      const findings = diffPolicies(old, now)
      for (const asked of requests) {
        const [before, after] = [answerOf(old, asked), answerOf(now, asked)]
        const told = concerning(findings, asked, [old, now])
        const may = (...directions: Finding["direction"][]) =>
          told.some(({ direction }) => directions.includes(direction))
        if (!may("widening", "unknown"))
          for (const one of after) if (!isIn(one, before)) throw new Error(`gained unsaid: ${one}`)
        if (!may("narrowing", "unknown"))
          for (const one of before) if (!isIn(one, after)) throw new Error(`lost unsaid: ${one}`)
        const alike = before.size === after.size && [...before].every((one) => after.has(one))
        if (told.length === 0 && !alike) throw new Error("called unchanged, and answered differently")
        if (told.length === 0 && before.size > 0) seen.unchanged += 1
        if (!alike) seen.changed += 1
      }
    }),
    { numRuns: runs, seed },
  )
  return seen
}
