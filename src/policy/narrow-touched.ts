// The narrower policy that entries support where the report can't tell: resources of grants, and `at_most` of users. A wildcard
// becomes the input or the few values that it always was; what nobody touched goes. What too few tasks touched stays. It does
// NOT check its own result: the policy has to be loaded, compared (`narrowFault`) and replayed.

import type { ResourceTemplate } from "../token/resource.ts"
import { cut } from "./cut.ts"
import { withoutEmptied } from "./narrow-agents.ts"
import type { Judged, Left, NarrowOptions, Removed } from "./narrow-judged.ts"
import { shapesOf, textOf } from "./narrow-shapes.ts"
import type { Policy, TaskType, UserRule } from "./policy.ts"
import { replaceItem } from "./replace.ts"
import type { Touched, TouchedBy, TouchedTemplate } from "./touched.ts"

/** One resource of a grant, and what stands there now. */
export interface Rewritten {
  /** `support.yaml#/tasks/triage/grants/0/resources/1`. */
  readonly rule: string
  readonly resource: string
  /** Nothing: it goes. */
  readonly becomes: readonly string[]
}

export interface NarrowedTouched {
  readonly texts: ReadonlyMap<string, string>
  readonly rewritten: readonly Rewritten[]
  readonly removed: readonly Removed[]
  readonly left: readonly Left[]
}

const NOT_TOLD = "the report does not tell of it: give the entries, too (--entries)"
const NOT_ALONE = "it can't be changed in the file by itself"

/** Without `touched` everything is left, and said. */
export function narrowTouched(
  policy: Policy,
  touched: Touched | undefined,
  options: NarrowOptions,
): NarrowedTouched {
  const texts = new Map(policy.files)
  const [rewritten, removed, left]: [Rewritten[], Removed[], Left[]] = [[], [], []]
  for (const type of policy.tasks.values())
    for (const [index, grant] of type.grants.entries()) {
      const judged = judgeGrant(type, index, touched, options)
      left.push(...judged.left)
      for (const [at, one] of [...judged.rewritten].sort(([a], [b]) => b - a)) {
        const path = ["tasks", type.name, "grants", index, "resources", at]
        if (edit(texts, grant.place.file, (text) => rewrite(text, path, one.becomes))) rewritten.push(one)
        else left.push({ rule: one.rule, resource: one.resource, why: NOT_ALONE })
      }
    }
  for (const user of policy.users.values()) {
    const judged = judgeUser(user, touched, options)
    left.push(...judged.left)
    for (const one of judged.removed.toReversed()) {
      const path = ["users", user.name, "at_most", [...(user.atMost ?? [])].indexOf(one.operation)]
      if (edit(texts, user.place.file, (text) => cut(text, path))) removed.push(one)
      else left.push({ rule: one.rule, operation: one.operation, why: NOT_ALONE })
    }
  }
  return { texts, rewritten, removed, left }
}

function edit(texts: Map<string, string>, file: string, by: (text: string) => string | undefined): boolean {
  const narrower = by(texts.get(file) ?? "")
  if (narrower !== undefined) texts.set(file, narrower)
  return narrower !== undefined
}

const rewrite = (text: string, path: (string | number)[], becomes: readonly string[]) =>
  becomes.length === 0 ? cut(text, path) : replaceItem(text, path, becomes)

/** Whether something of a policy is for entries to tell, which are long to read. */
export const needsEntries = (policy: Policy): boolean =>
  [...policy.users.values()].some(({ atMost }) => atMost !== undefined) ||
  [...policy.tasks.values()].some(({ grants }) =>
    grants.some(({ resources }) => resources.length > 1 || resources.some(isOpen)),
  )

const isOpen = (template: ResourceTemplate): boolean => template.some((one) => typeof one === "string")

const textOfTemplate = (template: ResourceTemplate): string => template.map(textOf).join("/")

