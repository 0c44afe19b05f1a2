// The pages of tasks, and what an operator does to one. They read through the rooms and decide nothing: what a change means
// is the task room's.
import { z } from "@hono/zod-openapi"
import { readCourse } from "../../audit/course.ts"
import { taskPage } from "../../console/task-page.ts"
import { taskPath, tasksPage } from "../../console/tasks-page.ts"
import { rangeOf, STEPS } from "../../console/timeline-lanes.ts"
import { Refusal, refuse } from "../../errors.ts"
import type { Operated } from "../../task/finish.ts"
import { TASK_STATES } from "../../task/states.ts"
import { isId } from "../../token/id.ts"
import type { Endpoint } from "../endpoint.ts"
import { recordReading } from "../reading.ts"
import type { Rooms } from "../rooms.ts"
import { plain } from "../task-schema.ts"
import { statementAnswer } from "../task-statement.ts"
import { action, page } from "./route.ts"
import type { Visitor } from "./visitor.ts"

const LIMIT = 40
/** Looked at for one page where no index finds them: some milliseconds. */
const LOOKED = 20_000
const WHO = ["auditor", "operator"] as const

const name = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,63}$/, "a name of the policy")
  .optional()
const ListQuery = z.strictObject({
  state: z.enum(TASK_STATES).optional(),
  type: name,
  agent: name,
  orchestrator: name,
  after: z
    .string()
    .regex(/^task_[0-9a-f-]{36}$/, "a task id")
    .optional(),
})

export const taskPages = (rooms: Rooms): Endpoint[] => [
  list(rooms),
  show(rooms),
  statement(rooms),
  operate(rooms, "pause"),
  operate(rooms, "resume"),
  revoke(rooms),
]

const list = (rooms: Rooms): Endpoint =>
  page(rooms, {
    path: "/console/tasks",
    summary: "Tasks, the newest first",
    who: [...WHO],
    query: ListQuery,
    async run({ query }, visitor) {
      const found = await rooms.tasks.list(viewerOf(visitor), { ...query, limit: LIMIT, looked: LOOKED })
      const { tasks, agents, orchestrators } = rooms.policies.inForce()
      const names = {
        types: [...tasks.keys()].sort(),
        agents: [...agents.keys()].sort(),
        orchestrators: [...orchestrators.keys()].sort(),
      }
      return tasksPage({ asked: query, found, names, now: rooms.ledger.at() })
    },
  })

const show = (rooms: Rooms): Endpoint =>
  page(rooms, {
    path: "/console/tasks/{id}",
    summary: "One task: its course, who holds it, what was granted and used",
    who: [...WHO],
    async run({ parameter }, visitor) {
      const id = parameter("id")
      if (!isId("task", id)) return refuse("not_found", "[task] no task id")
      await recordReading(rooms, visitor.caller, { report: "task", parameters: { task: id } })
      const task = await rooms.tasks.show(viewerOf(visitor), id)
      if (task instanceof Refusal) return task
      const now = rooms.ledger.at()
      const course = await readCourse(rooms.engine, id, { ...rangeOf(task, now), steps: STEPS })
      if (!course) return refuse("not_found", "[task] no such task")
      const { scopes } = visitor.caller
      return taskPage({
        task,
        course,
        now,
        operates: scopes.has("operator"),
        audits: scopes.has("auditor"),
      })
    },
  })

const statement = (rooms: Rooms): Endpoint =>
  page(rooms, {
    path: "/console/tasks/{id}/statement",
    summary: "The closing statement of a task",
    who: [...WHO],
    async run({ parameter }, visitor) {
      const id = parameter("id")
      if (!isId("task", id)) return refuse("not_found", "[task] no task id")
      await recordReading(rooms, visitor.caller, { report: "statement", parameters: { task: id } })
      const made = await rooms.closings.read(viewerOf(visitor), id)
      return made instanceof Refusal ? made : statementAnswer(made)
    },
  })

const ReasonForm = z.strictObject({ reason: plain(1000) })

const operate = (rooms: Rooms, change: Operated): Endpoint =>
  action(rooms, {
    path: `/console/tasks/{id}/${change}`,
    summary: `Change a task's state: ${change}`,
    who: ["operator"],
    form: ReasonForm,
    async run({ parameter, body: { reason } }, visitor) {
      const id = parameter("id")
      if (!isId("task", id)) return refuse("not_found", "[task] no task id")
      const changed = await rooms.tasks.operate(visitor.name, id, change, reason)
      return changed instanceof Refusal ? changed : taskPath(id)
    },
  })

const revoke = (rooms: Rooms): Endpoint =>
  action(rooms, {
    path: "/console/tasks/{id}/revoke",
    summary: "End a task for good",
    who: ["operator"],
    form: ReasonForm,
    async run({ parameter, body: { reason } }, visitor) {
      const id = parameter("id")
      const task = isId("task", id) && (await rooms.tasks.show(viewerOf(visitor), id))
      if (!task) return refuse("not_found", "[task] no task id")
      if (task instanceof Refusal) return task
      const revoked = await rooms.revocations.revoke(visitor.name, { kind: "task", value: id, reason })
      return revoked instanceof Refusal ? revoked : taskPath(id)
    },
  })

const viewerOf = ({ caller }: Visitor) => ({ clientId: caller.clientId, staff: true })
