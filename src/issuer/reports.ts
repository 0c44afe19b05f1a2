// What auditors are told that nobody would report: the alarms of silence that stand, and whose reports are whole. It decides
// nothing; who may ask is in the table, what is an alarm the audit room says. Each query is itself an entry.
import { z } from "@hono/zod-openapi"
import { SILENCES, type Standing, standingAlarms } from "../audit/alarm.ts"
import { toInstant } from "../time.ts"
import { type Endpoint, guarded, json } from "./endpoint.ts"
import { givenIn } from "./ledger-query.ts"
import { recordReading } from "./reading.ts"
import type { Rooms } from "./rooms.ts"
import { VerifierAnswer, verifierOnWire } from "./verifiers.ts"

const paging = {
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
}
const SilenceQuery = z.strictObject({ alarm: z.enum(SILENCES).optional(), ...paging })
const CompletenessQuery = z.strictObject({
  api: z.string().max(63).optional(),
  complete: z.enum(["false"]).optional().openapi({ description: "Only those that are not complete" }),
  ...paging,
})

const instant = z.iso.datetime()

const AlarmAnswer = z
  .strictObject({
    alarm: z.enum(SILENCES),
    since: instant.openapi({ description: "When it began" }),
    raised_at: instant,
    verifier: z.string().optional().openapi({ description: "The verifier instance" }),
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
    missing: z.int().optional().openapi({ description: "Its batches that were not taken in" }),
    drift: z.int().optional().openapi({ description: "Milliseconds that its clock was ahead" }),
  })
  .openapi("Alarm")

const SilenceAnswer = z
  .strictObject({ alarms: z.array(AlarmAnswer), next: z.string().nullable() })
  .openapi("Silence", { description: "Alarms that stand now, the oldest first" })

const CompletenessAnswer = z
  .strictObject({ verifiers: z.array(VerifierAnswer), next: z.string().nullable() })
  .openapi("Completeness", { description: "Verifier instances, the last to join first" })

export const reportEndpoints = (rooms: Rooms): Endpoint[] => [silence(rooms), completeness(rooms)]

const silence = ({ engine, ledger }: Rooms): Endpoint =>
  guarded({
    method: "get",
    path: "/reports/silence",
    lane: "later",
    summary:
      "Verifiers gone quiet, with gaps or a clock that is off, running tasks renewed no more, agents refused only, keys that agents share",
    group: "ledger",
    who: ["auditor"],
    query: SilenceQuery,
    answers: { 200: { description: "A page of alarms that stand", schema: SilenceAnswer } },
    async run({ query }, caller) {
      const { alarm, after, limit } = query ?? {}
      await recordReading({ ledger }, caller, { report: "silence", parameters: givenIn(query ?? {}) })
      const page = await standingAlarms(engine, { kind: alarm, after, limit })
      return json(200, { alarms: page.alarms.map(onWire), next: cursorOf(page.next) })
    },
  })

const completeness = ({ verifiers, ledger }: Rooms): Endpoint =>
  guarded({
    method: "get",
    path: "/reports/completeness",
    lane: "later",
    summary:
      "Whether the reports of each verifier instance are all that it numbered, and up to when it reported",
    group: "ledger",
    who: ["auditor"],
    query: CompletenessQuery,
    answers: { 200: { description: "A page of instances", schema: CompletenessAnswer } },
    async run({ query }, caller) {
      const { api, complete, after, limit } = query ?? {}
      await recordReading({ ledger }, caller, { report: "completeness", parameters: givenIn(query ?? {}) })
      const page = await verifiers.page({ api, incomplete: complete !== undefined, before: after, limit })
      return json(200, { verifiers: page.verifiers.map(verifierOnWire), next: cursorOf(page.next) })
    },
  })

const cursorOf = (next: number | undefined): string | null => (next === undefined ? null : String(next))

const onWire = ({ kind, value, facts, since, raisedAt }: Standing) => ({
  alarm: kind,
  since: toInstant(since),
  raised_at: toInstant(raisedAt),
  ...(kind.startsWith("verifier_") && { verifier: value }),
  ...(kind === "key_shared" && { jkt: value }),
  ...facts,
})
