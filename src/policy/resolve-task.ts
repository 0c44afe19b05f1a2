// Task types of merged files into the policy's own: callers, APIs, operations and inputs they name exist, templates are
// templates, patterns compile. It answers plain data without compiled patterns, because it crosses threads.
import { parseDuration } from "../time.ts"
import { isSegment, parseTemplate, type ResourceTemplate } from "../token/resource.ts"
import { judgeCondition } from "./condition.ts"
import type { Declared, Sections } from "./merge.ts"
import { suggest } from "./nearest.ts"
import type { PathInFile } from "./parse.ts"
import { patternFault } from "./pattern.ts"
import type { ApprovalRule, ConditionRule, DelegationRule, InputRule, TaskGrant, TaskType } from "./policy.ts"
import { quote } from "./quote.ts"
import { checkKnown, type Resolving } from "./resolve.ts"
import { resolveBehalf } from "./resolve-user.ts"
import type { GrantRule, InputDeclaration, TaskRule } from "./schema.ts"

/** An input rule as it crosses threads: the pattern's source, not yet the pattern. */
export type PlainInputRule =
  | Exclude<InputRule, { kind: "pattern" }>
  | { readonly kind: "pattern"; readonly source: string }
export type PlainGrant = Omit<TaskGrant, "when"> & { readonly when?: ConditionRule }
export type PlainTaskType = Omit<TaskType, "inputs" | "grants" | "when"> & {
  readonly inputs: ReadonlyMap<string, PlainInputRule>
  readonly grants: readonly PlainGrant[]
  readonly when?: ConditionRule
}

type DeclaredTask = Declared<TaskRule>

export function resolveTask(declared: DeclaredTask, sections: Sections, to: Resolving): PlainTaskType {
  const { name, rule, place } = declared
  for (const [index, orchestrator] of rule.orchestrators.entries()) {
    checkKnown(orchestrator, sections.orchestrators, "orchestrator", declared.at("orchestrators", index), to)
  }
  for (const [index, agent] of rule.agents.entries()) {
    checkKnown(agent, sections.agents, "agent", declared.at("agents", index), to)
  }
  const when = resolveCondition(declared, rule.when, ["when"], to)
  return {
    name,
    description: rule.description,
    orchestrators: new Set(rule.orchestrators),
    agents: new Set(rule.agents),
    onBehalfOf: resolveBehalf(declared, sections, to),
    tokenLifetimeSeconds: parseDuration(rule.token_lifetime) ?? 0,
    deadlineSeconds: parseDuration(rule.deadline) ?? 0,
    inputs: resolveInputs(declared, to),
    grants: rule.grants.map((grant, index) => resolveGrant(declared, grant, index, sections, to)),
    ...(when && { when }),
    proofOfPossession: rule.proof_of_possession,
    delegation: resolveDelegation(declared, sections, to),
    renew: rule.renew,
    renewalGraceSeconds: resolveGrace(declared, to),
    limits: resolveLimits(declared, to),
    enabled: rule.enabled,
    place,
  }
}

function resolveCondition(
  declared: DeclaredTask,
  source: string | undefined,
  path: PathInFile,
  to: Resolving,
): ConditionRule | undefined {
  if (source === undefined) return undefined
  const judged = judgeCondition(source, Object.keys(declared.rule.inputs))
  if ("asksUsage" in judged) return { source, place: declared.at(...path), ...judged }
  const { at, ...fault } = judged
  to.faults.push({ ...fault, place: declared.within(at, ...path) })
  return undefined
}

function resolveDelegation(
  declared: DeclaredTask,
  sections: Sections,
  to: Resolving,
): DelegationRule | undefined {
  const { delegation, grants } = declared.rule
  if (!delegation) return undefined
  const granted = new Set(grants.flatMap(({ operations }) => operations))
  for (const [agent, operations] of Object.entries(delegation.to)) {
    checkKnown(agent, sections.agents, "agent", declared.keyAt("delegation", "to", agent), to)
    for (const [index, operation] of operations.entries()) {
      const place = declared.at("delegation", "to", agent, index)
      checkKnown(operation, granted, "operation that the task grants", place, to)
    }
  }
  return {
    maxDepth: delegation.max_depth,
    maxChildren: delegation.max_children,
    to: new Map(Object.entries(delegation.to).map(([agent, operations]) => [agent, new Set(operations)])),
  }
}

function resolveLimits(declared: DeclaredTask, to: Resolving): TaskType["limits"] {
  const { limits, grants } = declared.rule
  const { uses, uses_of: usesOf, at_limit: atLimit } = limits
  const shared = { activeTasks: limits.active_tasks, startsPerHour: limits.starts_per_hour }
  const granted = new Set(grants.flatMap(({ operations }) => operations))
  for (const operation of Object.keys(usesOf ?? {})) {
    const place = declared.keyAt("limits", "uses_of", operation)
    checkKnown(operation, granted, "operation that the task grants", place, to)
  }
  if (uses === undefined && !usesOf) {
    const message = "expected at_limit beside uses or uses_of, found it alone"
    if (atLimit) to.faults.push({ place: declared.keyAt("limits", "at_limit"), message })
    return shared
  }
  const of = new Map(Object.entries(usesOf ?? {}))
  return { ...shared, uses: { most: uses, of, atLimit: atLimit ?? "pause" } }
}

