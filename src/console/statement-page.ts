// The page of a closing statement: plain data into HTML that needs no script and loads nothing. Every text of others goes
// through the escaping template; it decides what stands where, and no right.
import { createHash } from "node:crypto"
import { html, raw } from "hono/html"
import { table } from "./parts.ts"
import { approvalsPart, coveredPart, holdersPart, refusalsPart, reportersPart } from "./statement-parts.ts"
import { STATEMENT_STYLE } from "./statement-style.ts"
import { type Shown, textOf } from "./statement-text.ts"
import { countOf, type Fragment, numberOf, timeOf } from "./values.ts"

const digestOfStyle = createHash("sha256").update(STATEMENT_STYLE).digest("base64")

/** Content-Security-Policy of the page: its own sheet by its hash, and nothing else. */
export const STATEMENT_POLICY = `default-src 'none'; style-src 'sha256-${digestOfStyle}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

/** The whole document. */
export function statementPage(shown: Shown): string {
  return String(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policyInPage}">
<title>Closing statement ${shown.task.id}</title>
<style>${raw(STATEMENT_STYLE)}</style>
</head>
<body>
<main>
${headPart(shown)}
${grantedPart(shown)}
${neverPart(shown)}
${usesPart(shown)}
${refusalsPart(shown)}
${approvalsPart(shown)}
${holdersPart(shown)}
${reportersPart(shown)}
${coveredPart(shown)}
</main>
</body>
</html>
`)
}

/** What a page that was saved keeps of it: `frame-ancestors` means nothing there. */
const policyInPage = STATEMENT_POLICY.replace("; frame-ancestors 'none'", "")

const STATES = {
  provisional: "Provisional: more may still be reported",
  final: "Final",
} as const

/** What there is to see, in a line. */
function summaryOf({
  authority,
  outside,
  never_used: never,
  refusals,
  further_refusals: more = 0,
}: Shown): string {
  const used = [...authority, ...(outside ? [outside] : [])].reduce((sum, one) => sum + sumOf(one), 0)
  const refused = refusals.reduce((sum, { count }) => sum + count, more)
  const operations = authority.flatMap((rule) => rule.operations).length
  const unused = never.filter(({ operation }) => operation !== undefined).length
  return `${countOf(used, "use")}, ${numberOf(refused)} refused; ${unused} of ${operations} operations granted were never used`
}

function headPart(shown: Shown): Fragment {
  const { state, number, task, policies } = shown
  return html`<header>
<p class="eyebrow">Closing statement of a task</p>
<h1>${task.type} by ${task.agent}</h1>
${task.purpose === undefined ? "" : html`<p class="purpose">${textOf(task.purpose)}</p>`}
<p><span class="state ${state}">${STATES[state]}</span>${state === "final" ? html` <span class="tag">number ${number}</span>` : ""}</p>
<p>${summaryOf(shown)}</p>
</header>
<section>
<h2>Who, and when</h2>
<dl>
<dt>Task</dt><dd><code>${task.id}</code>, ${task.state}</dd>
<dt>Agent</dt><dd>${task.agent}/${task.instance}</dd>
<dt>Started by</dt><dd>${task.orchestrator}</dd>
${task.sub === undefined ? "" : html`<dt>On behalf of</dt><dd>${textOf(task.sub)}</dd>`}
${task.reference === undefined ? "" : html`<dt>Reference</dt><dd>${textOf(task.reference)}</dd>`}
<dt>From</dt><dd>${timeOf(task.started_at)}</dd>
<dt>To</dt><dd>${task.ended_at === undefined ? html`still open, until ${timeOf(task.deadline)} at most` : timeOf(task.ended_at)}</dd>
<dt>Policy</dt><dd>${policies.map((one) => html`<code class="hash">${one}</code> `)}</dd>
</dl>
${task.erased ? html`<p class="note">Personal values of this task were erased.</p>` : ""}
</section>`
}

