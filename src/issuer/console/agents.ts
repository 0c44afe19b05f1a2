// The pages of agents: those of the policy in force and those that still have tasks, and one of them at length. It reads, and
// decides which agents there are; src/console/ shows.
import { z } from "@hono/zod-openapi"
import { activityOf, isKnownAgent, SPREAD_ENTRIES, seenOf } from "../../audit/activity.ts"
import { standingAlarms } from "../../audit/alarm.ts"
import { countTasksByAgent } from "../../audit/living.ts"
import { agentPage, type ShownAgent } from "../../console/agent-page.ts"
import { type AgentLine, agentsPage } from "../../console/agents-page.ts"
import { refuse } from "../../errors.ts"
import { reachOf } from "../../policy/inventory.ts"
import type { Place } from "../../policy/policy.ts"
import { toInstant } from "../../time.ts"
import { isName } from "../../token/name.ts"
import type { Endpoint } from "../endpoint.ts"
import { recordReading } from "../reading.ts"
import type { Rooms } from "../rooms.ts"
import { shownAlarm } from "./overview.ts"
import { page } from "./route.ts"
import { mayRead } from "./visitor.ts"

const AGENTS_OF_A_PAGE = 25
const TASKS_OF_A_PAGE = 25
/** Of which those that name an agent are counted. */
const MOST_ALARMS = 1000

export const agentPages = (rooms: Rooms): Endpoint[] => [list(rooms), show(rooms)]

const AgentsQuery = z.strictObject({ after: z.string().max(63).optional() })

const list = (rooms: Rooms): Endpoint =>
  page(rooms, {
    path: "/console/agents",
    summary: "The agents there are",
    who: ["auditor", "operator"],
    query: AgentsQuery,
    async run({ query: { after = "" } }, visitor) {
      await recordReading(rooms, visitor.caller, { report: "agents" })
      const { engine, ledger, policies } = rooms
      const now = ledger.at()
      const [live, alarms] = await Promise.all([countTasksByAgent(engine), countByAgent(rooms)])
      const { agents } = policies.inForce()
      const names = [...new Set([...agents.keys(), ...live.keys()])].sort()
      const rest = names.filter((name) => name > after)
      const shown = rest.slice(0, AGENTS_OF_A_PAGE)
      const lines = shown.map(async (agent): Promise<AgentLine> => {
        const { last_at, refusals, granted, used } = await seenOf(engine, agent, now)
        const { owner, enabled = false } = agents.get(agent) ?? {}
        return {
          ...{ agent, owner, enabled, granted, used, refusals },
          liveTasks: live.get(agent) ?? 0,
          lastSeen: instantOf(last_at),
          alarms: alarms.get(agent) ?? 0,
        }
      })
      return agentsPage({
        now,
        agents: await Promise.all(lines),
        count: names.length,
        onwards: after !== "",
        next: rest.length > shown.length ? shown.at(-1) : undefined,
      })
    },
  })

const instantOf = (at: number | null): string | undefined => (at === null ? undefined : toInstant(at))

async function countByAgent({ engine }: Rooms): Promise<ReadonlyMap<string, number>> {
  const { alarms } = await standingAlarms(engine, { limit: MOST_ALARMS })
  const counts = new Map<string, number>()
  for (const { facts } of alarms)
    for (const agent of facts.agents ?? (facts.agent === undefined ? [] : [facts.agent]))
      counts.set(agent, (counts.get(agent) ?? 0) + 1)
  return counts
}

const AgentQuery = z.strictObject({
  after: z
    .string()
    .regex(/^task_[0-9a-f-]{36}$/)
    .optional(),
})

const show = (rooms: Rooms): Endpoint =>
  page(rooms, {
    path: "/console/agents/{id}",
    summary: "One agent, and what it does with what it is given",
    who: ["auditor", "operator"],
    query: AgentQuery,
    async run({ query: { after }, parameter }, visitor) {
      const { engine, ledger, policies } = rooms
      const agent = parameter("id")
      const named = policies.inForce().agents.has(agent)
      if (!isName(agent) || !(named || (await isKnownAgent(engine, agent))))
        return refuse("not_found", "[agent] neither the policy nor an entry names it")
      await recordReading(rooms, visitor.caller, { report: "agent", parameters: { agent } })
      const now = ledger.at()
      const done = await activityOf(engine, agent, { now, after, limit: TASKS_OF_A_PAGE })
      return agentPage({
        ...{ now, agent, onwards: after !== undefined, next: done.next },
        ...standingIn(rooms, agent),
        liveTasks: (await countTasksByAgent(engine)).get(agent) ?? 0,
        lastSeen: instantOf(done.seen.last_at),
        hours: done.hours,
        audits: mayRead(visitor),
        operations: done.operations.map((one) => ({ ...one, lastUsed: instantOf(one.last_used) })),
        spread: done.spread,
        spreadEntries: SPREAD_ENTRIES,
        alarms: done.alarms.map(shownAlarm),
        tasks: done.tasks.map((row) => ({ ...row, ...timesOf(row) })),
        delegations: done.delegations.map((row) => ({ ...row, ...timesOf(row) })),
      })
    },
  })

const timesOf = (row: {
  readonly task_id: string
  readonly started_at: number
  readonly ended_at: number | null
}) => ({ task: row.task_id, startedAt: toInstant(row.started_at), endedAt: instantOf(row.ended_at) })

/** What the policy in force says of it. */
function standingIn(
  { policies }: Rooms,
  name: string,
): Pick<ShownAgent, "owner" | "enabled" | "atMost" | "line" | "reaches"> {
  const policy = policies.inForce()
  const agent = policy.agents.get(name)
  return {
    owner: agent?.owner,
    enabled: agent?.enabled ?? false,
    atMost: agent?.atMost && [...agent.atMost],
    line: agent && lineOf(agent.place),
    reaches: (agent ? reachOf(policy, agent) : []).map(({ place, ...reach }) => ({
      ...reach,
      line: lineOf(place),
    })),
  }
}

const lineOf = ({ file, line }: Place): string => `${file}:${line}`