interface JudgedGrant {
  /** By place in the list. */
  readonly rewritten: ReadonlyMap<number, Rewritten>
  readonly left: readonly Left[]
}

function judgeGrant(
  type: TaskType,
  index: number,
  touched: Touched | undefined,
  options: NarrowOptions,
): JudgedGrant {
  const grant = type.grants[index]
  const untold = touched ? (touched.untold.get("") ?? touched.untold.get(type.name)) : NOT_TOLD
  const templates = touched?.templates.filter((one) => one.type === type.name && one.grant === index) ?? []
  const isUsed = templates.some(({ all }) => all.tasks > 0)
  const rewritten = new Map<number, Rewritten>()
  const left: Left[] = []
  const stays = new Set(grant?.resources.map(textOfTemplate))
  for (const [at, template] of grant?.resources.entries() ?? []) {
    const resource = textOfTemplate(template)
    const rule = `${grant?.rule}/resources/${at}`
    const seen = templates.find((one) => one.at === at)
    const becomes = untold ?? (seen ? judgeTemplate(type, template, seen, { ...options, isUsed }) : NOT_TOLD)
    if (typeof becomes !== "string") {
      const fresh = becomes.filter((one) => one === resource || !stays.has(one))
      if (fresh.includes(resource)) continue
      for (const one of fresh) stays.add(one)
      rewritten.set(at, { rule, resource, becomes: fresh })
    } else if (isOpen(template)) left.push({ rule, resource, why: becomes })
  }
  return { rewritten, left }
}

/** What should stand there, itself included; a text: why it stays. */
function judgeTemplate(
  type: TaskType,
  template: ResourceTemplate,
  seen: TouchedTemplate,
  { minTasks, isUsed }: NarrowOptions & { readonly isUsed: boolean },
): readonly string[] | string {
  const { tasks } = seen.all
  if (tasks === 0 && isUsed && seen.tasksOfGrant >= minTasks) return []
  if (!isOpen(template)) return [textOfTemplate(template)]
  if (tasks < minTasks) return `${tasks} task(s) touched something of it, fewer than ${minTasks}`
  const shapes = shapesOf(type, template, seen, minTasks)
  return shapes.includes(textOfTemplate(template))
    ? `too many values were touched, or some in fewer than ${minTasks} tasks`
    : shapes
}

/** Operations that no task for users of a rule used. What would leave a task type nothing stays, and a list is never emptied. */
function judgeUser(user: UserRule, touched: Touched | undefined, { minTasks }: NarrowOptions): Judged {
  const rule = `${user.place.file}#/users/${user.name}/at_most`
  const untold = touched ? touched.untold.get("") : NOT_TOLD
  const by: TouchedBy = touched?.users.get(user.name) ?? new Map()
  const types = [...by.values()]
  const removed: Removed[] = []
  const left: Left[] = []
  const isTouched = (operation: string) => types.some((given) => given.get(operation)?.touched)
  for (const operation of [...(user.atMost ?? [])].filter((one) => !isTouched(one))) {
    const granted = types.reduce((sum, given) => sum + (given.get(operation)?.granted ?? 0), 0)
    const few = granted < minTasks ? `${granted} task(s) were given it, fewer than ${minTasks}` : undefined
    const why = untold ?? few
    if (why === undefined) removed.push({ rule, operation, granted })
    else left.push({ rule, operation, why })
  }
  if (removed.length < (user.atMost?.size ?? 0)) return withoutEmptied({ removed, left }, givenIn(by))
  const why = "nothing of it was used: take the rule out, if nobody needs it"
  return { removed: [], left: [...left, ...removed.map((one) => ({ ...one, why }))] }
}

const givenIn = (by: TouchedBy): ReadonlyMap<string, ReadonlySet<string>> =>
  new Map(
    [...by].map(([type, some]) => [
      type,
      new Set([...some].flatMap(([operation, { granted }]) => (granted > 0 ? [operation] : []))),
    ]),
  )