type Rule = Shown["authority"][number]
interface Counts {
  readonly allowed: number
  readonly observed: number
}

function grantedPart({ authority, outside }: Shown): Fragment {
  const most = Math.max(1, ...authority.flatMap((rule) => [...rule.operations, ...rule.resources].map(sumOf)))
  return html`<section>
<h2>Granted, and used</h2>
${authority.length === 0 ? html`<p class="note">Nothing was granted.</p>` : ""}
${authority.map((rule) => rulePart(rule, most))}
${outside ? html`<p class="warn">${countOf(sumOf(outside), "use is", "uses are")} covered by none of these rules.</p>` : ""}
</section>`
}

const sumOf = ({ allowed, observed }: Counts): number => allowed + observed

const rulePart = (rule: Rule, most: number): Fragment => html`<div class="rule">
<p><strong>${rule.api}</strong> <code>${rule.rule}</code>${rule.approval ? html` <span class="tag">each needs a person</span>` : ""}</p>
${rule.operations.map((one) => barOf(html`${one.operation}`, one, most))}
${rule.resources.map((one) => barOf(html`on ${textOf(one.resource)}`, one, most))}
${rule.first === undefined || rule.last === undefined ? "" : html`<p class="note">First ${timeOf(rule.first)}, last ${timeOf(rule.last)}</p>`}
</div>`

/** A bar without style attributes, which the page's policy forbids. */
function barOf(label: Fragment, counts: Counts, most: number): Fragment {
  const width = (part: number) => `${Math.round((1000 * part) / most) / 10}%`
  const sum = sumOf(counts)
  return html`<div class="row${sum === 0 ? " never" : ""}"><code>${label}</code>
<svg role="img" aria-label="${countOf(sum, "use")}" preserveAspectRatio="none"><rect class="allowed" height="100%" width="${width(counts.allowed)}"/><rect class="observed" height="100%" x="${width(counts.allowed)}" width="${width(counts.observed)}"/></svg>
<span class="count">${sum === 0 ? "never" : numberOf(sum)}</span></div>`
}

function neverPart({ never_used: never }: Shown): Fragment {
  if (never.length === 0) return html``
  return html`<section>
<h2>Granted, never used</h2>
${table(
  "Granted, never used",
  [{ title: "What" }, { title: "API" }, { title: "Rule" }],
  never.map(({ operation, resource, api, rule }) => [
    html`<code>${operation ?? (resource === undefined ? "" : textOf(resource))}</code>`,
    api,
    html`<code>${rule}</code>`,
  ]),
)}
</section>`
}

/** The page shows as many; the signed statement has them all. */
const MOST_SHOWN = 50

function usesPart({ uses, further_uses: further }: Shown): Fragment {
  const sorted = [...uses].sort((one, other) => sumOf(other) - sumOf(one))
  const rest = sorted.slice(MOST_SHOWN).reduce((sum, one) => sum + sumOf(one), further ? sumOf(further) : 0)
  return html`<section>
<h2>Uses</h2>
${uses.length === 0 ? html`<p class="note">None was reported.</p>` : ""}
${
  uses.length === 0
    ? ""
    : table(
        "Uses",
        [
          { title: "Operation" },
          { title: "Resource" },
          { title: "Uses", count: true },
          { title: "First" },
          { title: "Last" },
        ],
        sorted
          .slice(0, MOST_SHOWN)
          .map((one) => [
            html`<code>${one.operation}</code>`,
            one.resource === undefined
              ? html`<span class="note">erased</span>`
              : html`<code>${textOf(one.resource)}</code>`,
            html`${numberOf(sumOf(one))}${one.observed > 0 ? html` <span class="tag">${numberOf(one.observed)} only watched</span>` : ""}`,
            one.first === undefined ? "" : timeOf(one.first),
            one.last === undefined ? "" : timeOf(one.last),
          ]),
      )
}
${rest > 0 ? html`<p class="note">And ${numberOf(rest)} uses more, of other resources.</p>` : ""}
</section>`
}
