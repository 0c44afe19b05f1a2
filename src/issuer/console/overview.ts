// The first page: what agents are doing now, and the alarms that stand. It reads; src/console/ shows. Who only approves sees
// numbers, and nothing of the ledger.
import { z } from "@hono/zod-openapi"
import { lastAlarms, lastHours, lastRefusals, lastStanding, standing } from "../../audit/activity.ts"
import type { RefusalRow } from "../../audit/activity-statements.ts"
import { ALARMS, countAlarms, type Standing } from "../../audit/alarm.ts"
import { rollupPlaces } from "../../audit/rollup-statements.ts"
import { alarmsPage } from "../../console/alarms-page.ts"
import { overview, type ShownRefusal } from "../../console/overview-page.ts"
import { toInstant } from "../../time.ts"
import type { Endpoint } from "../endpoint.ts"
import { recordReading } from "../reading.ts"
import type { Rooms } from "../rooms.ts"
import { page } from "./route.ts"
import { mayRead, maySeeAll } from "./visitor.ts"

const NEWEST = 6
const ALARMS_OF_A_PAGE = 25

export const overviewPages = (rooms: Rooms): Endpoint[] => [overviewPage(rooms), alarms(rooms)]

const overviewPage = (rooms: Rooms): Endpoint =>
  page(rooms, {
    path: "/console",
    summary: "The overview",
    who: ["auditor", "operator", "approver"],
    async run(_call, visitor) {
      const { engine, ledger } = rooms
      const now = ledger.at()
      const all = maySeeAll(visitor)
      if (all) await recordReading(rooms, visitor.caller, { report: "overview" })
      const [counts, hours, alarms, [place]] = await Promise.all([
        standing(engine, now),
        lastHours(engine, now),
        countAlarms(engine),
        engine.query(rollupPlaces),
      ])
      const stood = await lastStanding(engine, now, {
        tasks: counts.tasks,
        approvals: counts.approvals,
        silent_agents: alarms.get("task_unrenewed") ?? 0,
        silent_verifiers: alarms.get("verifier_silent") ?? 0,
      })
      return overview({
        now,
        stood: {
          tasks: stood.tasks,
          approvals: stood.approvals,
          silentAgents: stood.silent_agents,
          silentVerifiers: stood.silent_verifiers,
        },
        liveTasks: counts.tasks,
        approvalsWaiting: counts.approvals,
        alarms,
        hours,
        behind: place ? place.newest - place.seq : 0,
        ...(all && { newest: await newestOf(rooms, mayRead(visitor)) }),
      })
    },
  })

async function newestOf({ engine }: Rooms, ledger: boolean) {
  const [{ alarms }, refusals] = await Promise.all([
    lastAlarms(engine, { limit: NEWEST }),
    ledger ? lastRefusals(engine, NEWEST) : undefined,
  ])
  return { alarms: alarms.map(shownAlarm), ...(refusals && { refusals: refusals.map(shownRefusal) }) }
}

export const shownAlarm = ({ kind, value, facts, since }: Standing) => ({
  kind,
  value,
  facts: { ...facts },
  since: toInstant(since),
})

const shownRefusal = ({ at, kind, task_id, ...row }: RefusalRow): ShownRefusal => ({
  at: toInstant(at),
  kind,
  task: task_id ?? undefined,
  agent: row.agent ?? undefined,
  instance: row.instance ?? undefined,
  operation: row.operation ?? undefined,
  code: row.code ?? undefined,
})

const AlarmsQuery = z.strictObject({
  alarm: z.enum(ALARMS).optional(),
  before: z
    .string()
    .regex(/^[1-9]\d{0,14}$/)
    .transform(Number)
    .optional(),
})

const alarms = (rooms: Rooms): Endpoint =>
  page(rooms, {
    path: "/console/alarms",
    summary: "The alarms that stand",
    who: ["auditor", "operator"],
    query: AlarmsQuery,
    async run({ query }, visitor) {
      const { alarm: kind, before } = query
      await recordReading(rooms, visitor.caller, {
        report: "silence",
        ...(kind !== undefined && { parameters: { alarm: kind } }),
      })
      const found = await lastAlarms(rooms.engine, { kind, before, limit: ALARMS_OF_A_PAGE })
      return alarmsPage({
        now: rooms.ledger.at(),
        kind,
        counts: await countAlarms(rooms.engine),
        alarms: found.alarms.map(shownAlarm),
        onwards: before !== undefined,
        next: found.next,
      })
    },
  })
