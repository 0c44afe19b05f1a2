// What would have to change for a refused request to be allowed: each edit with its place and the YAML to write there. It
// decides nothing, and whether anybody should be allowed is the owner's; explain.ts says what is refused now.
import { caller, canAuthenticate } from "./callers.ts"
import type { TaskRequest } from "./decide.ts"
import { describeVerdict, verdictOn } from "./explain.ts"
import { describeRule, readInputs } from "./inputs.ts"
import { createPlaces, type PlaceOf } from "./places.ts"
import type { Place, Policy, TaskType } from "./policy.ts"

export interface PolicyEdit {
  readonly place: Place
  /** Why, in a line. */
  readonly why: string
  /** What stands there afterwards; absent where the request must change, or the owner has to think of something. */
  readonly yaml?: string
}

interface Named {
  readonly name: string
  readonly enabled: boolean
  readonly place: Place
}

interface Editing {
  readonly policy: Policy
  readonly placeOf: PlaceOf
  readonly request: TaskRequest
}

/**
 * The edits that lie between the policy and this request, in the order in which it is decided; empty where nothing is
 * refused, nor left out of what the task type grants. `chain`: the agents that it is handed down to.
 */
export function editsFor(
  policy: Policy,
  request: TaskRequest,
  chain: readonly string[] = [],
): readonly PolicyEdit[] {
  const editing = { policy, placeOf: createPlaces(policy), request }
  const type = policy.tasks.get(request.type)
  const named = [
    ...nameEdits(editing, "orchestrators", request.orchestrator, policy.orchestrators, OWNED),
    ...nameEdits(editing, "tasks", request.type, policy.tasks, "{ ... }"),
    ...[request.agent, ...chain].flatMap((agent) =>
      nameEdits(editing, "agents", agent, policy.agents, OWNED),
    ),
  ]
  if (!type) return named
  return [
    ...named,
    ...listEdits(editing, type, "orchestrators", type.orchestrators, request.orchestrator),
    ...listEdits(editing, type, "agents", type.agents, request.agent),
    ...userEdits(editing, type),
    ...inputEdits(editing, type),
    ...conditionEdits(editing, type),
    ...grantEdits(editing, type, chain),
    ...approvalEdits(editing, type),
    ...delegationEdits(editing, type, chain),
  ]
}

const OWNED = "{ owner: ... }"
const inTask = ({ placeOf }: Editing, { name, place }: TaskType, ...path: (string | number)[]) =>
  placeOf(place.file, ["tasks", name, ...path])
const flow = (names: Iterable<string>): string => `[${[...names].join(", ")}]`

function nameEdits(
  { policy, placeOf }: Editing,
  section: string,
  name: string,
  known: ReadonlyMap<string, Named>,
  declared: string,
): PolicyEdit[] {
  const found = known.get(name)
  if (found?.enabled) return []
  if (found) {
    const place = placeOf(found.place.file, [section, name, "enabled"])
    return [{ place, why: `"${name}" is disabled`, yaml: "enabled: true" }]
  }
  const file = [...known.values()][0]?.place.file ?? [...policy.files.keys()][0] ?? "policy.yaml"
  return [
    {
      place: placeOf(file, [section], "key"),
      why: `"${name}" is not declared`,
      yaml: `${section}:\n  ${name}: ${declared}`,
    },
  ]
}

function listEdits(
  editing: Editing,
  type: TaskType,
  what: "orchestrators" | "agents",
  names: ReadonlySet<string>,
  name: string,
): PolicyEdit[] {
  if (names.has(name)) return []
  const place = inTask(editing, type, what)
  return [
    { place, why: `"${type.name}" does not list "${name}"`, yaml: `${what}: ${flow([...names, name])}` },
  ]
}

function userEdits(editing: Editing, type: TaskType): PolicyEdit[] {
  const { policy, placeOf, request } = editing
  const rule = request.user?.rule
  const place = inTask(editing, type, "on_behalf_of")
  if (rule === undefined) {
    const why = `"${type.name}" runs for a user only: start it with a user's token, or let it run without`
    return type.onBehalfOf?.required
      ? [{ place, why, yaml: `on_behalf_of: ${flow(type.onBehalfOf.users)}` }]
      : []
  }
  const users = type.onBehalfOf?.users ?? []
  const named = nameEdits(
    { policy, placeOf, request },
    "users",
    rule,
    policy.users,
    "{ provider: ..., claims: { ... } }",
  )
  const provider = policy.users.get(rule)?.provider
  if (provider !== undefined)
    named.push(...nameEdits(editing, "identity_providers", provider, policy.identityProviders, "{ ... }"))
  if (users.includes(rule)) return named
  const why = `"${type.name}" does not run for users of "${rule}"`
  return [...named, { place, why, yaml: `on_behalf_of: ${flow([...users, rule])}` }]
}

function inputEdits(editing: Editing, type: TaskType): PolicyEdit[] {
  const inputs = readInputs(type, editing.request.inputs)
  if (!("errors" in inputs)) return []
  return inputs.errors.map(({ pointer }) => {
    const name = pointer.slice("/inputs/".length)
    const rule = type.inputs.get(name)
    const why = rule
      ? `the input "${name}" must be ${describeRule(rule)}: give one that is, or change the rule here`
      : `"${type.name}" has no input "${name}": leave it out of the request`
    return { place: inTask(editing, type, "inputs", ...(rule ? [name] : [])), why }
  })
}

