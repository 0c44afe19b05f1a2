// What a reviewer says about grants: wildcards, and operations of high or moderate risk that too little stands before.
import { coversResource, type ResourceTemplate } from "../token/resource.ts"
import { readCondition } from "./condition.ts"
import type { TaskGrant, TaskType } from "./policy.ts"
import type { Reviewed, ReviewRule, Spot } from "./review-rule.ts"

interface GrantOf {
  readonly task: TaskType
  readonly grant: TaskGrant
  readonly index: number
}

const grantsOf = ({ tasks }: Reviewed): GrantOf[] =>
  tasks.flatMap((task) => task.grants.map((grant, index) => ({ task, grant, index })))

const isOpen = (template: ResourceTemplate): boolean =>
  template.some((segment) => typeof segment === "string")
const isWhole = (template: ResourceTemplate): boolean =>
  template.every((segment) => typeof segment === "string")

const spelled = (template: ResourceTemplate): string =>
  template
    .map((one) => (typeof one === "string" ? one : "literal" in one ? one.literal : `{${one.input}}`))
    .join("/")

type Openness = "high" | "moderate" | "low" | "whole"

/** How grave a grant's wildcard is: an approval names one resource, so it takes the danger out of it. */
function opennessOf({ riskOf }: Reviewed, grant: TaskGrant, template: ResourceTemplate): Openness {
  const risks = grant.operations.map(riskOf)
  if (grant.approval) return "low"
  if (risks.includes("high")) return "high"
  if (isWhole(template)) return "whole"
  return risks.includes("moderate") ? "moderate" : "low"
}

const wildcards = (wanted: Openness) =>
  function* (reviewed: Reviewed): Iterable<Spot> {
    for (const { task, grant, index } of grantsOf(reviewed))
      for (const [at, template] of grant.resources.entries()) {
        if (!isOpen(template) || opennessOf(reviewed, grant, template) !== wanted) continue
        const place = reviewed.inTask(task, "grants", index, "resources", at)
        yield {
          place,
          message: `"${task.name}" grants ${grant.operations.join(", ")} on "${spelled(template)}"`,
        }
      }
  }

/** Operations of a risk that are granted without a person's agreement, each where it stands. */
function* unapproved(
  reviewed: Reviewed,
  which: (one: GrantOf) => boolean,
  words: string,
): Iterable<Spot & { operation: string }> {
  for (const one of grantsOf(reviewed))
    for (const [at, operation] of one.grant.operations.entries()) {
      if (one.grant.approval || reviewed.riskOf(operation) !== "high" || !which(one)) continue
      const place = reviewed.inTask(one.task, "grants", one.index, "operations", at)
      yield { place, operation, message: `"${one.task.name}" grants ${operation}, of high risk, ${words}` }
    }
}

const isBound = (task: TaskType): boolean => task.proofOfPossession === "required"

/** Tasks with operations that deserve a bound token, and that no other rule has named already. */
function* withoutProof({ tasks, riskOf }: Reviewed): Iterable<Spot> {
  for (const task of tasks) {
    if (isBound(task)) continue
    const risky = task.grants.flatMap(({ approval, operations }) =>
      operations.filter((one) => riskOf(one) === "moderate" || (riskOf(one) === "high" && approval)),
    )
    const named = [...new Set(risky)].join(", ")
    if (risky.length === 0) continue
    yield {
      place: task.place,
      message: `"${task.name}" grants ${named}, of moderate or high risk, without proof_of_possession: required`,
    }
  }
}

const asPattern = (template: ResourceTemplate): string[] =>
  template.map((one) => (typeof one === "string" ? one : "literal" in one ? one.literal : `{${one.input}}`))

const asksNoMore = ({ inputs }: TaskType, { when }: TaskGrant, other: TaskGrant): boolean =>
  !when || when.source === other.when?.source || readCondition(when.source, inputs.keys())?.constant === true

/**
 * An operation that needs an approval in one grant, and in another grant of the task does not, on the same resource. Where
 * the other has a condition of its own, the approval is for when that does not hold.
 */
