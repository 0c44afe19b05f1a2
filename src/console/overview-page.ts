// The overview: plain data into the page that is seen first. Each number leads to where it is told at length, for readers who
// may go there.
import { html } from "hono/html"
import { agentLink, alarmsAddress, alarmTitle, alarmWords, type ShownAlarm, taskLink } from "./alarm-words.ts"
import { chart } from "./chart.ts"
import type { Page } from "./page.ts"
import { empty, section, type Tile, table, tiles } from "./parts.ts"
import { agoOf, type Content, type Fragment, numberOf, wordFor } from "./values.ts"

export interface ShownHour {
  /** Epoch milliseconds at which it began. */
  readonly from: number
  readonly starts: number
  readonly uses: number
  readonly refusals: number
}

export interface ShownRefusal {
  /** RFC 3339. */
  readonly at: string
  /** `use.refused` */
  readonly kind: string
  readonly task?: string | undefined
  readonly agent?: string | undefined
  readonly instance?: string | undefined
  readonly operation?: string | undefined
  readonly code?: string | undefined
}

export interface Overview {
  /** Epoch milliseconds. */
  readonly now: number
  readonly liveTasks: number
  readonly approvalsWaiting: number
  /** By kind, those that stand. */
  readonly alarms: ReadonlyMap<string, number>
  /** Of the last 24, in their order. */
  readonly hours: readonly ShownHour[]
  /** At the end of each of these hours, the last being now. */
  readonly stood: {
    readonly tasks: readonly number[]
    readonly approvals: readonly number[]
    readonly silentAgents: readonly number[]
    readonly silentVerifiers: readonly number[]
  }
  /** Entries that the counts by hour lack so far. */
  readonly behind: number
  /** The newest first. Absent: the reader only approves. */
  readonly newest?: {
    readonly alarms: readonly ShownAlarm[]
    /** Absent: the reader may not read the ledger. */
    readonly refusals?: readonly ShownRefusal[]
  }
}

const SPAN = "24 hours"
const REFUSALS = "/console/ledger?outcome=refused"
/** Less than that is counted within seconds. */
const BEHIND = 5000

export const overview = (shown: Overview): Omit<Page, "reader"> => ({
  title: "Overview",
  place: "/console",
  lead: "What agents are doing, and what needs a person.",
  body: html`${tiles(tilesOf(shown))}${chartsOf(shown)}${shown.newest === undefined ? "" : newestOf(shown.now, shown.newest)}`,
})

function tilesOf({ liveTasks, approvalsWaiting, alarms, newest }: Overview): Tile[] {
  const standing = [...alarms.values()].reduce((sum, count) => sum + count, 0)
  const alarm = (kind: string, what: string): Tile => {
    const count = alarms.get(kind) ?? 0
    return warned(count, wordFor(count, what), alarmsAddress(kind))
  }
  const found: Tile[] = [
    {
      value: numberOf(liveTasks),
      what: wordFor(liveTasks, "live task"),
      href: "/console/tasks?state=active",
    },
    warned(
      approvalsWaiting,
      wordFor(approvalsWaiting, "approval that waits", "approvals that wait"),
      "/console/approvals",
    ),
    alarm("task_unrenewed", "silent agent"),
    alarm("verifier_silent", "silent verifier"),
    warned(standing, wordFor(standing, "alarm that stands", "alarms that stand"), alarmsAddress()),
  ]
  return found.map((tile) => (newest || tile.href === "/console/approvals" ? tile : without(tile)))
}

const warned = (count: number, what: string, href: string): Tile => ({
  value: numberOf(count),
  what,
  href,
  tone: count > 0 ? "warn" : "plain",
})

const without = ({ value, what, tone = "plain" }: Tile): Tile => ({ value, what, tone })

