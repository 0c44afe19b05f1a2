// The policy in force: since when and by whom, who may do what by it, and those before it. Plain data into HTML; whose right
// it is, the policy room says.
import { html } from "hono/html"
import type { AccessLine } from "../policy/access-table.ts"
import type { PolicyState } from "../policy/in-force.ts"
import type { Staff } from "../policy/policy.ts"
import { toInstant } from "../time.ts"
import { LEDGER_PATH } from "./ledger-page.ts"
import type { Page } from "./page.ts"
import { addressOf, empty, facts, pages, searchForm, section, table, tag } from "./parts.ts"
import { agentPath, namesField } from "./tasks-page.ts"
import { agoOf, breaking, type Content, type Fragment, numberOf, timeOf } from "./values.ts"

export const POLICY_PATH = "/console/policy"

export interface PolicyShown {
  readonly state: PolicyState
  /** Who put it in force; undefined: the issuer found the files by itself. */
  readonly by: string | undefined
  readonly counts: { readonly files: number; readonly types: number; readonly agents: number }
  readonly asked: { readonly agent?: string | undefined; readonly type?: string | undefined }
  readonly names: { readonly agents: readonly string[]; readonly types: readonly string[] }
  readonly lines: readonly AccessLine[]
  /** Of how many lines, and from which. */
  readonly all: number
  readonly from: number
  readonly staff: readonly Staff[]
  readonly earlier: readonly { readonly digest: string; readonly loadedAt: number }[]
  /** The reader may look into the ledger. */
  readonly audits: boolean
  readonly now: number
}

export const policyPage = (shown: PolicyShown): Omit<Page, "reader"> => ({
  title: "Policy",
  place: POLICY_PATH,
  lead: "Which rules decide, and who may do what by them.",
  body: html`${refusedPart(shown)}${inForcePart(shown)}
${section("Who may do what", accessPart(shown))}
${section("Who watches, approves and operates", staffPart(shown.staff))}
${section("Earlier policies", earlierPart(shown))}`,
})

const MOST_FAULTS = 5

function refusedPart({ state: { refused } }: PolicyShown): Content {
  if (!refused) return ""
  const { reason, faults } = refused
  if (reason === "superseded")
    return html`<div class="banner warn" role="status">The files in the folder were in force before, and another policy took their place.
They don't come back by themselves: <code>taskmint policy use</code> brings one back.</div>`
  return html`<div class="banner bad" role="status"><p>The files in the folder are not valid. The policy below stays in force until they are.</p>
<ul>${faults
    .slice(0, MOST_FAULTS)
    .map(
      ({ place: { file, line, column }, message }) =>
        html`<li><code>${file}:${line}:${column}</code> ${message}</li>`,
    )}</ul>
${faults.length > MOST_FAULTS ? html`<p>And ${numberOf(faults.length - MOST_FAULTS)} more: <code>taskmint policy check</code> tells them all.</p>` : ""}</div>`
}

const inForcePart = ({ state: { digest, since }, by, counts, now }: PolicyShown): Fragment =>
  section(
    "In force",
    facts([
      ["Digest", html`<code class="hash">${digest}</code>`],
      ["Since", html`${timeOf(toInstant(since))} (${agoOf(toInstant(since), now)})`],
      ["By", by ?? "the issuer, which found the files in its folder"],
      [
        "Of",
        `${numberOf(counts.files)} files: ${numberOf(counts.types)} task types, ${numberOf(counts.agents)} agents`,
      ],
    ]),
  )

