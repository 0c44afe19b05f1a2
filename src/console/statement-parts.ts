// The lower half of a statement's page: what was refused, who agreed, who held, who reported, and what of the ledger it covers.
// Plain data into escaped HTML, as statement-page.ts.
import { html } from "hono/html"
import { table } from "./parts.ts"
import { type Shown, textOf } from "./statement-text.ts"
import { countOf, type Fragment, numberOf, timeOf } from "./values.ts"

export function refusalsPart({ refusals, further_refusals: further = 0 }: Shown): Fragment {
  if (refusals.length === 0) return html``
  return html`<section>
<h2>Refused</h2>
${table(
  "Refused",
  [
    { title: "By" },
    { title: "Code" },
    { title: "What, or why" },
    { title: "How often", count: true },
    { title: "Last" },
  ],
  refusals.map((one) => [
    one.by === "api" ? `API ${one.api ?? ""}` : "issuer",
    html`<code>${one.code}</code>`,
    html`${one.operation === undefined ? "" : html`<code>${one.operation}</code> `}${one.why ?? ""}`,
    numberOf(one.count),
    timeOf(one.last),
  ]),
)}
${further > 0 ? html`<p class="note">And ${numberOf(further)} more, of other kinds.</p>` : ""}
</section>`
}

export function approvalsPart({ approvals, further_approvals: further = 0 }: Shown): Fragment {
  if (approvals.length === 0) return html``
  return html`<section>
<h2>Approvals</h2>
${table(
  "Approvals",
  [{ title: "Asked for" }, { title: "By" }, { title: "Decision" }, { title: "Tokens", count: true }],
  approvals.map((one) => [
    html`<code>${one.operation}</code>${one.resource === undefined ? "" : html` on <code>${textOf(one.resource)}</code>`}
${one.reason === undefined ? "" : html`<p class="note">${textOf(one.reason)}</p>`}`,
    html`${one.requested_by}<p class="note">${timeOf(one.requested_at)}</p>`,
    decisionOf(one),
    String(one.collected),
  ]),
)}
${further > 0 ? html`<p class="note">And ${numberOf(further)} questions more.</p>` : ""}
</section>`
}

const decisionOf = (one: Shown["approvals"][number]): Fragment =>
  html`${one.decision}${one.by === undefined ? "" : html` by ${one.by}`}${one.as === undefined ? "" : html` <span class="tag">${one.as}</span>`}
${one.decided_at === undefined ? "" : html`<p class="note">${timeOf(one.decided_at)}</p>`}
${one.decision_reason === undefined ? "" : html`<p class="note">${textOf(one.decision_reason)}</p>`}`

export function holdersPart(shown: Shown): Fragment {
  const { holders, renewals, further_holders: others, unsigned_tokens: unsigned = 0 } = shown
  const renewed = renewals.reduce((sum, { count }) => sum + count, 0)
  return html`<section>
<h2>Who held tokens</h2>
${table(
  "Holders",
  [
    { title: "Holder" },
    { title: "Tokens", count: true },
    { title: "Uses", count: true },
    { title: "Refused", count: true },
  ],
  holders.map((one) => [
    html`${one.agent}/${one.instance}${one.lineage.length === 0 ? "" : html` <span class="tag">sub-agent</span><p class="note">${one.lineage.map((id) => html`<code>${id}</code> `)}</p>`}`,
    numberOf(one.tokens),
    numberOf(one.allowed + one.observed),
    numberOf(one.refused),
  ]),
)}
${others ? html`<p class="note">And others, with ${numberOf(others.tokens)} tokens, ${numberOf(others.allowed + others.observed)} uses and ${numberOf(others.refused)} refusals.</p>` : ""}
<p class="note">${countOf(renewed, "token was a renewal", "tokens were renewals")}.${unsigned > 0 ? html` ${numberOf(unsigned)} were authorised and never left the issuer.` : ""}</p>
</section>`
}

const STANDINGS = {
  reporting: "reports",
  past_end: "has reported past the end",
  behind: "has not reported past the end",
  closed: "closed",
} as const

function standingPart({ standing, written_off_at: given }: Shown["verifiers"][number]): Fragment {
  if (given !== undefined) return html`<span class="warn">given up ${timeOf(given)}</span>`
  return standing === "behind"
    ? html`<span class="warn">${STANDINGS[standing]}</span>`
    : html`${STANDINGS[standing]}`
}

type Gap = NonNullable<Shown["gaps"]>[number]

const gapPart = ({ api, verifier, from, to, why, written_off_at: given }: Gap): Fragment =>
  html`<p class="warn">${api}: ${from === to ? html`batch ${numberOf(from)}` : html`batches ${numberOf(from)} to ${numberOf(to)}`} of <code>${verifier}</code>
${why === "missing" ? "missing" : "told otherwise by the batch that follows"}${given === undefined ? "" : html`, given up ${timeOf(given)}`}: uses may be in there that are not told here.</p>`

/** The page shows as many; the signed statement has them all. */
const MOST_GAPS = 50

export function reportersPart({
  verifiers,
  not_recording: missing,
  gaps = [],
  further_gaps: more = 0,
}: Shown): Fragment {
  const beyond = more + Math.max(0, gaps.length - MOST_GAPS)
  return html`<section>
<h2>Who reported</h2>
${verifiers.length === 0 ? html`<p class="note">No verifier instance.</p>` : ""}
${
  verifiers.length === 0
    ? ""
    : table(
        "Reporters",
        [{ title: "API" }, { title: "Verifier instance" }, { title: "Up to" }, { title: "State" }],
        verifiers.map((one) => [
          one.api,
          html`<code>${one.verifier}</code>`,
          html`batch ${numberOf(one.sequence)}, ${timeOf(one.last_report)}`,
          standingPart(one),
        ]),
      )
}
${gaps.slice(0, MOST_GAPS).map(gapPart)}
${beyond > 0 ? html`<p class="warn">And ${numberOf(beyond)} more such gaps.</p>` : ""}
${missing.map(
  (one) =>
    html`<p class="warn">${one.api} ${one.verifiers === 0 ? "records nothing" : "records"}${one.introspected > 0 ? html`, and asked ${numberOf(one.introspected)} times whether a token stands: what it did then is not told here` : ""}.</p>`,
)}
</section>`
}

export function coveredPart({ ledger, previous }: Shown): Fragment {
  return html`<section>
<h2>What it is made of</h2>
<dl>
<dt>Entries</dt><dd>${numberOf(ledger.entries)} of this task, from ${ledger.first} to ${ledger.last}</dd>
<dt>Ledger</dt><dd>up to entry ${ledger.through}, under this checkpoint:<pre>${ledger.checkpoint}</pre></dd>
${previous === undefined ? "" : html`<dt>Before it</dt><dd><code>${previous}</code></dd>`}
</dl>
</section>`
}
