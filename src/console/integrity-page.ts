// The page of integrity: what was signed last and by which key, whether the log goes on, who reports not all or not any more,
// and how a reader checks all of that without believing this page. Plain data into HTML.
import { html } from "hono/html"
import type { NoteVerifier } from "../ledger/checkpoint.ts"
import type { Entry } from "../ledger/entry.ts"
import type { VerifierPage, VerifierSeen } from "../task/verifiers.ts"
import { toInstant } from "../time.ts"
import { entryPath } from "./ledger-page.ts"
import type { Page } from "./page.ts"
import { addressOf, empty, facts, pages, section, type Tone, table, tag } from "./parts.ts"
import { agoOf, type Content, countOf, type Fragment, numberOf, timeOf } from "./values.ts"

export const INTEGRITY_PATH = "/console/integrity"

export interface IntegrityShown {
  readonly issuer: string
  readonly origin: string
  /** Undefined: nothing was signed yet. */
  readonly checkpoint:
    | { readonly size: number; readonly at: number; readonly note: string; readonly root: string }
    | undefined
  /** Entries that no checkpoint holds yet. */
  readonly unsigned: number
  /** The newest first. */
  readonly keys: readonly NoteVerifier[]
  /** JSON; undefined while the log goes on. */
  readonly stopped: string | undefined
  /** Alarms of forks and rollbacks, the newest first. */
  readonly broken: readonly Entry[]
  readonly verifiers: VerifierPage
  readonly shows: "incomplete" | "all"
  readonly before: number | undefined
  readonly now: number
  /** The reader may look into the ledger. */
  readonly audits: boolean
}

export const integrityPage = (shown: IntegrityShown): Omit<Page, "reader"> => ({
  title: "Integrity",
  place: INTEGRITY_PATH,
  lead: "Whether the ledger is whole, as far as this issuer can say of itself, and how you find out yourself.",
  body: html`${stoppedPart(shown)}
<div class="columns">${section("Newest checkpoint", checkpointPart(shown))}${section("Keys of the ledger", keysPart(shown))}</div>
${section("Check it yourself", checkPart(shown))}
${section("Forks and rollbacks", brokenPart(shown))}
${section("Verifiers", verifiersPart(shown))}`,
})

function stoppedPart({ stopped }: IntegrityShown): Fragment {
  if (stopped === undefined)
    return html`<p class="banner good" role="status">The ledger goes on: it continues everything that it signed, as far as this issuer and its verifiers know.</p>`
  return html`<div class="banner bad" role="alert"><p><strong>The ledger was stopped.</strong> It does not continue what was signed of it: an older database was put back, or there are two.
Nothing is minted until the right database is back.</p>
<p>Keep both sides below; then see <code>docs/ledger.md</code>, what to do when the issuer says ledger_broken.</p>
<pre tabindex="0">${JSON.stringify(JSON.parse(stopped), undefined, 2)}</pre></div>`
}

function checkpointPart({ checkpoint, unsigned, origin, now }: IntegrityShown): Content {
  if (!checkpoint)
    return empty("Nothing was signed yet.", "The first checkpoint comes within a second of the first entry.")
  const { size, at, note, root } = checkpoint
  return html`${facts([
    ["Log", origin],
    ["Entries", numberOf(size)],
    ["Signed", html`${timeOf(toInstant(at))} (${agoOf(toInstant(at), now)})`],
    ["Not signed yet", unsigned === 0 ? "none" : countOf(unsigned, "entry", "entries")],
    ["Root", html`<code>${root}</code>`],
  ])}<pre tabindex="0">${note}</pre>`
}

const MOST_KEYS = 10

const keysPart = ({ keys }: IntegrityShown): Content =>
  html`<ul>${keys
    .slice(0, MOST_KEYS)
    .map(
      ({ vkey }, place) =>
        html`<li><code>${vkey}</code>${place === 0 ? html` ${tag("signs now", "good")}` : ""}</li>`,
    )}</ul>
${keys.length > MOST_KEYS ? html`<p class="note">And ${numberOf(keys.length - MOST_KEYS)} earlier ones.</p>` : ""}
<p class="note">Compare the key with the one that you were given when the log began: a page that shows its own key proves only that it agrees with itself.</p>`

/** As docs/auditor.md and docs/ledger.md have them. */
export const commandsFor = (issuer: string): readonly string[] => [
  "taskmint ledger follow --to audit.db --key taskmint.vkey",
  "taskmint ledger verify --database sqlite:audit.db --key taskmint.vkey",
  `taskmint ledger verify --served --issuer ${issuer} --key taskmint.vkey --checkpoint earlier.note`,
]

