// One agent: what it may, what it was given, what it did with it, and its tasks. Plain data into a page.
import { html } from "hono/html"
import { standingOf } from "./agents-page.ts"
import { alarmTitle, alarmWords, type ShownAlarm, taskLink } from "./alarm-words.ts"
import { chart } from "./chart.ts"
import type { Page } from "./page.ts"
import { addressOf, empty, facts, pages, section, table, tag } from "./parts.ts"
import { agentPath, stateTag } from "./tasks-page.ts"
import { agoOf, type Content, type Fragment, numberOf } from "./values.ts"

export interface ShownAgent {
  /** Epoch milliseconds. */
  readonly now: number
  readonly agent: string
  /** Undefined: the policy in force does not name it. */
  readonly owner: string | undefined
  readonly enabled: boolean
  /** Operations beyond which nothing is granted; undefined: whatever its tasks grant. */
  readonly atMost: readonly string[] | undefined
  /** `support.yaml:22` */
  readonly line: string | undefined
  /** Whether the reader may read the ledger. */
  readonly audits: boolean
  readonly liveTasks: number
  /** RFC 3339; undefined: never. */
  readonly lastSeen: string | undefined
  readonly hours: readonly { readonly from: number; readonly uses: number; readonly refusals: number }[]
  /** Of 30 days. */
  readonly operations: readonly {
    readonly operation: string
    readonly granted: number
    readonly used: number
    readonly refused: number
    readonly lastUsed: string | undefined
  }[]
  /** Of its last uses: how many, on how many different resources. */
  readonly spread: readonly {
    readonly operation: string
    readonly uses: number
    readonly resources: number
  }[]
  readonly spreadEntries: number
  readonly alarms: readonly ShownAlarm[]
  readonly reaches: readonly Reach[]
  readonly tasks: readonly AgentTask[]
  readonly onwards: boolean
  readonly next: string | undefined
  readonly delegations: readonly Omit<AgentTask, "state" | "orchestrator">[]
}

export interface Reach {
  readonly task: string
  readonly operations: readonly string[]
  readonly risk: string
  readonly through: readonly string[]
  readonly startedBy: readonly string[]
  readonly approvedBy: readonly string[]
  readonly conditions: readonly string[]
  readonly line: string
}

export interface AgentTask {
  readonly task: string
  readonly type: string
  readonly state: string
  readonly instance: string
  readonly orchestrator: string
  readonly startedAt: string
  readonly endedAt: string | undefined
}

export const agentPage = (shown: ShownAgent): Omit<Page, "reader"> => ({
  title: shown.agent,
  place: "/console/agents",
  lead: html`What it may, what it was given, and what it did with it. ${standingOf(shown)}`,
  body: shown.onwards
    ? tasksOf(shown)
    : html`${section("What it is", factsOf(shown))}${chartsOf(shown)}
<div class="columns">${operationsOf(shown)}${spreadOf(shown)}</div>
${alarmsOf(shown)}${reachOf(shown)}${tasksOf(shown)}${delegationsOf(shown)}`,
})

const ago = (instant: string | undefined, now: number, otherwise = "never"): Content =>
  instant === undefined ? html`<span class="note">${otherwise}</span>` : agoOf(instant, now)

const policyLink = (agent: string, line: string): Fragment =>
  html`<a href="${addressOf("/console/policy", { agent })}">${line}</a>`

const factsOf = ({ now, owner, atMost, line, liveTasks, lastSeen, agent, audits }: ShownAgent): Fragment =>
  facts([
    ["Owner", owner],
    ["In the policy at", line === undefined ? undefined : policyLink(agent, line)],
    ["At most", atMost === undefined ? "whatever its tasks grant" : atMost.join(", ")],
    ["Live tasks", numberOf(liveTasks)],
    ["Last seen", ago(lastSeen, now)],
    [
      "In the ledger",
      audits ? html`<a href="${addressOf("/console/ledger", { agent })}">its entries</a>` : undefined,
    ],
  ])

const SPAN = "24 hours"

const chartsOf = ({ hours, agent, audits }: ShownAgent): Fragment => html`<div class="charts">
${chart({ title: "Uses", what: "uses", span: SPAN, bars: hours.map(({ from, uses }) => ({ from, value: uses })) })}
${chart({
  title: "Refusals",
  what: "refusals",
  span: SPAN,
  class: "refused",
  href: audits ? addressOf("/console/ledger", { agent, outcome: "refused" }) : undefined,
  bars: hours.map(({ from, refusals }) => ({ from, value: refusals })),
})}
</div>`

