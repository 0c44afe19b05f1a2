// Counts what tasks touched, and for whom, entry by entry: for each resource of a policy's grants which values its segments had,
// for each rule about users what its tasks used. Memory grows with tasks and with the policy, not with uses. It says of which
// task types that can't be told; what follows is policy/narrow-touched.ts's.
import type { Entry } from "../ledger/entry.ts"
import type { Policy } from "../policy/policy.ts"
import { MOST_SHAPES, type Touched, type TouchedSegments, usesKey } from "../policy/touched.ts"
import { bindTemplate, matchesResource, type ResourceTemplate } from "../token/resource.ts"
import { operationsIn } from "./replay-start.ts"

export interface TouchingOptions {
  /** RFC 3339, UTC; what was before is read, so that tasks are known, and not counted. */
  readonly from: string
  /** Tasks are counted up to here. */
  readonly most: number
}

export interface Touching {
  /** The next entry of the ledger, in its order. */
  take(entry: Entry): void
  report(): Touched
}

interface Task {
  readonly id: string
  readonly type: string
  readonly user: string | undefined
  /** Undefined: erased. */
  readonly inputs: ReadonlyMap<string, string> | undefined
}

interface Given {
  granted: number
  touched: boolean
}

interface State extends TouchingOptions {
  readonly tasks: Map<string, Task>
  readonly targets: ReadonlyMap<string, readonly Target[]>
  readonly users: Map<string, Map<string, Map<string, Given>>>
  readonly untold: Map<string, string>
  readonly uses: Map<string, number>
}

export function createTouching(policy: Policy, options: TouchingOptions): Touching {
  const state: State = {
    ...options,
    tasks: new Map(),
    targets: targetsOf(policy),
    users: new Map(),
    untold: new Map(),
    uses: new Map(),
  }
  return {
    take: (entry) => TAKERS[entry.kind]?.(state, entry),
    report: () => ({
      templates: [...state.targets].flatMap(([type, some]) =>
        some.map(({ grant, at, all, lengths, ofGrant }) => ({
          ...{ type, grant, at, tasksOfGrant: ofGrant.size, all: segmentsOf(all) },
          lengths: lengths && new Map([...lengths].map(([length, seen]) => [length, segmentsOf(seen)])),
        })),
      ),
      users: state.users,
      untold: state.untold,
      uses: state.uses,
    }),
  }
}

const TAKERS: Readonly<Partial<Record<Entry["kind"], (state: State, entry: Entry) => void>>> = {
  "task.started": takeStart,
  "use.allowed": takeUse,
  "use.refused": takeTrial,
  "approval.requested": takeTrial,
}

function takeStart(state: State, { task_id: id = "", at, body = {} }: Entry): void {
  const type = String(body.type)
  const user = typeof body.user_rule === "string" ? body.user_rule : undefined
  state.tasks.set(id, { id, type, user, inputs: inputsIn(body.inputs) })
  if (user === undefined || at < state.from) return
  for (const operation of new Set(operationsIn(body.grants).concat(operationsIn(body.approvals))))
    givenTo(state, user, type, operation).granted += 1
}

function givenTo({ users }: State, user: string, type: string, operation: string): Given {
  const types = users.get(user) ?? new Map<string, Map<string, Given>>()
  const operations = types.get(type) ?? new Map<string, Given>()
  const given = operations.get(operation) ?? { granted: 0, touched: false }
  users.set(user, types.set(type, operations.set(operation, given)))
  return given
}

function inputsIn(value: unknown): ReadonlyMap<string, string> | undefined {
  if (typeof value !== "object" || value === null || Object.keys(value).join() === "hmac") return undefined
  return new Map(Object.entries(value).map(([name, one]) => [name, String(one)]))
}

function takeUse(state: State, entry: Entry): void {
  if (entry.at < state.from) return
  const task = state.tasks.get(entry.task_id ?? "")
  if (!task) return void state.untold.set("", "a task was used whose start was not read")
  const key = usesKey(task.type, entry.operation ?? "")
  state.uses.set(key, (state.uses.get(key) ?? 0) + 1)
  touch(state, task, entry)
}