/** What a condition should say instead is the owner's to think of. One that can't be told refuses grants besides its own. */
function conditionEdits({ policy, request }: Editing, type: TaskType): PolicyEdit[] {
  if ("errors" in readInputs(type, request.inputs)) return []
  const { operations: wanted } = request
  return [type, ...type.grants].flatMap((one): PolicyEdit[] => {
    const { when } = one
    const verdict = when ? verdictOn(policy, type, request, when) : true
    const asked = "name" in one || !wanted || one.operations.some((each) => wanted.includes(each))
    if (!when || verdict === true || (verdict === false && !asked)) return []
    return [
      { place: when.place, why: `${describeVerdict(when, verdict)}: ask as it says, or change it here` },
    ]
  })
}

function grantEdits(editing: Editing, type: TaskType, chain: readonly string[]): PolicyEdit[] {
  const { policy, placeOf, request } = editing
  const granted = new Set(type.grants.flatMap(({ operations }) => operations))
  const wanted = request.operations ?? [...granted]
  const missing = wanted.filter((operation) => !granted.has(operation))
  const apis = new Set(type.grants.map(({ api }) => api))
  const disabled = [...apis].flatMap((name) => nameEdits(editing, "apis", name, policy.apis, "{ ... }"))
  const off = wanted.flatMap((operation) => operationEdits(editing, operation))
  const below = request.operations || handable(editing, type, chain).length === 0 ? chain : []
  const named = [
    ...[request.agent, ...below].map((name) => ({ section: "agents", rule: policy.agents.get(name) })),
    { section: "users", rule: policy.users.get(request.user?.rule ?? "") },
  ]
  const limits = named.flatMap(({ section, rule }): PolicyEdit[] => {
    const atMost = rule?.atMost
    const cut = wanted.filter((operation) => atMost && !atMost.has(operation))
    if (!rule || !atMost || cut.length === 0) return []
    const place = placeOf(rule.place.file, [section, rule.name, "at_most"])
    const why = `at_most of "${rule.name}" leaves out ${cut.join(", ")}`
    return [{ place, why, yaml: `at_most: ${flow([...atMost, ...cut])}` }]
  })
  const grants = missing.map((operation): PolicyEdit => {
    const api = operation.split(":")[0] ?? ""
    const why = `"${type.name}" does not grant ${operation}`
    const yaml = `- { api: ${api}, operations: [${operation}], resources: [...] }`
    return { place: inTask(editing, type, "grants"), why, yaml }
  })
  return [...disabled, ...off, ...grants, ...limits]
}

function operationEdits({ policy, placeOf }: Editing, operation: string): PolicyEdit[] {
  const api = policy.apis.get(operation.split(":")[0] ?? "")
  if (api?.operations.get(operation)?.enabled !== false) return []
  const place = placeOf(api.place.file, ["apis", api.name, "operations", operation, "enabled"])
  return [{ place, why: `${operation} is disabled`, yaml: "enabled: true" }]
}

/** Whoever is named to decide and can't sign in decides nothing. */
function approvalEdits({ policy, placeOf }: Editing, type: TaskType): PolicyEdit[] {
  return type.grants.flatMap(({ approval }) => {
    const staff = approval?.by.flatMap((name) => policy.staff.get(name) ?? []) ?? []
    const callers = staff.flatMap(({ name }) => caller(policy, name) ?? [])
    const decides = callers.some(canAuthenticate)
    const [first] = staff
    if (!first || decides) return []
    const place = placeOf(first.place.file, ["staff", first.name], "key")
    const yaml = "authenticate: [{ openid: { provider: ..., claims: { ... } } }]"
    return [{ place, why: `nobody of ${approval?.by.join(", ")} can sign in to agree`, yaml }]
  })
}

/** What the task grants and `at_most` of everybody in the chain leaves. */
function handable({ policy }: Editing, type: TaskType, chain: readonly string[]): readonly string[] {
  const limits = chain.map((name) => policy.agents.get(name)?.atMost)
  const all = new Set(type.grants.flatMap(({ operations }) => operations))
  return [...all].filter((operation) => limits.every((atMost) => atMost?.has(operation) ?? true))
}

function delegationEdits(editing: Editing, type: TaskType, chain: readonly string[]): PolicyEdit[] {
  if (chain.length === 0) return []
  const { delegation } = type
  const some = handable(editing, type, chain)
  const all = type.grants.flatMap(({ operations }) => operations)
  const wanted = editing.request.operations ?? (some.length > 0 ? some : [...new Set(all)])
  const given = chain.map((agent) => `${agent}: ${flow(wanted)}`)
  if (!delegation) {
    const depth = chain.length > 1 ? `max_depth: ${chain.length}, ` : ""
    const yaml = `delegation: { ${depth}to: { ${given.join(", ")} } }`
    const { place } = type
    return [{ place, why: `"${type.name}" delegates to nobody`, yaml }]
  }
  const deep: PolicyEdit[] =
    chain.length > delegation.maxDepth
      ? [
          {
            place: inTask(editing, type, "delegation", "max_depth"),
            why: `${chain.length} delegations stand below each other`,
            yaml: `max_depth: ${chain.length}`,
          },
        ]
      : []
  const above = [editing.request.agent, ...chain]
  const links = chain.flatMap((agent, index): PolicyEdit[] => {
    const place = inTask(editing, type, "delegation", "to", agent)
    if (above.indexOf(agent) <= index)
      return [{ place, why: `"${agent}" stands above itself, which no policy allows: hand it to another` }]
    const has = delegation.to.get(agent)
    const cut = wanted.filter((operation) => !has?.has(operation))
    if (cut.length === 0) return []
    const why = has ? `"${agent}" may not be given ${cut.join(", ")}` : `"${agent}" is not delegated to`
    return [{ place, why, yaml: `${agent}: ${flow([...(has ?? []), ...cut])}` }]
  })
  return [...deep, ...links]
}
