// The approvals' inbox, those that were decided, and the page of one. Plain data into HTML: what is asked stands before the
// buttons that answer it, and nobody says yes to what was not shown whole.
import { html } from "hono/html"
import type { Approval, ApprovalPage } from "../task/approval-view.ts"
import { toInstant } from "../time.ts"
import { APPROVALS_PATH, approvalPath, approvalTag } from "./approval-parts.ts"
import type { Page } from "./page.ts"
import { addressOf, empty, facts, pages, section, table } from "./parts.ts"
import { agentPath, taskPath } from "./tasks-page.ts"
import { agoOf, type Content, type Fragment, timeOf } from "./values.ts"

/** Why a reader can't decide; undefined: they can. */
export type Hindrance =
  | { readonly why: "role" | "not_named" | "own" }
  | { readonly why: "sign_in_again"; readonly signIn: string }

export interface Question {
  readonly approval: Approval
  readonly hindrance: Hindrance | undefined
}

export interface InboxShown {
  readonly shows: "waiting" | "decided"
  readonly questions: readonly Question[]
  readonly after: string | undefined
  readonly next: ApprovalPage["next"]
  readonly now: number
}

export function inboxPage({ shows, questions, after, next, now }: InboxShown): Omit<Page, "reader"> {
  const tab = (one: InboxShown["shows"], text: string) =>
    html`<li><a href="${addressOf(APPROVALS_PATH, { shows: one })}"${one === shows ? html` aria-current="true"` : ""}>${text}</a></li>`
  const none =
    shows === "waiting"
      ? empty("Nobody waits for an answer.", "What agents ask for appears here while it can be answered.")
      : empty("Nothing was decided yet.", "What was granted, denied or left to expire appears here.")
  return {
    title: "Approvals",
    place: APPROVALS_PATH,
    lead: "What agents may do only once a person agrees.",
    body: html`<ul class="tabs">${tab("waiting", "Waiting")}${tab("decided", "Decided")}</ul>
${
  questions.length === 0
    ? section(shows === "waiting" ? "Waiting" : "Decided", none)
    : shows === "waiting"
      ? questions.map((one) => cardOf(one, now))
      : section("Decided", decidedTable(questions, now))
}
${pages({
  ...(after !== undefined && { first: addressOf(APPROVALS_PATH, { shows }) }),
  ...(next !== null && { next: addressOf(APPROVALS_PATH, { shows, after: next }) }),
})}`,
  }
}

const MOST_REASON = 350
const MOST_PURPOSE = 150
const MOST_PARAMETERS = 300
const MOST_RESOURCE = 150

/** In the inbox texts of agents are cut. */
const cut = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most)}…` : text)

function cardOf({ approval, hindrance }: Question, now: number): Fragment {
  const { approvalId: id, operation, resource, reason = "", parameters = "", purpose = "" } = approval
  const decides = hindrance === undefined || hindrance.why === "sign_in_again"
  const whole =
    reason.length <= MOST_REASON && parameters.length <= MOST_PARAMETERS && resource.length <= MOST_RESOURCE
  return html`<section aria-label="${operation}"><h2><a href="${approvalPath(id)}">${operation}</a> on <code>${cut(resource, MOST_RESOURCE)}</code></h2>
${facts([
  ["Reason", reason === "" ? undefined : cut(reason, MOST_REASON)],
  ["Parameters", parameters === "" ? "none" : html`<code>${cut(parameters, MOST_PARAMETERS)}</code>`],
  ["Asked by", askedBy(approval, now)],
  ["Task", html`<a href="${taskPath(approval.taskId)}">${approval.type}</a> ${cut(purpose, MOST_PURPOSE)}`],
  ["Waits until", untilOf(approval, now)],
])}
${whole ? answerPart(approval, hindrance) : html`<p class="actions"><a class="button" href="${approvalPath(id)}">Read it whole${decides ? " and decide" : ""}</a></p>`}</section>`
}

const untilOf = ({ expiresAt }: Approval, now: number): Fragment =>
  html`${timeOf(toInstant(expiresAt))} (${agoOf(toInstant(expiresAt), now)})`

const askedBy = ({ agent, requestedBy, requestedAt, sub }: Approval, now: number): Fragment =>
  html`${requestedBy}, for <a href="${agentPath(agent.id)}">${agent.id}</a> (${agent.instance})${sub === requestedBy ? "" : html`, on behalf of ${sub}`}, ${agoOf(toInstant(requestedAt), now)}`

function answerPart({ approvalId, by }: Approval, hindrance: Hindrance | undefined): Fragment {
  if (hindrance) return html`<p class="note">${hindranceOf(hindrance, by)}</p>`
  return html`<form method="post" action="${approvalPath(approvalId)}/decide">
