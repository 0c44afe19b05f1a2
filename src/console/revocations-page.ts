// Locks and revocations, and the page of one: what it ended, and which verifier instances have applied it, after how long.
// Plain data into HTML.
import { html } from "hono/html"
import { LOCKS, type Revocation } from "../task/revocation-view.ts"
import { toInstant } from "../time.ts"
import type { Page } from "./page.ts"
import { addressOf, empty, facts, pages, section, table, tag } from "./parts.ts"
import { agentPath, taskPath } from "./tasks-page.ts"
import { agoOf, type Content, countOf, type Fragment, numberOf, spanOf, timeOf } from "./values.ts"

export const REVOCATIONS_PATH = "/console/revocations"

export const revocationPath = (id: string): string => `${REVOCATIONS_PATH}/${id}`

/** What can be ended by the form; a key is revoked where keys are kept. */
export const FORM_KINDS = [
  ["agent", "Agent"],
  ["instance", "Agent instance (agent/instance)"],
  ["orchestrator", "Orchestrator"],
  ["subject", "Person a task runs for"],
  ["api", "API"],
  ["task", "Task (its id)"],
  ["token", "Token (its jti)"],
  ["delegation", "Delegation (its id)"],
] as const

export const FORM_HOURS = [
  ["", "until it is lifted"],
  ["1", "for an hour"],
  ["8", "for 8 hours"],
  ["24", "for a day"],
  ["168", "for a week"],
] as const

export interface RevocationsShown {
  readonly locks: readonly Revocation[]
  readonly page: { readonly revocations: readonly Revocation[]; readonly next: string | null }
  readonly after: string | undefined
  readonly now: number
  /** Set for an operator: what the form begins with, and names to choose from. */
  readonly form?: { readonly kind: string; readonly value: string; readonly names: readonly string[] }
}

export const revocationsPage = (shown: RevocationsShown): Omit<Page, "reader"> => ({
  title: "Revocations",
  place: REVOCATIONS_PATH,
  lead: "What was ended before its time, and names for which nothing is minted.",
  body: html`${section("Locks that stand", locksOf(shown))}
${shown.form ? formPart(shown.form) : ""}
${section("All revocations", listOf(shown))}`,
})

const MOST_LOCKS = 50

function locksOf({ locks, now }: RevocationsShown): Content {
  if (locks.length === 0) return empty("No lock stands.", "Tokens are minted for every name of the policy.")
  const more = locks.length - MOST_LOCKS
  return html`${table(
    "Locks that stand, the newest first",
    [{ title: "Locked" }, { title: "Reason" }, { title: "Set by" }, { title: "Set" }, { title: "Until" }],
    locks
      .slice(0, MOST_LOCKS)
      .map((one) => [
        whatOf(one),
        cut(one.reason ?? ""),
        one.setBy,
        agoOf(toInstant(one.at), now),
        one.until === undefined ? "it is lifted" : agoOf(toInstant(one.until), now),
      ]),
  )}${more > 0 ? html`<p class="note">And ${numberOf(more)} more below.</p>` : ""}`
}

const MOST_TEXT = 160
const cut = (text: string): string => (text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text)

const whatOf = ({ id, kind, value }: Revocation): Fragment =>
  html`<a href="${revocationPath(id)}">${kind} <code>${cut(value)}</code></a>`

function formPart({ kind, value, names }: NonNullable<RevocationsShown["form"]>): Fragment {
  return section(
    "Revoke or lock",
    html`<form method="post" action="${REVOCATIONS_PATH}" class="columns">
<label>What <select name="kind">${FORM_KINDS.map(([one, text]) => html`<option value="${one}"${one === kind ? html` selected` : ""}>${text}</option>`)}</select></label>
<label>Which <input name="value" value="${value}" required maxlength="256" list="names" autocomplete="off" spellcheck="false"></label>
<datalist id="names">${names.map((one) => html`<option value="${one}"></option>`)}</datalist>
<label>A lock stands <select name="hours">${FORM_HOURS.map(([one, text]) => html`<option value="${one}">${text}</option>`)}</select></label>
<label>Reason, for the ledger <input name="reason" required maxlength="1000" autocomplete="off"></label>
<div class="actions"><button class="danger">Revoke</button></div></form>
<p class="note">Live tokens end within seconds. For agents, instances, orchestrators, people and APIs it is a lock too: their tasks
are revoked, and nothing is minted for them while it stands. Lifting it brings no task back.</p>`,
  )
}

function listOf({ page: { revocations, next }, after, now }: RevocationsShown): Content {
  if (revocations.length === 0)
    return empty("Nothing was revoked.", "Revocations appear here with who has applied them.")
  return html`${table(
    "Revocations, the newest first",
    [
      { title: "Revoked" },
      { title: "Lock" },
      { title: "Tokens ended", count: true },
      { title: "Applied by verifiers" },
      { title: "By" },
      { title: "When" },
    ],
    revocations.map((one) => [
      whatOf(one),
      lockTag(one, now),
      numberOf(one.tokensEnded),
      appliedOf(one),
      one.setBy,
      agoOf(toInstant(one.at), now),
    ]),
  )}${pages({
    ...(after !== undefined && { first: REVOCATIONS_PATH }),
    ...(next !== null && { next: addressOf(REVOCATIONS_PATH, { after: next }) }),
  })}`
}

