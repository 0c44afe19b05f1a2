// The search of the ledger, whose address is the question, so that whoever gets it sees the same; and the page of one entry
// with its place in the tree. Plain data into HTML; entries are told as they stand, whatever is in them.
import { html } from "hono/html"
import type { Entry } from "../ledger/entry.ts"
import { KINDS } from "../ledger/event.ts"
import type { BackPage } from "../ledger/search-back.ts"
import { showHidden } from "../policy/quote.ts"
import type { Page } from "./page.ts"
import { addressOf, empty, type Field, pages, searchForm, section, type Tone, table, tag } from "./parts.ts"
import { agentPath, namesField, taskPath } from "./tasks-page.ts"
import { type Content, type Fragment, numberOf, timeOf } from "./values.ts"

export const LEDGER_PATH = "/console/ledger"

export const entryPath = (seq: number): string => `${LEDGER_PATH}/${seq}`

/** As they stand in the address; those that were not given are absent. */
export type LedgerAsked = Readonly<Record<string, string | undefined>>

export interface LedgerShown {
  readonly asked: LedgerAsked
  readonly below: number | undefined
  readonly found: BackPage
  readonly names: { readonly agents: readonly string[]; readonly operations: readonly string[] }
}

/** Fields that are shown even while they are empty; another one when it was asked for. */
const FIELDS: readonly (readonly [name: string, label: string, hint: string])[] = [
  ["task", "Task", "task_…"],
  ["resource", "Resource begins with", "tickets/SUP-1042"],
  ["code", "Code", "operation_not_granted"],
]
const MORE: readonly (readonly [name: string, label: string])[] = [
  ["jti", "Token"],
  ["reference", "Reference"],
  ["instance", "Instance"],
  ["orchestrator", "Started by"],
  ["sub", "On behalf of"],
  ["api", "API"],
]

export function ledgerPage(shown: LedgerShown): Omit<Page, "reader"> {
  const { asked, names } = shown
  const text = ([name, label, hint]: (typeof FIELDS)[number]): Field => ({
    name,
    label,
    hint,
    value: asked[name] ?? "",
  })
  const time = (name: string, label: string): Field => ({
    name,
    label,
    type: "datetime-local",
    value: (asked[name] ?? "").replace(/(\.\d+)?Z$/, ""),
  })
  const choice = (name: string, label: string, from: readonly string[]): Field => ({
    name,
    label,
    value: asked[name] ?? "",
    choices: [["", "any"], ...from.map((one) => [one, one] as const)],
  })
  return {
    title: "Ledger",
    place: LEDGER_PATH,
    lead: "What happened, the newest first. Each search is itself an entry.",
    body: html`${searchForm(LEDGER_PATH, [
      choice("kind", "Kind", KINDS),
      namesField("agent", "Agent", names.agents, asked.agent),
      namesField("operation", "Operation", names.operations, asked.operation),
      choice("outcome", "Outcome", ["allowed", "refused"]),
      ...FIELDS.map(text),
      time("from", "From (UTC)"),
      time("to", "Before (UTC)"),
      ...MORE.filter(([name]) => asked[name] !== undefined).map(([name, label]) => text([name, label, ""])),
    ])}${section("Entries found", listOf(shown))}`,
  }
}

function listOf({ asked, below, found }: LedgerShown): Content {
  const { entries, next, further } = found
  const led = pages({
    ...(below !== undefined && { first: addressOf(LEDGER_PATH, asked) }),
    ...(next !== null && { next: addressOf(LEDGER_PATH, { ...asked, below: next }) }),
  })
  if (entries.length === 0 && !further)
    return html`${empty("No entry is like that.", html`<a href="${LEDGER_PATH}">Show the newest</a>`)}${led}`
  const looked =
    further && next !== null
      ? html`<p class="note" role="status">${entries.length === 0 ? "None was found" : "These were found"} down to place ${numberOf(next)}; older entries are on the next page.</p>`
      : ""
  return html`${entries.length === 0 ? "" : tableOf(entries)}${looked}${led}`
}

const MOST_TEXT = 120
/** What hides, or reorders what is read, stands as an escape. */
const cut = (text: string): string =>
  showHidden(text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text)

/** Personal values that were erased leave a commitment. */
export const personalOf = (value: Entry["sub"]): Content | undefined =>
  value === undefined
    ? undefined
    : typeof value === "string"
      ? cut(value)
      : html`<span class="note">erased</span>`

const TONES: Readonly<Record<string, Tone>> = { allowed: "good", refused: "bad" }

const outcomeOf = ({ outcome, code }: Entry): Content =>
  html`${outcome === undefined ? "" : tag(outcome, TONES[outcome])}${code === undefined ? "" : html` <code>${code}</code>`}`

const tableOf = (entries: readonly Entry[]): Fragment =>
  table(
    "Entries, the newest first",
    [
      { title: "Place" },
      { title: "Time" },
      { title: "Kind" },
      { title: "Who" },
      { title: "What" },
      { title: "Outcome" },
    ],
    entries.map((entry) => [
      html`<a href="${entryPath(entry.seq)}">${String(entry.seq)}</a>`,
      timeOf(entry.at),
      html`<code>${entry.kind}</code>`,
      whoOf(entry),
      whatOf(entry),
      outcomeOf(entry),
    ]),
  )

function whoOf({ agent, instance, orchestrator, body }: Entry): Content {
  if (agent !== undefined)
    return html`<a href="${agentPath(agent)}">${agent}</a>${instance === undefined ? "" : html`<span class="note">${instance}</span>`}`
  const [named] = [body?.client, body?.by].filter((name) => typeof name === "string")
  return together(orchestrator ?? cut(named ?? ""))
}

const MOST_TOGETHER = 24
/** A short name stays in one line. */
const together = (name: string): Content =>
  name.length === 0 || name.length > MOST_TOGETHER ? name : html`<span class="word">${name}</span>`

/** What an entry is about where no member that filters know says so; entries of the ledger are no report. */
function aboutOf({ kind, body }: Entry): Content {
  if (kind === "access.read") return cut(typeof body?.report === "string" ? body.report : "entries")
  if (kind.startsWith("client.")) return typeof body?.by === "string" ? cut(body.by) : ""
  const [id] = [body?.kid, body?.vkey, body?.digest].filter((one) => typeof one === "string")
  return id === undefined ? "" : html`<code class="hash">${cut(id)}</code>`
}

function whatOf(entry: Entry): Content {
  const { operation, api, resource, task_id: task } = entry
  const on = personalOf(resource)
  const done = operation ?? api ?? aboutOf(entry)
  return html`${done}${on === undefined ? "" : html` on ${on}`}${task === undefined ? "" : html`<span class="note"><a href="${taskPath(task)}">its task</a></span>`}`
}