/** What was tried and refused, or asked for; by tasks that nobody knows there is nothing to keep. */
function takeTrial(state: State, entry: Entry): void {
  const task = state.tasks.get(entry.task_id ?? "")
  if (!task || entry.at < state.from) return
  if (typeof entry.body?.count === "number" && entry.body.count > 1)
    state.untold.set(task.type, "refusals that came too fast name one resource for many")
  touch(state, task, entry)
}

function touch(state: State, task: Task, { api, operation = "", resource }: Entry): void {
  if (task.user !== undefined) givenTo(state, task.user, task.type, operation).touched = true
  if (resource === undefined) return
  if (!task.inputs) return void state.untold.set(task.type, "the inputs of a task that touched it are erased")
  if (typeof resource !== "string")
    return void state.untold.set(task.type, "a resource that was touched is erased")
  const segments = resource.split("/")
  for (const target of state.targets.get(task.type) ?? []) {
    if (target.api !== api || !target.operations.has(operation)) continue
    addUpTo(target.ofGrant, task.id, state.most)
    if (matches(target.template, task.inputs, segments)) see(target, task, segments, state.most)
  }
}

/** A template that names an input which the task had not was none of its policy. */
function matches(
  template: ResourceTemplate,
  inputs: ReadonlyMap<string, string>,
  segments: readonly string[],
): boolean {
  const isBound = template.every(
    (one) => typeof one === "string" || "literal" in one || inputs.has(one.input),
  )
  return isBound && matchesResource(bindTemplate(template, inputs), segments)
}

interface Target {
  readonly grant: number
  readonly at: number
  readonly api: string
  readonly operations: ReadonlySet<string>
  readonly template: ResourceTemplate
  /** Tasks by which the grant was touched; one set for all its resources. */
  readonly ofGrant: Set<string>
  readonly all: Seen
  /** Undefined: too many. */
  lengths: Map<number, Seen> | undefined
}

interface Seen {
  readonly tasks: Set<string>
  readonly segments: SeenSegment[]
}

interface SeenSegment {
  inputs: ReadonlySet<string>
  /** Undefined: too many. */
  values: Map<string, Set<string>> | undefined
}

const targetsOf = ({ tasks }: Policy): ReadonlyMap<string, readonly Target[]> =>
  new Map(
    [...tasks.values()].map(({ name, grants }) => [
      name,
      grants.flatMap(({ api, operations, resources }, grant) => {
        const [ofGrant, of] = [new Set<string>(), new Set(operations)]
        return resources.map((template, at): Target => {
          const all: Seen = { tasks: new Set(), segments: [] }
          return { grant, at, api, operations: of, template, ofGrant, all, lengths: new Map() }
        })
      }),
    ]),
  )

function see(target: Target, task: Task, segments: readonly string[], most: number): void {
  const { template, all } = target
  const isOpen = template.at(-1) === "**"
  add(all, task, isOpen ? segments.slice(0, template.length - 1) : segments, most)
  if (!isOpen || !target.lengths) return
  const seen = target.lengths.get(segments.length) ?? { tasks: new Set(), segments: [] }
  target.lengths.set(segments.length, seen)
  if (target.lengths.size > MOST_SHAPES) target.lengths = undefined
  else add(seen, task, segments, most)
}

function add(seen: Seen, { id, inputs = new Map() }: Task, segments: readonly string[], most: number): void {
  addUpTo(seen.tasks, id, most)
  for (const [at, value] of segments.entries()) {
    const alike = [...inputs].flatMap(([name, one]) => (one === value ? [name] : []))
    const known = seen.segments[at]
    const segment = known ?? { inputs: new Set(alike), values: new Map<string, Set<string>>() }
    seen.segments[at] = segment
    if (known) segment.inputs = new Set(alike.filter((name) => known.inputs.has(name)))
    const tasks = segment.values?.get(value) ?? new Set<string>()
    segment.values?.set(value, addUpTo(tasks, id, most))
    if ((segment.values?.size ?? 0) > MOST_SHAPES) segment.values = undefined
  }
}

const addUpTo = (tasks: Set<string>, id: string, most: number): Set<string> =>
  tasks.size < most ? tasks.add(id) : tasks

const segmentsOf = ({ tasks, segments }: Seen): TouchedSegments => ({
  tasks: tasks.size,
  segments: segments.map(({ inputs, values }) => ({
    inputs,
    values: values && new Map([...values].map(([value, some]) => [value, some.size])),
  })),
})
