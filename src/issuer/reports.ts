// What auditors are told that nobody would report: the alarms of silence that stand. It decides nothing; who may ask is in
// the table, what is an alarm the audit room says. Each query is itself an entry.
import { z } from "@hono/zod-openapi"
import { ALARMS, type Standing, standingAlarms } from "../audit/alarm.ts"
import { toInstant } from "../time.ts"
import { type Endpoint, guarded, json } from "./endpoint.ts"
import type { Rooms } from "./rooms.ts"

const SilenceQuery = z.strictObject({
  alarm: z.enum(ALARMS).optional(),
  after: z
    .string()
    .regex(/^[1-9]\d{0,14}$/, "the `next` of an earlier answer")
    .transform(Number)
    .optional(),
  limit: z
    .string()
    .regex(/^([1-9]\d{0,2}|1000)$/, "1 to 1,000")
    .transform(Number)
    .optional(),
})

const instant = z.iso.datetime()

const AlarmAnswer = z
  .strictObject({
    alarm: z.enum(ALARMS),
    since: instant.openapi({ description: "When it began" }),
    raised_at: instant,
    verifier: z.string().optional().openapi({ description: "The verifier instance that is silent" }),
    jkt: z.string().optional().openapi({ description: "The key that several agents hold" }),
    agents: z.array(z.string()).optional(),
    task: z.string().optional(),
    type: z.string().optional(),
    agent: z.string().optional(),
    instance: z.string().optional(),
    orchestrator: z.string().optional(),
    api: z.string().optional(),
    side: z.enum(["api", "issuer"]).optional().openapi({ description: "Who refuses" }),
    refusals: z.int().optional().openapi({ description: "In a row, when it was raised" }),
    last_code: z.string().optional(),
    sequence: z.int().optional().openapi({ description: "Of the verifier instance's last batch" }),
  })
  .openapi("Alarm")

const SilenceAnswer = z
  .strictObject({ alarms: z.array(AlarmAnswer), next: z.string().nullable() })
  .openapi("Silence", { description: "Alarms that stand now, the oldest first" })

export const reportEndpoints = ({ engine, ledger }: Rooms): Endpoint[] => [
  guarded({
    method: "get",
    path: "/reports/silence",
    lane: "later",
    summary:
      "Verifiers gone quiet, running tasks renewed no more, agents refused only, keys that agents share",
    group: "ledger",
    who: ["auditor"],
    query: SilenceQuery,
    answers: { 200: { description: "A page of alarms that stand", schema: SilenceAnswer } },
    async run({ query }, caller) {
      const { alarm, after, limit } = query ?? {}
      const body = { by: caller.clientId, report: "silence", ...(alarm !== undefined && { alarm }) }
      await ledger.append([{ kind: "access.read", at: ledger.at(), body }])
      const page = await standingAlarms(engine, { kind: alarm, after, limit })
      return json(200, {
        alarms: page.alarms.map(onWire),
        next: page.next === undefined ? null : String(page.next),
      })
    },
  }),
]

const onWire = ({ kind, value, facts, since, raisedAt }: Standing) => ({
  alarm: kind,
  since: toInstant(since),
  raised_at: toInstant(raisedAt),
  ...(kind === "verifier_silent" && { verifier: value }),
  ...(kind === "key_shared" && { jkt: value }),
  ...facts,
})