const isStanding = ({ lock, liftedAt, until }: Revocation, now: number): boolean =>
  lock && liftedAt === undefined && (until === undefined || until > now)

function lockTag(one: Revocation, now: number): Content {
  if (!LOCKS.has(one.kind)) return ""
  return isStanding(one, now) ? tag("stands", "warn") : tag("lifted")
}

/** Those that were closed in order apply it before they let anything through again. */
const waitsFor = ({ instances }: Revocation) =>
  instances.filter(({ appliedAt, closed }) => appliedAt === undefined && !closed)

function appliedOf(one: Revocation): Content {
  const { instances, appliedInMilliseconds: span } = one
  if (instances.length === 0) return html`<span class="note">nobody had to</span>`
  const waits = waitsFor(one).length
  const applied = instances.filter(({ appliedAt }) => appliedAt !== undefined).length
  const after = span === undefined ? "" : `, the last after ${delayOf(span)}`
  return waits === 0
    ? html`${tag("all", "good")} <span class="note">${countOf(applied, "instance")}${after}</span>`
    : html`${tag(`${numberOf(waits)} not yet`, "bad")} <span class="note">${numberOf(applied)} have${after}</span>`
}

const delayOf = (milliseconds: number): string =>
  milliseconds < 10_000 ? `${(milliseconds / 1000).toFixed(1)} s` : spanOf(milliseconds)

export interface RevocationShown {
  readonly revocation: Revocation
  readonly now: number
  readonly operates: boolean
}

export function revocationPage({ revocation, now, operates }: RevocationShown): Omit<Page, "reader"> {
  const { id, kind, value, until, liftedAt } = revocation
  return {
    title: `Revoked: ${kind} ${value}`,
    place: REVOCATIONS_PATH,
    lead: revocation.reason ?? "Its reason was erased.",
    body: html`<div class="columns">${section(
      "The order",
      facts([
        ["Revocation", html`<code>${id}</code>`],
        ["Of", subjectOf(revocation)],
        ["Set by", revocation.setBy],
        ["When", timeOf(toInstant(revocation.at))],
        ["Tokens ended", numberOf(revocation.tokensEnded)],
        ["Ends tokens issued up to", timeOf(toInstant(revocation.before * 1000))],
        ["Lock", LOCKS.has(kind) ? lockTag(revocation, now) : undefined],
        ["Stands until", until === undefined ? undefined : timeOf(toInstant(until))],
        ["Lifted", liftedAt === undefined ? undefined : timeOf(toInstant(liftedAt))],
      ]),
    )}${
      operates && isStanding(revocation, now)
        ? section(
            "Act",
            html`<form method="post" action="${revocationPath(id)}/lift"><button class="main">Lift the lock</button></form>
<p class="note">Tokens are minted for ${value} again, where no other lock on it stands. Tasks that were revoked stay revoked.</p>`,
          )
        : ""
    }</div>
${section("Verifier instances", instancesOf(revocation, now))}`,
  }
}

/** Where what was revoked has a page of its own. */
function subjectOf({ kind, value }: Revocation): Content | undefined {
  if (kind === "task") return html`<a href="${taskPath(value)}">the task</a>`
  if (kind === "agent" || kind === "instance")
    return html`<a href="${agentPath(value.split("/")[0] ?? value)}">the agent</a>`
  return undefined
}

const MOST_INSTANCES = 100

function instancesOf(revocation: Revocation, now: number): Content {
  const { instances, at } = revocation
  if (instances.length === 0)
    return empty("Nobody had to apply it.", "No API had a live token that it ended, or none reports here.")
  const waits = new Set(waitsFor(revocation))
  const sorted = [...waits, ...instances.filter((one) => !waits.has(one))]
  return html`${table(
    "Verifier instances of the APIs concerned, those that have not applied it first",
    [{ title: "Instance" }, { title: "API" }, { title: "Applied" }, { title: "Last heard" }],
    sorted
      .slice(0, MOST_INSTANCES)
      .map(({ instance, api, appliedAt, closed, lastSeen }) => [
        html`<code>${instance}</code>`,
        api,
        appliedAt !== undefined
          ? html`${tag(`after ${delayOf(appliedAt - at)}`, "good")}`
          : closed
            ? html`${tag("closed")} <span class="note">applies it before it lets anything through</span>`
            : tag("not yet", "bad"),
        agoOf(toInstant(lastSeen), now),
      ]),
  )}${instances.length > MOST_INSTANCES ? html`<p class="note">And ${numberOf(instances.length - MOST_INSTANCES)} more.</p>` : ""}`
}
