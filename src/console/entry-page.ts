// The page of one entry: what it tells, its place in the tree, what proves that it is there, and how a reader checks that
// without believing this page. Plain data into HTML.
import { html } from "hono/html"
import type { Entry } from "../ledger/entry.ts"
import type { Json } from "../ledger/event.ts"
import { showHidden } from "../policy/quote.ts"
import { entryPath, LEDGER_PATH, personalOf } from "./ledger-page.ts"
import type { Page } from "./page.ts"
import { addressOf, facts, section, tag } from "./parts.ts"
import { agentPath, taskPath } from "./tasks-page.ts"
import { type Content, type Fragment, numberOf, timeOf } from "./values.ts"

/** That the entry is under a checkpoint. Hashes are base64, as in checkpoints. */
export interface Proved {
  readonly index: number
  readonly size: number
  /** A signed note. */
  readonly checkpoint: string
  readonly path: readonly string[]
}

export interface EntryShown {
  readonly entry: Entry
  /** The bytes that are hashed, as text. */
  readonly hashed: string
  /** base64 */
  readonly leaf: string
  /** `later`: no checkpoint holds it yet; `before`: it is of a log that was left. */
  readonly proof: Proved | "later" | "before"
  readonly newest: number
}

const MOST_VALUE = 2000
/** Longer entries are had as a tile. */
const MOST_HASHED = 12_000

export function entryPage(shown: EntryShown): Omit<Page, "reader"> {
  const { entry, newest } = shown
  const step = (seq: number, text: string) =>
    seq < 1 || seq > newest ? "" : html`<a class="button" href="${entryPath(seq)}">${text}</a>`
  return {
    title: `Entry ${entry.seq}`,
    place: LEDGER_PATH,
    lead: html`<code>${entry.kind}</code> at ${timeOf(entry.at)}`,
    body: html`<p class="actions">${step(entry.seq - 1, "The one before")}${step(entry.seq + 1, "The one after")}</p>
<div class="columns">${section("What it tells", facts(membersOf(entry)))}${section("Its body", bodyOf(entry))}</div>
${section("Its place in the tree", placeOf(shown))}
${section("Check it yourself", checksOf(shown))}`,
  }
}

const membersOf = (entry: Entry): readonly (readonly [string, Content | undefined])[] => {
  const { task_id: task, jti, agent, instance, outcome, code } = entry
  return [
    ["Kind", html`<code>${entry.kind}</code>`],
    ["Time", html`<code>${entry.at}</code>`],
    ["Task", task === undefined ? undefined : html`<a href="${taskPath(task)}"><code>${task}</code></a>`],
    [
      "Token",
      jti === undefined
        ? undefined
        : html`<a href="${addressOf(LEDGER_PATH, { jti })}"><code>${jti}</code></a>`,
    ],
    ["Agent", agent === undefined ? undefined : html`<a href="${agentPath(agent)}">${agent}</a>`],
    ["Instance", instance],
    ["Started by", entry.orchestrator],
    ["On behalf of", personalOf(entry.sub)],
    ["API", entry.api],
    ["Operation", entry.operation],
    ["Resource", personalOf(entry.resource)],
    ["Reference", personalOf(entry.reference)],
    ["Outcome", outcome === undefined ? undefined : tag(outcome, outcome === "allowed" ? "good" : "bad")],
    ["Code", code === undefined ? undefined : html`<code>${code}</code>`],
  ]
}

function bodyOf({ body }: Entry): Content {
  const members = Object.entries(body ?? {})
  if (members.length === 0) return html`<p class="note">It has none.</p>`
  return facts(members.map(([name, value]) => [name, html`<code>${cut(value)}</code>`]))
}

function cut(value: Json): string {
  const text = typeof value === "string" ? value : JSON.stringify(value)
  return showHidden(text.length > MOST_VALUE ? `${text.slice(0, MOST_VALUE)}…` : text)
}

function placeOf({ leaf, proof }: EntryShown): Content {
  const hash = html`<code>${leaf}</code>`
  if (typeof proof === "string")
    return html`${facts([["Hash of the entry", hash]])}<p class="note">${
      proof === "later"
        ? "It is durable, and not under a checkpoint yet: that takes about a second. Load the page again."
        : "It is of a log that was left: the first entry of the log that goes on names what was there."
    }</p>`
  const { index, size, path } = proof
  return html`${facts([
    ["Leaf", html`${numberOf(index)} of ${numberOf(size)} (counted from 0)`],
    ["Hash of the entry", hash],
    [
      "Path to the root",
      path.length === 0
        ? "none: it is the only entry"
        : html`${path.map((one) => html`<code>${one}</code><br>`)}`,
    ],
    ["Checkpoint", html`<pre tabindex="0">${proof.checkpoint}</pre>`],
  ])}`
}

function checksOf({ entry, hashed, proof }: EntryShown): Fragment {
  const whole = hashed.length <= MOST_HASHED
  const bundle = typeof proof === "string" ? undefined : Math.floor(proof.index / 256)
  return html`<p>The hash above is SHA-256 over a zero byte and the entry as it was hashed, in which personal values stand as HMACs.
${
  typeof proof === "string"
    ? ""
    : "Joined with the path, each time SHA-256 over a one byte and both halves (RFC 9162 section 2.1.3.2), it makes the root in the checkpoint, which the ledger's key signed."
}</p>
${whole ? html`<pre tabindex="0">${showHidden(hashed)}</pre>` : html`<p class="note">It is longer than this page: ${bundle === undefined ? "" : html`it is in the bundle <code>/ledger/tile/entries/…</code> of tile ${numberOf(bundle)}.`}</p>`}
<p>Don't believe this page: let your own copy of the ledger and the key that you were given tell.</p>
<pre tabindex="0">taskmint ledger follow --to audit.db --key taskmint.vkey --once
taskmint ledger verify --database sqlite:audit.db --key taskmint.vkey
taskmint ledger query --kind ${entry.kind} --from ${entry.at}</pre>`
}
