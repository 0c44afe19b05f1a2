// Which right each use that passed was under: counts by rule, operation, resource and holder. Pure; it decides that a use
// counts for the first grant that covers it, and for nothing where none does, which is then told.
import type { Commitment } from "../ledger/commitment.ts"
import { toInstant } from "../time.ts"
import type { Grant } from "../token/authority.ts"
import { formatResource, matchesResource, type Resource } from "../token/resource.ts"
import type { UseRow } from "./account-statements.ts"
import { MOST_GROUPS, type Span, widest } from "./groups.ts"

/** Uses that passed; the times are absent where there are none. */
export interface Uses extends Partial<Span> {
  readonly allowed: number
  /** Let through by a verifier that only watches. */
  readonly observed: number
}

export interface RuleAccount extends Uses {
  readonly rule: string
  readonly api: string
  /** A person has to agree to each. */
  readonly approval?: true
  readonly operations: readonly (Uses & { readonly operation: string })[]
  readonly resources: readonly (Uses & { readonly resource: Commitment })[]
}

export interface UseAccount extends Uses {
  readonly api: string
  readonly operation: string
  /** Absent once erased. */
  readonly resource?: Commitment
}

export interface HolderUses extends Uses {
  readonly agent: string
  readonly instance: string
}

export interface Tally {
  take(row: UseRow): void
  rules(): readonly RuleAccount[]
  /** Of the first thousand pairs of operation and resource. */
  uses(): readonly UseAccount[]
  /** Of all pairs beyond those. */
  further(): Uses
  /** That no grant of the start covers: a sign that something is wrong, or that the values were erased. */
  outside(): Uses
  holders(): readonly HolderUses[]
  /** Of all holders beyond the first thousand. */
  furtherHolders(): Uses
}

export type AccountedGrant = Pick<Grant, "operations" | "resources" | "rule"> & {
  readonly approval?: unknown
}

class Counter implements Uses {
  allowed = 0
  observed = 0
  span: Span | undefined

  add({ kind, uses, first_at, last_at }: UseRow): void {
    if (kind === "use.observed") this.observed += uses
    else this.allowed += uses
    this.span = widest(this.span, { first: toInstant(first_at), last: toInstant(last_at) })
  }

  counted(): Uses {
    return { allowed: this.allowed, observed: this.observed, ...this.span }
  }
}

interface Rule {
  readonly rule: string
  readonly api: string
  readonly approval: boolean
  readonly total: Counter
  readonly operations: Map<string, Counter>
  readonly resources: Map<string, { readonly pattern: Resource; readonly counter: Counter }>
}

/** `conceal`: how a resource stands in what is signed; undefined where it can't, because the task was erased. */
export function createTally(
  authority: readonly AccountedGrant[],
  conceal: (resource: string) => Commitment | undefined,
): Tally {
  const rules = rulesOf(authority)
  const [further, outside, others] = [new Counter(), new Counter(), new Counter()]
  const pairs = new Map<string, { readonly key: UseRow; readonly counter: Counter }>()
  const holders = new Map<string, { readonly key: UseRow; readonly counter: Counter }>()
  return {
    take(row) {
      const id = JSON.stringify([row.api, row.operation, row.resource])
      counterIn(pairs, id, row, further).add(row)
      counterIn(holders, `${row.agent}/${row.instance}`, row, others).add(row)
      countFor(rules, row, outside)
    },
    rules: () => rules.map((rule) => accountOf(rule, conceal)),
    uses: () =>
      [...pairs.values()].map(({ key: { api, operation, resource: text }, counter }) => {
        const resource = text === null ? undefined : conceal(text)
        return { api, operation, ...(resource && { resource }), ...counter.counted() }
      }),
    further: () => further.counted(),
    outside: () => outside.counted(),
    furtherHolders: () => others.counted(),
    holders: () =>
      [...holders.values()].map(({ key: { agent, instance }, counter }) => ({
        agent,
        instance,
        ...counter.counted(),
      })),
  }
}

function counterIn(
  all: Map<string, { readonly key: UseRow; readonly counter: Counter }>,
  id: string,
  key: UseRow,
  beyond: Counter,
): Counter {
  const known = all.get(id)
  if (known) return known.counter
  if (all.size >= MOST_GROUPS) return beyond
  const counter = new Counter()
  all.set(id, { key, counter })
  return counter
}

/** The API's name stands in each of its operations; grants of one rule and API are told as one. */
function rulesOf(authority: readonly AccountedGrant[]): Rule[] {
  const rules = new Map<string, Rule>()
  for (const { rule, operations, resources, approval } of authority) {
    const api = operations[0]?.split(":")[0] ?? ""
    const id = `${rule} ${api}`
    const known = rules.get(id) ?? newRule(rule, api, approval !== undefined)
    rules.set(id, known)
    for (const operation of operations)
      if (!known.operations.has(operation)) known.operations.set(operation, new Counter())
    for (const pattern of resources) {
      const text = formatResource(pattern)
      if (!known.resources.has(text)) known.resources.set(text, { pattern, counter: new Counter() })
    }
  }
  return [...rules.values()]
}

const newRule = (rule: string, api: string, approval: boolean): Rule => ({
  rule,
  api,
  approval,
  total: new Counter(),
  operations: new Map(),
  resources: new Map(),
})

function countFor(rules: readonly Rule[], row: UseRow, outside: Counter): void {
  const segments = row.resource?.split("/")
  for (const rule of rules) {
    const operation = rule.api === row.api ? rule.operations.get(row.operation) : undefined
    if (!operation) continue
    const resource =
      segments && [...rule.resources.values()].find(({ pattern }) => matchesResource(pattern, segments))
    if (segments && !resource) continue
    for (const counter of [rule.total, operation, resource?.counter]) counter?.add(row)
    return
  }
  outside.add(row)
}

const accountOf = (rule: Rule, conceal: (resource: string) => Commitment | undefined): RuleAccount => ({
  rule: rule.rule,
  api: rule.api,
  ...(rule.approval && { approval: true as const }),
  ...rule.total.counted(),
  operations: [...rule.operations].map(([operation, counter]) => ({ operation, ...counter.counted() })),
  resources: [...rule.resources].flatMap(([text, { counter }]) => {
    const resource = conceal(text)
    return resource ? [{ resource, ...counter.counted() }] : []
  }),
})