function checkPart({ issuer }: IntegrityShown): Fragment {
  const [follow, verify, served] = commandsFor(issuer)
  return html`<p>Keep a copy of your own, on a machine of yours. It takes in every entry and checks every checkpoint against your key, and says so when
something was changed, taken out or signed twice:</p>
<pre tabindex="0">export TASKMINT_ISSUER=${issuer} TASKMINT_CLIENT_ID=audit-team TASKMINT_CLIENT_KEY_FILE=audit.private.json
${follow}</pre>
<p>Hash every entry of your copy again, without this issuer or any network:</p>
<pre tabindex="0">${verify}</pre>
<p>Without a copy: read the whole log as it is served, and hold it against a checkpoint that you kept earlier (the text above, in a file):</p>
<pre tabindex="0">${served}</pre>
<p class="note">Exit code 0 is verified, 1 is broken, and says which entry, 3 could not tell.</p>`
}

function brokenPart({ broken, audits }: IntegrityShown): Content {
  if (broken.length === 0)
    return empty(
      "None in the last 50,000 entries.",
      "Each verifier holds the newest checkpoint that it knows, and tells when the ledger does not continue it.",
    )
  return table(
    "Alarms of forks and rollbacks, the newest first",
    [{ title: "When" }, { title: "What" }, { title: "Seen by" }, { title: "Entry" }],
    broken.map(({ seq, at, api, body }) => [
      timeOf(at),
      tag(typeof body?.why === "string" ? body.why : "broken", "bad"),
      html`${api ?? ""}<span class="note">${typeof body?.verifier === "string" ? body.verifier : ""}</span>`,
      audits ? html`<a href="${entryPath(seq)}">${String(seq)}</a>` : String(seq),
    ]),
  )
}

const TONES: Readonly<Record<VerifierSeen["state"], Tone>> = {
  reporting: "good",
  silent: "bad",
  gap: "bad",
  written_off: "plain",
  ended: "plain",
}
const WORDS: Readonly<Record<VerifierSeen["state"], string>> = {
  reporting: "reports",
  silent: "silent",
  gap: "gap",
  written_off: "written off",
  ended: "ended",
}

function verifiersPart({ verifiers: { verifiers, next }, shows, before, now }: IntegrityShown): Content {
  const tab = (one: IntegrityShown["shows"], text: string) =>
    html`<li><a href="${addressOf(INTEGRITY_PATH, { shows: one })}"${one === shows ? html` aria-current="true"` : ""}>${text}</a></li>`
  const tabs = html`<ul class="tabs">${tab("incomplete", "Not whole, or silent")}${tab("all", "All")}</ul>`
  if (verifiers.length === 0)
    return html`${tabs}${
      shows === "all"
        ? empty("No verifier has reported yet.", "An API appears here with its first report.")
        : empty("Every verifier reports, and nothing is missing of what it numbered.")
    }`
  return html`${tabs}${table(
    "Verifier instances, the last to join first",
    [
      { title: "Instance" },
      { title: "API" },
      { title: "State" },
      { title: "Missing reports" },
      { title: "Last report", count: true },
      { title: "Last heard" },
    ],
    verifiers.map((one) => [
      html`<code>${one.instance}</code>`,
      one.api,
      html`${tag(WORDS[one.state], TONES[one.state])}${one.driftedSince === undefined ? "" : html` ${tag("clock off", "warn")}`}`,
      missingOf(one),
      numberOf(one.sequence),
      agoOf(toInstant(one.lastSeen), now),
    ]),
  )}${pages({
    ...(before !== undefined && { first: addressOf(INTEGRITY_PATH, { shows }) }),
    ...(next !== undefined && { next: addressOf(INTEGRITY_PATH, { shows, before: next }) }),
  })}`
}

const MOST_GAPS = 3

/** One that went without its last word, and whose place another took, may have held uses that nobody numbered. */
function missingOf({ missing, state }: VerifierSeen): Content {
  if (missing.length === 0) return state === "gap" ? "its last words" : "none"
  const more = missing.length - MOST_GAPS
  return html`${missing
    .slice(0, MOST_GAPS)
    .map(
      ({ from, to, why, writtenOffAt }) =>
        html`${from === to ? String(from) : `${from} to ${to}`}${why === "chain_differs" ? ", another one" : ""}${writtenOffAt === undefined ? "" : html` ${tag("given up")}`}<br>`,
    )}${more > 0 ? `and ${numberOf(more)} more` : ""}`
}