const operationsOf = ({ now, operations }: ShownAgent): Fragment =>
  section(
    "Granted against used, 30 days",
    operations.length === 0
      ? empty("Nothing was granted to it.", "What its tasks are given appears here within seconds.")
      : table(
          "Operations granted and used",
          [
            { title: "Operation" },
            { title: "Tasks given it", count: true },
            { title: "Used", count: true },
            { title: "Refused", count: true },
            { title: "Last used" },
          ],
          operations.map((one) => [
            html`<code class="word">${one.operation}</code>${one.granted > 0 && one.used === 0 ? html` ${tag("never used", "warn")}` : ""}`,
            numberOf(one.granted),
            numberOf(one.used),
            numberOf(one.refused),
            ago(one.lastUsed, now),
          ]),
        ),
  )

const spreadOf = ({ spread, spreadEntries }: ShownAgent): Fragment =>
  section(
    "How many resources it touches",
    spread.length === 0
      ? empty("It used nothing lately.")
      : html`${table(
          "Resources by operation",
          [
            { title: "Operation" },
            { title: "Uses", count: true },
            { title: "Different resources", count: true },
          ],
          spread.map(({ operation, uses, resources }) => [
            html`<code class="word">${operation}</code>`,
            numberOf(uses),
            numberOf(resources),
          ]),
        )}<p class="note">Among the ${numberOf(spreadEntries)} entries of the ledger up to its last one.</p>`,
  )

const alarmsOf = ({ now, alarms }: ShownAgent): Fragment | "" =>
  alarms.length === 0
    ? ""
    : section(
        "Alarms",
        table(
          "Alarms that stand and name it",
          [{ title: "Since" }, { title: "Alarm" }],
          alarms.map((alarm) => [
            agoOf(alarm.since, now),
            html`${alarmWords(alarm)}<span class="note">${alarmTitle(alarm.kind)}</span>`,
          ]),
        ),
      )

/** Grants of an agent that are shown. */
const MOST_GRANTS = 40

const reachOf = ({ agent, reaches }: ShownAgent): Fragment =>
  section(
    "What it may, and by which line",
    reaches.length === 0
      ? empty(
          "The policy in force gives it nothing.",
          "No enabled task type lists it or lets others delegate to it.",
        )
      : table(
          "Grants of the policy in force that reach it",
          [{ title: "Task type" }, { title: "Operations" }, { title: "Started by" }, { title: "Line" }],
          reaches
            .slice(0, MOST_GRANTS)
            .map((one) => [
              html`${one.task}${one.through.length === 0 ? "" : html`<span class="note">delegated by ${one.through.join(", ")}</span>`}`,
              html`<code>${one.operations.join(" ")}</code> ${one.risk === "low" ? "" : tag(`${one.risk} risk`, one.risk === "high" ? "bad" : "warn")}${
                one.approvedBy.length === 0
                  ? ""
                  : html`<span class="note">once ${one.approvedBy.join(" or ")} agrees</span>`
              }${one.conditions.map((text) => html`<span class="note">only when <code>${text}</code></span>`)}`,
              one.startedBy.join(", "),
              policyLink(agent, one.line),
            ]),
        ),
    reaches.length <= MOST_GRANTS
      ? ""
      : html`<p class="note">And ${numberOf(reaches.length - MOST_GRANTS)} more: <code>taskmint policy inventory</code> lists all.</p>`,
  )

const tasksOf = ({ now, agent, tasks, onwards, next }: ShownAgent): Fragment => {
  const here = agentPath(agent)
  return section(
    "Its tasks",
    tasks.length === 0
      ? empty("No task was ever started for it.")
      : table(
          "Its tasks, the newest first",
          [
            { title: "Started" },
            { title: "Task" },
            { title: "State" },
            { title: "Instance" },
            { title: "By" },
          ],
          tasks.map((one) => [
            agoOf(one.startedAt, now),
            html`${taskLink(one.task, one.type)}`,
            html`${stateTag(one.state)}${one.endedAt === undefined ? "" : html` ${agoOf(one.endedAt, now)}`}`,
            one.instance,
            one.orchestrator,
          ]),
        ),
    pages({
      ...(onwards && { first: here }),
      ...(next !== undefined && { next: addressOf(here, { after: next }) }),
    }),
  )
}

const delegationsOf = ({ now, delegations }: ShownAgent): Fragment | "" =>
  delegations.length === 0
    ? ""
    : section(
        "Delegated to it",
        table(
          "Tasks of others that it was delegated to in, the newest first",
          [{ title: "Since" }, { title: "Task" }, { title: "Instance" }, { title: "Ended" }],
          delegations.map((one) => [
            agoOf(one.startedAt, now),
            taskLink(one.task, one.type),
            one.instance,
            ago(one.endedAt, now, "not yet"),
          ]),
        ),
      )