function accessPart({ asked, names, lines, all, from }: PolicyShown): Content {
  const form = searchForm(POLICY_PATH, [
    namesField("agent", "Agent", names.agents, asked.agent),
    namesField("type", "Task type", names.types, asked.type),
  ])
  if (lines.length === 0)
    return html`${form}${empty("The policy lets no agent do that.", html`<a href="${POLICY_PATH}">Show all</a>`)}`
  const next = from + lines.length
  return html`${form}${table(
    "Who may do what, by agent and task type",
    [
      { title: "Agent" },
      { title: "Task type" },
      { title: "May" },
      { title: "Once a person agrees" },
      { title: "On" },
      { title: "Started by" },
    ],
    lines.map((line) => [
      html`<a href="${agentPath(line.agent)}">${line.agent}</a>`,
      html`${line.type}${line.conditional ? html` ${tag("under a condition")}` : ""}`,
      codesOf(line.operations),
      approvedOf(line),
      codesOf(line.resources),
      html`${some(line.orchestrators)}${line.users.length === 0 ? "" : html`<span class="note">for ${some(line.users)}</span>`}`,
    ]),
  )}${pages({
    ...(from > 0 && { first: addressOf(POLICY_PATH, asked) }),
    ...(next < all && { next: addressOf(POLICY_PATH, { ...asked, from: next }) }),
  })}`
}

const MOST_NAMES = 6

const some = (names: readonly string[]): string =>
  names.length > MOST_NAMES
    ? `${names.slice(0, MOST_NAMES).join(", ")} and ${numberOf(names.length - MOST_NAMES)} more`
    : names.join(", ")

const codesOf = (names: readonly string[]): Content =>
  names.length === 0
    ? html`<span class="note">nothing</span>`
    : html`${names.slice(0, MOST_NAMES).map((one) => html`<code>${breaking(one)}</code><br>`)}${
        names.length > MOST_NAMES ? `and ${numberOf(names.length - MOST_NAMES)} more` : ""
      }`

const approvedOf = ({ approved }: AccessLine): Content =>
  html`${approved
    .slice(0, MOST_NAMES)
    .map(({ operation, by }) => html`<code>${operation}</code><span class="note">of ${some(by)}</span>`)}${
    approved.length > MOST_NAMES ? `and ${numberOf(approved.length - MOST_NAMES)} more` : ""
  }`

const MOST_STAFF = 40

function staffPart(staff: readonly Staff[]): Content {
  if (staff.length === 0) return empty("Nobody.", "Name people under staff in the policy.")
  return html`${table(
    "Staff",
    [{ title: "Name" }, { title: "Roles" }, { title: "Shows who it is by" }],
    staff
      .slice(0, MOST_STAFF)
      .map((one) => [
        html`${one.name}${one.enabled ? "" : html` ${tag("disabled")}`}`,
        one.roles.join(", "),
        waysOf(one),
      ]),
  )}${staff.length > MOST_STAFF ? html`<p class="note">And ${numberOf(staff.length - MOST_STAFF)} more.</p>` : ""}`
}

function waysOf({ authenticate, workloads, openid }: Staff): string {
  const ways = [
    ...(authenticate.length > 0 ? ["a key"] : []),
    ...(workloads.length > 0 ? ["a workload"] : []),
    ...openid.map(({ provider }) => `signing in at ${provider}`),
  ]
  return ways.length === 0 ? "nothing: nobody can be it yet" : [...new Set(ways)].join(", ")
}

function earlierPart({ earlier, audits, now }: PolicyShown): Content {
  const used = audits
    ? html`<p class="note"><a href="${addressOf(LEDGER_PATH, { kind: "policy.used" })}">Those that were brought back, and by whom</a></p>`
    : ""
  if (earlier.length === 0) return empty("None.", "Each policy that was in force stays here with its digest.")
  return html`${table(
    "Policies that were loaded before, the newest first",
    [{ title: "Digest" }, { title: "Loaded" }, { title: "By whom" }],
    earlier.map(({ digest, loadedAt }) => [
      html`<code class="hash">${digest}</code>`,
      html`${timeOf(toInstant(loadedAt))} <span class="note">${agoOf(toInstant(loadedAt), now)}</span>`,
      audits
        ? html`<a href="${addressOf(LEDGER_PATH, { kind: "policy.loaded", from: toInstant(loadedAt), to: toInstant(loadedAt + 1) })}">its entry</a>`
        : "in the ledger",
    ]),
  )}${used}`
}
