// Where the policy in force and what verifiers say they serve differ, both ways: what is granted and served nowhere, what is
// served and no policy names, and APIs of which nobody says anything. Pure; it changes nothing, and no mint or use asks it.
import type { Api, Place, Policy, TaskGrant } from "../../policy/policy.ts"
import { SEVERITIES, type Severity } from "../../policy/review-rule.ts"
import { parseShape } from "../../token/declaration.ts"
import { formatResource, meetResources, type Resource, type ResourceTemplate } from "../../token/resource.ts"
import { POSTURE_RULES, type PostureRule } from "./rules.ts"

/** Of one API, as the task room tells it. */
export interface Served {
  /** Instances that have not said their last word, those of them that are not silent, and of these the ones that declare. */
  readonly open: number
  readonly heard: number
  readonly declaring: number
  /** Once for all instances that say the same. */
  readonly said: readonly {
    readonly instances: number
    readonly operations: readonly { readonly operation: string; readonly resources: readonly string[] }[]
  }[]
}

export interface PostureFinding {
  readonly rule: PostureRule
  readonly severity: Severity
  readonly api: string
  readonly operation?: string
  /** As the policy writes it. */
  readonly resource?: string
  readonly place: Place
  readonly message: string
  readonly fix: string
}

type Spot = Omit<PostureFinding, "severity" | "fix" | "api">
type Shapes = ReadonlyMap<string, readonly Resource[]>

/**
 * Every difference, the gravest first, then in the order of files and lines. Where an instance that was heard does not declare,
 * nothing is said to be served nowhere: nobody can tell. APIs whose verifiers are not ours are asked for none.
 */
export function comparePosture(
  policy: Policy,
  served: ReadonlyMap<string, Served>,
): readonly PostureFinding[] {
  const granted = grantsByApi(policy)
  const found = [...policy.apis.values()]
    .filter(({ enabled }) => enabled)
    .flatMap((api) =>
      [...compareApi(api, granted.get(api.name) ?? [], served.get(api.name))].map((spot) => ({
        ...spot,
        ...POSTURE_RULES[spot.rule],
        api: api.name,
      })),
    )
  return found.sort(graveFirst)
}

function* compareApi(api: Api, grants: readonly TaskGrant[], served: Served | undefined): Generator<Spot> {
  const { name, place } = api
  if (!served || served.open === 0) {
    if (!api.foreign)
      yield { rule: "api-without-verifier", place, message: `no verifier instance stands for "${name}"` }
    return
  }
  if (served.heard === 0)
    return yield {
      rule: "api-silent",
      place,
      message: `nothing is heard of any of the ${served.open} verifier instance(s) of "${name}"`,
    }
  const shapes = shapesOf(served)
  const mute = served.heard - served.declaring
  if (mute > 0)
    yield {
      rule: "api-undeclared",
      place,
      message: `${mute} of ${served.heard} verifier instance(s) of "${name}" do not say what they serve`,
    }
  else yield* findUnserved(api, grants, shapes)
  for (const operation of shapes.keys())
    if (!api.operations.has(operation))
      yield {
        rule: "operation-unknown",
        operation,
        place,
        message: `verifiers of "${name}" serve ${operation}, which the policy does not name`,
      }
  yield* findDiffering(api, served)
}

function* findUnserved(api: Api, grants: readonly TaskGrant[], shapes: Shapes): Generator<Spot> {
  for (const [operation, { enabled }] of api.operations) {
    if (!enabled) continue
    const giving = grants.filter(({ operations }) => operations.includes(operation))
    const known = shapes.get(operation)
    const [first] = giving
    if (known) yield* giving.flatMap((grant) => findUnreached(grant, operation, known))
    else if (first)
      yield {
        rule: "operation-served-nowhere",
        operation,
        place: first.place,
        message: `${operation} is granted ${giving.length} time(s), and no verifier of "${api.name}" serves it`,
      }
    else
      yield {
        rule: "operation-unserved",
        operation,
        place: api.place,
        message: `no verifier of "${api.name}" serves ${operation}, and nothing grants it`,
      }
  }
}

function findUnreached(grant: TaskGrant, operation: string, shapes: readonly Resource[]): Spot[] {
  return grant.resources
    .filter((template) => !shapes.some((shape) => canMatch(template, shape)))
    .map((template) => ({
      rule: "resource-served-nowhere",
      operation,
      resource: writtenAs(template),
      place: grant.place,
      message: `${operation} is granted on ${writtenAs(template)}, which no route that serves it can be`,
    }))
}

/** Whether some request of that shape is on some resource that the template can be bound to, whatever its inputs are. */
export const canMatch = (template: ResourceTemplate, shape: Resource): boolean =>
  meetResources(
    template.map((segment) =>
      typeof segment === "string" ? segment : "literal" in segment ? segment.literal : "*",
    ),
    shape,
  ) !== undefined

const writtenAs = (template: ResourceTemplate): string =>
  formatResource(
    template.map((segment) =>
      typeof segment === "string" ? segment : "literal" in segment ? segment.literal : `{${segment.input}}`,
    ),
  )

/** What only some of the instances say. */
function* findDiffering(api: Api, { said }: Served): Generator<Spot> {
  if (said.length < 2) return
  const times = new Map<string, number>()
  for (const { operations } of said)
    for (const { operation, resources } of operations)
      for (const resource of resources) {
        const served = `${operation} on ${resource}`
        times.set(served, (times.get(served) ?? 0) + 1)
      }
  const partly = [...times].filter(([, count]) => count < said.length).map(([served]) => served)
  yield {
    rule: "verifiers-differ",
    place: api.place,
    message: `verifiers of "${api.name}" serve ${said.length} different sets; not all of them: ${listed(partly)}`,
  }
}

const LISTED = 3

const listed = (texts: readonly string[]): string =>
  texts.length <= LISTED
    ? texts.join(", ")
    : `${texts.slice(0, LISTED).join(", ")} and ${texts.length - LISTED} more`

/** Of all instances together. */
function shapesOf({ said }: Served): Shapes {
  const shapes = new Map<string, Resource[]>()
  for (const { operations } of said)
    for (const { operation, resources } of operations) {
      const known = shapes.get(operation) ?? []
      for (const text of resources) {
        const shape = parseShape(text)
        if (shape) known.push(shape)
      }
      shapes.set(operation, known)
    }
  return shapes
}

/** Of enabled task types. */
function grantsByApi({ tasks }: Policy): ReadonlyMap<string, readonly TaskGrant[]> {
  const grants = new Map<string, TaskGrant[]>()
  for (const task of tasks.values())
    for (const grant of task.enabled ? task.grants : []) {
      const known = grants.get(grant.api)
      if (known) known.push(grant)
      else grants.set(grant.api, [grant])
    }
  return grants
}

const graveFirst = (one: PostureFinding, other: PostureFinding): number =>
  SEVERITIES.indexOf(other.severity) - SEVERITIES.indexOf(one.severity) ||
  compare(one.place.file, other.place.file) ||
  one.place.line - other.place.line ||
  one.place.column - other.place.column ||
  compare(one.rule, other.rule)

const compare = (one: string, other: string): number => (one < other ? -1 : Number(one > other))
