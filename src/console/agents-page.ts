// The agents there are: plain data into a page, a line for each.
import { html } from "hono/html"
import { agentLink } from "./alarm-words.ts"
import { meter } from "./chart.ts"
import type { Page } from "./page.ts"
import { addressOf, empty, pages, section, table, tag } from "./parts.ts"
import { agoOf, type Content, type Fragment, numberOf } from "./values.ts"

export interface AgentLine {
  readonly agent: string
  /** Undefined: the policy in force does not name it. */
  readonly owner: string | undefined
  readonly enabled: boolean
  readonly liveTasks: number
  /** Operations that it was given, and how many of them it used. */
  readonly granted: number
  readonly used: number
  /** RFC 3339; undefined: never. */
  readonly lastSeen: string | undefined
  readonly refusals: number
  readonly alarms: number
}

export interface Agents {
  /** Epoch milliseconds. */
  readonly now: number
  readonly agents: readonly AgentLine[]
  readonly count: number
  readonly onwards: boolean
  /** The name that the next page begins after. */
  readonly next: string | undefined
}

const COLUMNS = [
  { title: "Agent" },
  { title: "Live tasks", count: true },
  { title: "Operations used, 30 days" },
  { title: "Last seen" },
  { title: "Refusals, 24 hours", count: true },
  { title: "Alarms", count: true },
]

export const agentsPage = ({ now, agents, count, onwards, next }: Agents): Omit<Page, "reader"> => ({
  title: "Agents",
  place: "/console/agents",
  lead: "Those of the policy in force, and those that still have tasks.",
  body: section(
    `Agents, ${numberOf(count)} in all`,
    agents.length === 0
      ? empty("There is no agent.", "Name one under `agents` in a policy file.")
      : table("Agents", COLUMNS, agents.map(lineOf(now))),
    pages({
      ...(onwards && { first: "/console/agents" }),
      ...(next !== undefined && { next: addressOf("/console/agents", { after: next }) }),
    }),
  ),
})

const lineOf =
  (now: number) =>
  (line: AgentLine): Content[] => [
    html`${agentLink(line.agent)} ${standingOf(line)}<span class="note">${line.owner ?? ""}</span>`,
    numberOf(line.liveTasks),
    line.granted === 0
      ? html`<span class="note">nothing granted</span>`
      : meter(line.used, line.granted, "operations"),
    line.lastSeen === undefined ? html`<span class="note">never</span>` : agoOf(line.lastSeen, now),
    toned(line.refusals, "bad"),
    toned(line.alarms, "warn"),
  ]

const toned = (count: number, tone: "bad" | "warn"): Content =>
  count === 0 ? "0" : html`<span class="${tone}">${numberOf(count)}</span>`

/** What is unusual about its standing. */
export const standingOf = ({
  owner,
  enabled,
}: {
  readonly owner: string | undefined
  readonly enabled: boolean
}): Fragment | "" => {
  if (owner === undefined) return tag("not in the policy", "warn")
  return enabled ? "" : tag("disabled", "warn")
}
