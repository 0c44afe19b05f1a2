// The page of one task: who, for what and until when, its course drawn to scale, who holds it below whom, what was granted
// against what was used, and what an operator can do. Plain data into HTML.
import { html } from "hono/html"
import type { Course } from "../audit/course.ts"
import type { RuleAccount, Uses } from "../audit/tally.ts"
import type { TaskDelegation, TaskView } from "../task/show.ts"
import { toInstant } from "../time.ts"
import { approvalPath, approvalTag } from "./approval-parts.ts"
import type { Page } from "./page.ts"
import { addressOf, bar, empty, facts, section, table } from "./parts.ts"
import { agentPath, stateTag, taskPath } from "./tasks-page.ts"
import { timeline } from "./timeline.ts"
import { timeLineOf } from "./timeline-lanes.ts"
import { agoOf, type Content, countOf, type Fragment, numberOf, timeOf } from "./values.ts"

export interface TaskShown {
  readonly task: TaskView
  readonly course: Course
  readonly now: number
  /** The reader may pause, resume and revoke. */
  readonly operates: boolean
  /** The reader may look into the ledger. */
  readonly audits: boolean
}

const MOST_DELEGATIONS = 60
const MOST_APPROVALS = 20
const MOST_RULES = 16
const MOST_LINES = 10

export function taskPage(shown: TaskShown): Omit<Page, "reader"> {
  const { task, course, now, operates, audits } = shown
  return {
    title: `${task.type} by ${task.agent.id}`,
    place: "/console/tasks",
    lead: task.purpose ?? "Its purpose was erased.",
    body: html`<div class="columns">${factsPart(shown)}${operates ? actionsPart(task) : ""}</div>
${section("Time line", timeline(timeLineOf(task, course, now)), course.earlier ? html`<p class="note">Of uses and changes the last 50,000 entries are drawn; ${audits ? html`<a href="${ledgerOf(task)}">all are in the ledger</a>` : "all are in the ledger"}.</p>` : "")}
${grantedPart(course)}
${delegationPart(task)}
${approvalPart(task, now)}`,
  }
}

const ledgerOf = ({ taskId }: TaskView): string => addressOf("/console/ledger", { task: taskId })

function factsPart({ task, now, audits }: TaskShown): Fragment {
  const { agent, endedAt } = task
  return section(
    "Who, and until when",
    facts([
      ["State", stateTag(task.state)],
      ["Task", html`<code>${task.taskId}</code>`],
      ["Agent", html`<a href="${agentPath(agent.id)}">${agent.id}</a> (${agent.instance})`],
      ["Started by", task.orchestrator],
      ["On behalf of", task.sub === task.orchestrator ? undefined : task.sub],
      ["Reference", task.reference],
      ["Started", timeOf(toInstant(task.startedAt))],
      endedAt === undefined
        ? ["Deadline", html`${timeOf(toInstant(task.deadline))} (${agoOf(toInstant(task.deadline), now)})`]
        : ["Ended", timeOf(toInstant(endedAt))],
      ["Policy", html`<a href="/console/policy"><code class="hash">${task.policy}</code></a>`],
    ]),
    html`<p class="actions"><a class="button" href="${taskPath(task.taskId)}/statement">Statement</a>
${audits ? html`<a class="button" href="${ledgerOf(task)}">Its entries in the ledger</a>` : ""}</p>`,
  )
}

function actionsPart({ taskId, state, orchestrator }: TaskView): Fragment {
  const isOpen = state === "active" || state === "paused"
  if (!isOpen) return section("Act", empty("The task has ended.", "Nothing is left to pause or to revoke."))
  const path = taskPath(taskId)
  return section(
    "Act",
    html`<form method="post" action="${path}/${state === "active" ? "pause" : "resume"}">
<label>Reason, for the ledger <input name="reason" required maxlength="1000" autocomplete="off"></label>
<div class="actions">${
      state === "active"
        ? html`<button formaction="${path}/pause">Pause</button>`
        : html`<button class="main" formaction="${path}/resume">Resume</button>`
    }
<button class="danger" formaction="${path}/revoke">Revoke</button></div></form>
<p class="note">Pausing ends every live token of the task within seconds. After a resumption ${orchestrator} or the agent fetches fresh ones.
Revoking ends the task for good.</p>`,
  )
}

const sumOf = ({ allowed, observed }: Uses): number => allowed + observed

