// The report of unusual work: what stands, in words, and of whom too little is known to tell. It decides nothing; what is
// unusual the audit room says. Each page that is read is an entry.
import { z } from "@hono/zod-openapi"
import type { Standing } from "../audit/alarm.ts"
import { standingAnomalies, stillLearning } from "../audit/anomaly/report.ts"
import { ANOMALY_RULES, type AnomalyName } from "../policy/anomaly-rules.ts"
import { toInstant } from "../time.ts"
import { isName } from "../token/name.ts"
import { type Endpoint, guarded, json } from "./endpoint.ts"
import { filterLimit, givenIn } from "./ledger-query.ts"
import { recordReading } from "./reading.ts"
import type { Rooms } from "./rooms.ts"

const nameFilter = z.string().refine(isName, "a name of the policy").optional()
const AnomalyQuery = z.strictObject({
  rule: z.enum(ANOMALY_RULES).optional(),
  type: nameFilter,
  agent: nameFilter,
  after: z
    .string()
    .regex(/^[1-9]\d{0,14}$/, "the `next` of an earlier answer")
    .transform(Number)
    .optional(),
  limit: filterLimit,
})

const instant = z.iso.datetime()
const count = z.int().min(0)
const text = z.string()

const AnomalyAnswer = z
  .strictObject({
    rule: z.enum(ANOMALY_RULES),
    since: instant.openapi({ description: "When it happened" }),
    raised_at: instant,
    type: text.optional().openapi({ description: "The task type; absent where there is no such task" }),
    agent: text.optional().openapi({ description: "The holder: of a delegation the sub-agent" }),
    instance: text.optional(),
    task: text.optional(),
    api: text.optional(),
    operation: text.optional(),
    usual: text.openapi({ description: "In words: what was usual" }),
    happened: text.openapi({ description: "In words: what happened" }),
    action: z.enum(["pause", "revoke"]).optional().openapi({ description: "What the policy said then" }),
  })
  .openapi("Anomaly")

const AnomaliesAnswer = z
  .strictObject({
    anomalies: z.array(AnomalyAnswer),
    learning: z
      .strictObject({
        wanted: z.strictObject({ tasks: count, days: count }),
        agents: z.array(z.strictObject({ type: text, agent: text, tasks: count, days: count })),
      })
      .openapi({
        description:
          "Agents and task types of which not every rule can tell yet, at most 200. A task counts from an hour after its end on",
      }),
    next: text.nullable(),
  })
  .openapi("Anomalies", { description: "What is unusual and stands now, the oldest first" })

export const anomalyEndpoints = (rooms: Rooms): Endpoint[] => [
  guarded({
    method: "get",
    path: "/reports/anomalies",
    lane: "later",
    summary: "Work that is unusual for an agent and task type, in words: what was usual, what happened",
    group: "ledger",
    who: ["auditor"],
    query: AnomalyQuery,
    answers: { 200: { description: "A page of what stands", schema: AnomaliesAnswer } },
    async run({ query }, caller) {
      const { engine, ledger, policies } = rooms
      await recordReading(rooms, caller, { report: "anomalies", parameters: givenIn(query) })
      const page = await standingAnomalies(engine, query)
      const { wanted, known } = await stillLearning(engine, policies.inForce(), ledger.at())
      return json(200, {
        anomalies: page.anomalies.map(onWire),
        learning: { wanted, agents: known },
        next: page.next === undefined ? null : String(page.next),
      })
    },
  }),
]

const onWire = ({ kind, facts, since, raisedAt }: Standing) => ({
  rule: kind as AnomalyName,
  since: toInstant(since),
  raised_at: toInstant(raisedAt),
  ...facts,
})