<label>Reason, for the ledger (may be left out) <input name="reason" maxlength="1000" autocomplete="off"></label>
<div class="actions"><button class="main" name="decision" value="grant">Approve</button>
<button class="danger" name="decision" value="deny">Deny</button></div></form>`
}

function hindranceOf(hindrance: Hindrance, by: readonly string[]): Content {
  const others = by.join(" or ")
  switch (hindrance.why) {
    case "role":
      return `You may read this and not decide it: a person of ${others} does. Ask one of them.`
    case "not_named":
      return `The policy lets ${others} decide this. Ask one of them.`
    case "own":
      return `You asked this, or the task runs for you: somebody else of ${others} has to decide. Ask one of them.`
    case "sign_in_again":
      return html`Deciding needs a sign-in of the last 15 minutes. <a href="${hindrance.signIn}">Sign in again</a>, then come back to this page.`
  }
}

const decidedTable = (questions: readonly Question[], now: number): Fragment =>
  table(
    "Approvals that wait for nobody any more, the newest first",
    [
      { title: "Question" },
      { title: "State" },
      { title: "Decided by" },
      { title: "Task" },
      { title: "Asked" },
    ],
    questions.map(({ approval }) => [
      html`<a href="${approvalPath(approval.approvalId)}">${approval.operation}</a><span class="note"><code>${cut(approval.resource, MOST_RESOURCE)}</code></span>`,
      approvalTag(approval),
      approval.decidedBy ?? "nobody",
      html`<a href="${taskPath(approval.taskId)}">${approval.type}</a><span class="note">${approval.agent.id}</span>`,
      agoOf(toInstant(approval.requestedAt), now),
    ]),
  )

export interface ApprovalShown extends Question {
  readonly now: number
  /** The reader decided, and somebody else had before. */
  readonly late: boolean
}

export function approvalPage({ approval, hindrance, now, late }: ApprovalShown): Omit<Page, "reader"> {
  const { operation, resource, state, reason, parameters, purpose, decidedBy, decidedAt } = approval
  const when = decidedAt === undefined ? "" : timeOf(toInstant(decidedAt))
  return {
    title: `${operation}: may it?`,
    place: APPROVALS_PATH,
    lead: html`<code>${resource}</code>`,
    body: html`${
      late
        ? html`<p class="banner warn" role="status">Somebody was first: it was ${decidedBy === undefined ? `over, ${state},` : html`decided by ${decidedBy} at ${when}`} before you answered. Your answer changed nothing.</p>`
        : ""
    }<div class="columns">${section(
      "What is asked",
      facts([
        ["State", approvalTag(approval)],
        ["Decided by", decidedBy],
        ["Decided", decidedAt === undefined ? undefined : when],
        ["Reason", reason ?? "erased"],
        ["Asked by", askedBy(approval, now)],
        ["Task", html`<a href="${taskPath(approval.taskId)}">${approval.type}</a>`],
        ["Its purpose", purpose ?? "erased"],
        ["API", approval.api],
        ["Approval", html`<code>${approval.approvalId}</code>`],
        ["May decide", approval.by.join(", ")],
        endOf(approval, now),
      ]),
    )}${section(
      "Parameters",
      parameters === undefined
        ? empty("None.", "The agent may do it without any.")
        : html`<pre tabindex="0">${pretty(parameters)}</pre><p class="note">Only exactly these will pass.</p>`,
    )}</div>
${state === "requested" ? section("Your answer", answerPart(approval, hindrance)) : html`<p><a href="${APPROVALS_PATH}">To what waits</a></p>`}`,
  }
}

/** What was asked or granted is over with its task and with its delegation, too, however long it would have been good. */
function endOf(
  approval: Approval,
  now: number,
): readonly [name: string, value: Fragment | string | undefined] {
  const { state, expiresAt } = approval
  if (state === "requested") return ["Waits until", untilOf(approval, now)]
  if (state === "denied") return ["Good until", undefined]
  if (state !== "expired") return ["Good until", untilOf(approval, now)]
  return ["Over", expiresAt > now ? "since its task, or its delegation, ended" : untilOf(approval, now)]
}

const pretty = (json: string): string => JSON.stringify(JSON.parse(json), undefined, 2)