function grantedPart({ rules, outside }: Course): Fragment {
  if (rules.length === 0)
    return section("Granted, and used", empty("Nothing was granted.", "Each grant of the task appears here."))
  const most = Math.max(
    1,
    ...rules.flatMap((rule) => [...rule.operations, ...rule.resources].map((one) => sumOf(one))),
  )
  const shown = rules.slice(0, MOST_RULES)
  return section(
    "Granted, and used",
    ...shown.map((rule) => rulePart(rule, most)),
    rules.length > shown.length
      ? html`<p class="note">And ${countOf(rules.length - shown.length, "rule")} more, in the statement.</p>`
      : "",
    sumOf(outside) > 0
      ? html`<p class="warn">${countOf(sumOf(outside), "use is", "uses are")} covered by none of these rules.</p>`
      : "",
  )
}

function rulePart(rule: RuleAccount, most: number): Fragment {
  const lines = [
    ...rule.operations.map((one) => ({ label: html`<code>${one.operation}</code>`, uses: one })),
    ...rule.resources.map((one) => ({ label: html`on <code>${one.resource.hmac}</code>`, uses: one })),
  ]
  return html`<h3>${rule.api} <code>${rule.rule}</code>${rule.approval ? html` <span class="tag">each needs a person</span>` : ""}</h3>
${lines.slice(0, MOST_LINES).map(({ label, uses }) => usesBar(label, uses, most))}
${lines.length > MOST_LINES ? html`<p class="note">And ${numberOf(lines.length - MOST_LINES)} more, in the statement.</p>` : ""}`
}

function usesBar(label: Content, uses: Uses, most: number): Fragment {
  const { allowed, observed } = uses
  const shares = [
    { value: allowed, class: "allowed" as const, what: countOf(allowed, "use") },
    ...(observed > 0
      ? [{ value: observed, class: "observed" as const, what: `${numberOf(observed)} only watched` }]
      : []),
  ]
  return bar(label, shares, most, sumOf(uses) === 0 ? "never" : numberOf(sumOf(uses)))
}

function delegationPart(task: TaskView): Fragment | string {
  const { lineage, agent } = task
  if (lineage.length === 0) return ""
  const shown = lineage.slice(0, MOST_DELEGATIONS)
  const below = Map.groupBy(shown, ({ parent }) => parent)
  const branch = (parent: string | undefined): Fragment | string => {
    const children = below.get(parent) ?? []
    return children.length === 0
      ? ""
      : html`<ul>${children.map((child) => html`<li>${delegationLine(child)}${branch(child.id)}</li>`)}</ul>`
  }
  return section(
    "Delegations",
    html`<div class="tree"><strong>${agent.id}</strong> ${agent.instance}, the task's own agent${branch(undefined)}</div>`,
    lineage.length > shown.length
      ? html`<p class="note">And ${numberOf(lineage.length - shown.length)} later ones, in the ledger.</p>`
      : "",
  )
}

const MOST_OPERATIONS = 8

function delegationLine({ agent, startedAt, endedAt, grants }: TaskDelegation): Fragment {
  const operations = [...new Set(grants.flatMap((grant) => grant.operations))]
  const more = operations.length - MOST_OPERATIONS
  return html`<a href="${agentPath(agent.id)}">${agent.id}</a> ${agent.instance} <span class="tag${endedAt === undefined ? " good" : ""}">${endedAt === undefined ? "stands" : "ended"}</span>
<span class="note">${operations.slice(0, MOST_OPERATIONS).map((one) => html`<code>${one}</code> `)}${more > 0 ? `and ${more} more ` : ""}since ${timeOf(toInstant(startedAt))}${
    endedAt === undefined ? "" : html` until ${timeOf(toInstant(endedAt))}`
  }</span>`
}

function approvalPart({ approvals }: TaskView, now: number): Fragment | string {
  if (approvals.length === 0) return ""
  const shown = approvals.slice(-MOST_APPROVALS).reverse()
  return section(
    "Approvals",
    table(
      "What people were asked, the newest first",
      [{ title: "Question" }, { title: "State" }, { title: "Asked" }, { title: "Decided by" }],
      shown.map((one) => [
        html`<a href="${approvalPath(one.approvalId)}">${one.operation}</a> on <code>${one.resource}</code>`,
        approvalTag(one),
        agoOf(toInstant(one.requestedAt), now),
        one.decidedBy ?? "",
      ]),
    ),
    approvals.length > shown.length
      ? html`<p class="note">And ${numberOf(approvals.length - shown.length)} earlier ones, in the ledger.</p>`
      : "",
  )
}