function* bypassed({ tasks, inTask }: Reviewed): Iterable<Spot> {
  for (const task of tasks)
    for (const [index, grant] of task.grants.entries()) {
      if (!grant.approval) continue
      const free = task.grants.filter(
        (one) => !one.approval && one.api === grant.api && asksNoMore(task, one, grant),
      )
      for (const [at, operation] of grant.operations.entries()) {
        const around = free.find(
          (one) =>
            one.operations.includes(operation) &&
            grant.resources.some((inner) =>
              one.resources.some((outer) => coversResource(asPattern(outer), asPattern(inner))),
            ),
        )
        if (!around) continue
        const { file, line } = around.place
        yield {
          place: inTask(task, "grants", index, "operations", at),
          message: `"${task.name}" asks for an approval of ${operation} that the grant in ${file}:${line} gives without one`,
        }
      }
    }
}

function* foreign(reviewed: Reviewed): Iterable<Spot> {
  for (const api of reviewed.policy.apis.values()) {
    if (!api.foreign || !api.enabled) continue
    for (const [operation, { risk, enabled }] of api.operations) {
      if (risk !== "high" || !enabled) continue
      const place = reviewed.at("apis", api.place.file, api.name, "operations", operation)
      yield { place, message: `${operation}, of high risk, is behind a verifier that is not taskmint's` }
    }
  }
}

export const GRANT_RULES: readonly ReviewRule[] = [
  {
    id: "approval-bypassed",
    severity: "error",
    summary: "An approval that another grant of the same task makes needless",
    fix: "take the operation out of the grant without an approval, or the approval away",
    find: bypassed,
  },
  {
    id: "wildcard-high-risk",
    severity: "error",
    summary: "A wildcard over resources of an operation of high risk, without an approval",
    fix: "name the resource with an {input}, or add an approval to the grant",
    find: wildcards("high"),
  },
  {
    id: "whole-api",
    severity: "warning",
    summary: "A resource of wildcards alone, which is everything that the API has",
    fix: "begin with a literal segment and name the rest with an {input}",
    find: wildcards("whole"),
  },
  {
    id: "wildcard-moderate-risk",
    severity: "warning",
    summary: "A wildcard over resources of an operation of moderate risk",
    fix: "name the resource with an {input}",
    find: wildcards("moderate"),
  },
  {
    id: "wildcard",
    severity: "note",
    summary: "A wildcard over resources of operations of low risk, or behind an approval",
    fix: "name the resource with an {input} where the caller knows it",
    find: wildcards("low"),
  },
  {
    id: "high-risk-unguarded",
    severity: "warning",
    summary: "An operation of high risk that a stolen token is enough for, and that nobody agrees to",
    fix: "add `approval: { by: [...], valid: 15m }` to the grant, or `proof_of_possession: required` to the task",
    find: (reviewed) =>
      unapproved(reviewed, ({ task }) => !isBound(task), "with neither approval nor proof of possession"),
  },
  {
    id: "high-risk-unapproved",
    severity: "note",
    summary: "An operation of high risk that nobody agrees to",
    fix: "add `approval: { by: [...], valid: 15m }` to the grant",
    find: (reviewed) => unapproved(reviewed, ({ task }) => isBound(task), "and nobody agrees to it"),
  },
  {
    id: "no-proof-of-possession",
    severity: "warning",
    summary: "Operations of moderate or high risk with tokens that work for whoever holds them",
    fix: "add `proof_of_possession: required` to the task",
    find: withoutProof,
  },
  {
    id: "approval-for-many-uses",
    severity: "warning",
    summary: "One approval of an operation of high risk that is good for any number of uses",
    fix: "leave `once: false` out",
    *find(reviewed) {
      for (const { task, grant, index } of grantsOf(reviewed)) {
        const high = grant.operations.filter((one) => reviewed.riskOf(one) === "high")
        if (!grant.approval || grant.approval.once || high.length === 0) continue
        const place = reviewed.inTask(task, "grants", index, "approval", "once")
        yield { place, message: `"${task.name}" lets one approval of ${high.join(", ")} be used again` }
      }
    },
  },
  {
    id: "foreign-high-risk",
    severity: "warning",
    summary: "An operation of high risk whose uses nobody records, and whose tokens end with a status list",
    fix: "put taskmint's verifier (`taskmint guard`) in front of the API, or lower what is granted of it",
    find: foreign,
  },
]