function chartsOf(shown: Overview): Fragment {
  const { hours, behind, newest } = shown
  const bars = (what: "uses" | "refusals" | "starts") =>
    hours.map((hour) => ({ from: hour.from, value: hour[what] }))
  const linked = (href: string) => (newest ? { href } : {})
  const refused = newest?.refusals ? { href: REFUSALS } : {}
  return html`<div class="charts">
${chart({ title: "Uses", what: "uses", span: SPAN, bars: bars("uses"), ...linked("/console/agents") })}
${chart({ title: "Refusals", what: "refusals", span: SPAN, bars: bars("refusals"), class: "refused", ...refused })}
${chart({ title: "Starts", what: "starts", span: SPAN, bars: bars("starts"), ...linked("/console/tasks") })}
</div><div class="charts">
${standingCharts(shown)}
</div>${behind < BEHIND ? "" : html`<p class="note">${numberOf(behind)} entries are not counted yet: the newest hours still grow.</p>`}`
}

function standingCharts({ hours, stood, newest }: Overview): Fragment {
  const of = (
    title: string,
    [one, what]: readonly [string, string],
    levels: readonly number[],
    href: string,
    tone?: "refused",
  ) =>
    chart({
      ...{ title, one, what, span: SPAN, standing: true },
      bars: hours.map(({ from }, at) => ({ from, value: levels[at] ?? 0 })),
      ...(tone && { class: tone }),
      ...(newest || href === "/console/approvals" ? { href } : {}),
    })
  return html`${of("Live tasks", ["live task", "live tasks"], stood.tasks, "/console/tasks?state=active")}
${of("Waiting", ["approval that waits", "approvals that wait"], stood.approvals, "/console/approvals")}
${of("Silent agents", ["silent agent", "silent agents"], stood.silentAgents, alarmsAddress("task_unrenewed"), "refused")}
${of("Silent verifiers", ["silent verifier", "silent verifiers"], stood.silentVerifiers, alarmsAddress("verifier_silent"), "refused")}`
}

const newestOf = (now: number, { alarms, refusals }: NonNullable<Overview["newest"]>): Fragment =>
  html`<div class="columns">
${section(
  "Newest alarms",
  alarms.length === 0
    ? empty(
        "No alarm stands.",
        "What is silent, or reports less than it should, appears here within a minute.",
      )
    : html`${table(
        "Newest alarms that stand",
        [{ title: "Since" }, { title: "Alarm" }],
        alarms.map((alarm) => [
          agoOf(alarm.since, now),
          html`${alarmWords(alarm)}<span class="note">${alarmTitle(alarm.kind)}</span>`,
        ]),
      )}<p><a href="${alarmsAddress()}">All alarms</a></p>`,
)}
${refusals === undefined ? "" : refusalsOf(now, refusals)}
</div>`

const refusalsOf = (now: number, refusals: readonly ShownRefusal[]): Fragment =>
  section(
    "Newest refusals",
    refusals.length === 0
      ? empty("Nothing was refused lately.", "Starts, tokens and uses that are refused appear here.")
      : html`${table(
          "Newest refusals",
          [{ title: "When" }, { title: "What, and why" }],
          refusals.map((refusal) => [agoOf(refusal.at, now), refusalWords(refusal)]),
        )}<p><a href="${REFUSALS}">All refusals</a></p>`,
  )

const REFUSED: Readonly<Record<string, string>> = {
  "task.refused": "a start",
  "token.refused": "a token",
  "use.refused": "a use",
}

function refusalWords({ kind, task, agent, instance, operation, code = "" }: ShownRefusal): Content {
  const what = html`${REFUSED[kind] ?? kind}${operation === undefined ? "" : html` of <code>${operation}</code>`}`
  const who =
    agent === undefined ? "" : html` by ${agentLink(agent)}${instance === undefined ? "" : `/${instance}`}`
  const of = task === undefined ? "" : html` in ${taskLink(task, "its task")}`
  return html`${what}${who}${of}<span class="note"><code>${code}</code></span>`
}