function resolveGrace(declared: DeclaredTask, to: Resolving): number {
  const { renew, renewal_grace: grace } = declared.rule
  const seconds = parseDuration(grace) ?? 0
  if (seconds > 0 && renew !== "agent") {
    const message = `expected no grace where the agent does not renew, found ${grace} beside renew: ${renew}`
    to.faults.push({ place: declared.at("renewal_grace"), message, hint: "write renew: agent" })
  }
  return seconds
}

function resolveInputs(declared: DeclaredTask, to: Resolving): ReadonlyMap<string, PlainInputRule> {
  const inputs = new Map<string, PlainInputRule>()
  for (const [name, rule] of Object.entries(declared.rule.inputs)) {
    const resolved = resolveInput(declared, name, rule, to)
    if (resolved) inputs.set(name, resolved)
  }
  return inputs
}

function resolveInput(
  declared: DeclaredTask,
  name: string,
  rule: InputDeclaration,
  to: Resolving,
): PlainInputRule | undefined {
  if (rule.pattern !== undefined) {
    const fault = patternFault(rule.pattern)
    if (fault !== undefined)
      to.faults.push({ place: declared.at("inputs", name, "pattern"), message: `expected ${fault}` })
    return { kind: "pattern", source: rule.pattern }
  }
  if (rule.enum) {
    for (const [index, value] of rule.enum.entries()) {
      if (isSegment(value)) continue
      const message = `expected a value that is plain data (no / \\ % * { } ? # ;, no spaces), found ${quote(value)}`
      to.faults.push({ place: declared.at("inputs", name, "enum", index), message })
    }
    return { kind: "enum", values: new Set(rule.enum) }
  }
  if (!rule.integer) return undefined
  const { min, max } = rule.integer
  if (min > max) {
    const message = `expected max to be at least min, found ${max} below ${min}`
    to.faults.push({ place: declared.at("inputs", name, "integer", "max"), message })
  }
  return { kind: "integer", min, max }
}

function resolveGrant(
  declared: DeclaredTask,
  grant: GrantRule,
  index: number,
  sections: Sections,
  to: Resolving,
): PlainGrant {
  const place = declared.at("grants", index)
  if (checkKnown(grant.api, sections.apis, "API", declared.at("grants", index, "api"), to)) {
    const operations = new Set(Object.keys(sections.apis.get(grant.api)?.rule.operations ?? {}))
    for (const [at, operation] of grant.operations.entries()) {
      const where = declared.at("grants", index, "operations", at)
      checkKnown(operation, operations, `operation of the API "${grant.api}"`, where, to)
    }
  }
  const resources = grant.resources.flatMap((text, at) => resolveTemplate(declared, text, index, at, to))
  const rule = `${declared.file}#/tasks/${declared.name}/grants/${index}`
  const approval = resolveApproval(declared, grant, index, sections, to)
  const when = resolveCondition(declared, grant.when, ["grants", index, "when"], to)
  const { api, operations } = grant
  return { api, operations, resources, rule, place, ...(approval && { approval }), ...(when && { when }) }
}

/** Whoever is named must be able to decide, or nobody ever would. */
function resolveApproval(
  declared: DeclaredTask,
  { approval }: GrantRule,
  index: number,
  { staff }: Sections,
  to: Resolving,
): ApprovalRule | undefined {
  if (!approval) return undefined
  for (const [at, name] of approval.by.entries()) {
    const place = declared.at("grants", index, "approval", "by", at)
    if (!checkKnown(name, staff, "name of staff", place, to)) continue
    if (staff.get(name)?.rule.roles.includes("approver")) continue
    to.faults.push({ place, message: `expected staff with the role approver, found "${name}"` })
  }
  return {
    by: approval.by,
    validSeconds: parseDuration(approval.valid) ?? 0,
    once: approval.once,
  }
}

function resolveTemplate(
  declared: DeclaredTask,
  text: string,
  grant: number,
  at: number,
  to: Resolving,
): readonly ResourceTemplate[] {
  const inputs = new Set(Object.keys(declared.rule.inputs))
  const template = parseTemplate(text, inputs)
  if (typeof template !== "string") return [template]
  const place = declared.at("grants", grant, "resources", at)
  const unknown = /\{([^{}/]*)\}/.exec(text)?.[1]
  const meant = unknown === undefined || inputs.has(unknown) ? undefined : suggest(unknown, inputs)
  const hint = meant === undefined ? {} : { hint: meant }
  to.faults.push({
    place,
    message: `expected a resource such as tickets/{ticket}, found ${quote(text)}: ${template}`,
    ...hint,
  })
  return []
}
