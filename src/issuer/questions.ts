// The fixed questions of an audit, an endpoint for each. Each is one query and one entry, durable before anything is
// answered. Who may ask is in the table; what an answer is, the audit room says.
import { z } from "@hono/zod-openapi"
import { whoApproved } from "../audit/approvers.ts"
import { byWhichRule, onWhoseBehalf, whatItCould } from "../audit/authority.ts"
import { type AnswerTo, aboutTask, findTask, MOST_ROWS, type Question } from "../audit/question.ts"
import type { AskedTaskRow } from "../audit/question-statements.ts"
import { whatItDid, whoDidIt } from "../audit/uses.ts"
import type { Engine } from "../database/database.ts"
import { type Refusal, refuse } from "../errors.ts"
import { type Endpoint, guarded, json } from "./endpoint.ts"
import { between, FILTERS, givenIn } from "./ledger-query.ts"
import { recordReading } from "./reading.ts"
import type { Rooms } from "./rooms.ts"

const { task, jti, operation, resource, api, from, to } = FILTERS

const AboutTask = z
  .strictObject({ task, jti })
  .refine(
    ({ task, jti }) => (task === undefined) !== (jti === undefined),
    "a task, or a token of it as `jti`",
  )

const Done = z.strictObject({ operation, resource, api, from, to })
const AboutUse = Done.refine(
  ({ operation, resource }) => operation !== undefined || resource !== undefined,
  "an operation, a resource, or how it begins",
)
const AboutApproval = z
  .strictObject({ task, jti, ...Done.shape })
  .refine(
    ({ task, jti, operation, resource }) => [task, jti, operation, resource].some((one) => one !== undefined),
    "a task, a token of it, an operation or a resource",
  )

const cells = z.record(z.string(), z.union([z.string(), z.number(), z.array(z.string())]))

const Answered = z
  .strictObject({
    question: z.string(),
    about: cells.optional().openapi({ description: "The task that was asked about" }),
    rows: z.array(cells),
    more: z.boolean().openapi({ description: `There are more than ${MOST_ROWS}: ask for less` }),
  })
  .openapi("Answered")

export const questionEndpoints = (rooms: Rooms): Endpoint[] => [
  question(rooms, "who", {
    summary: "Who used an operation or a resource: holder, principal and task, how often, first and last",
    query: AboutUse,
    answer: ({ from, to, ...done }) => whoDidIt(rooms.engine, { ...done, ...between(from, to) }),
  }),
  question(rooms, "approved", {
    summary: "Who approved: each question put to people, the person who decided, and whether it was used",
    query: AboutApproval,
    async answer({ task, jti, from, to, ...done }) {
      const filter = { ...done, ...between(from, to) }
      if (task === undefined && jti === undefined) return whoApproved(rooms.engine, filter)
      return ofTask(rooms.engine, { task, jti }, async (row) => ({
        about: aboutTask(row),
        ...(await whoApproved(rooms.engine, { ...filter, task: row.task_id })),
      }))
    },
  }),
  aboutTasks(
    rooms,
    "did",
    "What a task did: its uses, allowed and refused, those alike in one line",
    whatItDid,
  ),
  aboutTasks(
    rooms,
    "could",
    "What a task could have done: what each holder was given, and when",
    whatItCould,
  ),
  aboutTasks(rooms, "behalf", "On whose behalf: principal, orchestrator and every holder", onWhoseBehalf),
  aboutTasks(
    rooms,
    "rule",
    "By which line of which policy, with its text of that day, whatever is in force now",
    byWhichRule,
  ),
]

interface Asking<Query> {
  readonly summary: string
  readonly query: z.ZodType<Query>
  readonly answer: (query: Query) => Promise<AnswerTo | Refusal>
}

function question<Query extends Readonly<Record<string, string | undefined>>>(
  rooms: Rooms,
  name: Question,
  { summary, query: schema, answer }: Asking<Query>,
): Endpoint {
  return guarded({
    method: "get",
    path: `/reports/${name}`,
    lane: "later",
    summary,
    group: "ledger",
    who: ["auditor"],
    query: schema,
    answers: { 200: { description: "The answer", schema: Answered } },
    async run({ query }, caller) {
      await recordReading(rooms, caller, { report: name, parameters: givenIn(query) })
      const found = await answer(query)
      return "rows" in found ? json(200, { question: name, ...found }) : found
    },
  })
}

const aboutTasks = (
  rooms: Rooms,
  name: Question,
  summary: string,
  answer: (engine: Engine, row: AskedTaskRow) => Promise<AnswerTo>,
): Endpoint =>
  question(rooms, name, {
    summary,
    query: AboutTask,
    answer: (asked) => ofTask(rooms.engine, asked, (row) => answer(rooms.engine, row)),
  })

async function ofTask(
  engine: Engine,
  asked: { readonly task?: string | undefined; readonly jti?: string | undefined },
  answer: (row: AskedTaskRow) => Promise<AnswerTo>,
): Promise<AnswerTo | Refusal> {
  const row = await findTask(engine, asked)
  return row ? answer(row) : refuse("not_found", "[task] no such task, or no such token")
}
