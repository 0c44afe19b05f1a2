// How the installation stands: findings by what they are about, each with what to do, and how old things are. Plain data into a page.
import { html } from "hono/html"
import { agentLink } from "./alarm-words.ts"
import type { Page } from "./page.ts"
import { addressOf, bar, empty, section, table, tag, tiles } from "./parts.ts"
import { agoOf, type Content, type Fragment, numberOf, spanOf, withCode, wordFor } from "./values.ts"

export interface ShownFinding {
  readonly rule: string
  readonly topic: string
  readonly severity: "error" | "warning" | "note"
  readonly agent?: string | undefined
  readonly type?: string | undefined
  /** `support.yaml:22` */
  readonly line?: string | undefined
  readonly message: string
  readonly fix: string
}

export interface ShownAge {
  /** Null: longer ago than every bound. */
  readonly withinSeconds: number | null
  readonly count: number
}

export interface Posture {
  /** Epoch milliseconds. */
  readonly now: number
  /** RFC 3339: as of when. */
  readonly at: string
  /** The gravest first. */
  readonly findings: readonly ShownFinding[]
  readonly tasks: readonly ShownAge[]
  readonly tokens: readonly ShownAge[]
  readonly keys: readonly {
    readonly key: string
    readonly signs: string
    readonly state: string
    readonly createdAt: string
    /** What it waits for, in words. */
    readonly waits?: string | undefined
  }[]
  readonly apis: readonly {
    readonly api: string
    readonly instances: number
    readonly heard: number
    readonly declaring: number
  }[]
}

/** Of each topic: more is in the report. */
const MOST_SHOWN = 15

const TITLES: Readonly<Record<string, string>> = {
  served: "Policy against what is served",
  verifiers: "Verifiers",
  policy: "Policy in force",
  keys: "Keys and rotations",
  privilege: "Privileges",
  names: "Names",
  owners: "Owners",
  approvals: "Approvals",
  tasks: "Tasks",
}

const TONES = { error: "bad", warning: "warn", note: "plain" } as const

export const posturePage = (shown: Posture): Omit<Page, "reader"> => ({
  title: "Posture",
  place: "/console/posture",
  lead: html`Where this installation stands otherwise than it should, and what to do. As of ${agoOf(shown.at, shown.now)}.`,
  body: html`${tiles(
    (["error", "warning", "note"] as const).map((severity) => {
      const count = shown.findings.filter((one) => one.severity === severity).length
      return {
        value: numberOf(count),
        what: wordFor(count, severity),
        tone: count > 0 ? TONES[severity] : "plain",
      }
    }),
  )}${findingsOf(shown.findings)}<div class="columns">${agesOf("Live tasks by age", "tasks", shown.tasks)}${agesOf("Live tokens by age", "tokens", shown.tokens)}</div>
${keysOf(shown)}${apisOf(shown)}`,
})

function findingsOf(findings: readonly ShownFinding[]): Content {
  if (findings.length === 0)
    return section(
      "Findings",
      empty("Nothing was found.", "What should be otherwise appears here within a minute."),
    )
  const topics = new Map<string, ShownFinding[]>()
  for (const one of findings) topics.set(one.topic, [...(topics.get(one.topic) ?? []), one])
  return html`${[...topics].map(([topic, found]) => topicOf(TITLES[topic] ?? topic, found))}`
}

const topicOf = (title: string, found: readonly ShownFinding[]): Fragment =>
  section(
    title,
    table(
      title,
      [{ title: "How grave" }, { title: "Finding, and what to do" }],
      found
        .slice(0, MOST_SHOWN)
        .map((one) => [
          tag(one.severity, TONES[one.severity]),
          html`${one.message}<span class="note">${withCode(one.fix)}</span><span class="note">${whereOf(one)}<code>${one.rule}</code></span>`,
        ]),
    ),
    found.length <= MOST_SHOWN
      ? ""
      : html`<p class="note">And ${numberOf(found.length - MOST_SHOWN)} more: <code>GET /reports/posture</code> tells all.</p>`,
  )

const whereOf = ({ line, agent, type }: ShownFinding): Fragment =>
  html`${line === undefined ? "" : html`<a href="${addressOf("/console/policy", { agent, type })}">${line}</a> · `}${agent === undefined ? "" : html`${agentLink(agent)} · `}`

function agesOf(title: string, what: string, ages: readonly ShownAge[]): Fragment {
  const most = Math.max(0, ...ages.map(({ count }) => count))
  if (most === 0) return section(title, empty(`There are no live ${what}.`))
  return section(
    title,
    ...ages.map(({ withinSeconds, count }, at) => {
      const words = labelOf(withinSeconds, ages[at - 1]?.withinSeconds ?? null)
      return bar(
        words,
        [{ value: count, class: "allowed", what: `${numberOf(count)} ${what}` }],
        most,
        numberOf(count),
      )
    }),
  )
}

function labelOf(within: number | null, before: number | null = null): string {
  const from = before === null ? "" : spanOf(before * 1000)
  if (within === null) return `longer than ${from}`
  return from === "" ? `up to ${spanOf(within * 1000)}` : `${from} to ${spanOf(within * 1000)}`
}

const keysOf = ({ now, keys }: Posture): Fragment =>
  section(
    "Keys by age",
    table(
      "Keys that are not retired",
      [{ title: "Key" }, { title: "Signs" }, { title: "State" }, { title: "Made" }, { title: "Waits for" }],
      keys.map(({ key, signs, state, createdAt, waits = "" }) => [
        html`<code>${key}</code>`,
        signs,
        tag(state, state === "current" ? "good" : "plain"),
        agoOf(createdAt, now),
        waits,
      ]),
    ),
  )

const apisOf = ({ apis }: Posture): Fragment =>
  section(
    "Verifiers by API",
    apis.length === 0
      ? empty("The policy names no API that is enabled.")
      : table(
          "Verifier instances of each API",
          [
            { title: "API" },
            { title: "Instances", count: true },
            { title: "Heard lately", count: true },
            { title: "Say what they serve", count: true },
          ],
          apis
            .slice(0, MOST_APIS)
            .map(({ api, instances, heard, declaring }) => [
              api,
              numberOf(instances),
              heard < instances ? html`<span class="warn">${numberOf(heard)}</span>` : numberOf(heard),
              numberOf(declaring),
            ]),
        ),
  )

const MOST_APIS = 50
