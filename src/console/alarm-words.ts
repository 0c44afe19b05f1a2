// Alarms in words: what each kind is called, what one of them says, and what to do about it. It decides no alarm.
import { html } from "hono/html"
import { ANOMALY_RULES } from "../policy/anomaly-rules.ts"
import { addressOf } from "./parts.ts"
import { agentPath, taskPath } from "./tasks-page.ts"
import { type Content, type Fragment, numberOf, spanOf } from "./values.ts"

export interface ShownAlarm {
  readonly kind: string
  /** A verifier instance, a task id, `agent/instance`, the thumbprint of a key; of what is unusual `type/agent/` and more. */
  readonly value: string
  readonly facts: Readonly<Record<string, unknown>>
  /** RFC 3339. */
  readonly since: string
}

interface Words {
  /** Of all of its kind. */
  readonly title: string
  readonly says: (alarm: ShownAlarm) => Content
  readonly next: string
}

const fact = ({ facts }: ShownAlarm, name: string): string => String(facts[name] ?? "")
const count = ({ facts }: ShownAlarm, name: string): string => numberOf(Number(facts[name] ?? 0))

/** Where an agent, or a task, is told of at length. */
export const agentLink = (agent: string): Fragment => html`<a href="${agentPath(agent)}">${agent}</a>`
export const taskLink = (task: string, text: Content = task): Fragment =>
  html`<a href="${taskPath(task)}">${text}</a>`

const holderOf = (alarm: ShownAlarm): Fragment =>
  html`${agentLink(fact(alarm, "agent"))}/${fact(alarm, "instance")}`
const verifierOf = (alarm: ShownAlarm): Fragment => html`the verifier ${alarm.value} of ${fact(alarm, "api")}`

const WORDS: Readonly<Record<string, Words>> = {
  verifier_silent: {
    title: "Silent verifiers",
    says: (alarm) => html`Nothing is heard of ${verifierOf(alarm)}`,
    next: "Look whether it runs and reaches the issuer; write it off with `taskmint verifier forget` once it is gone for good.",
  },
  verifier_gap: {
    title: "Reports with gaps",
    says: (alarm) => html`${count(alarm, "missing")} batches of ${verifierOf(alarm)} are missing`,
    next: "Bring its spool back, or write the gap off with `taskmint verifier forget`.",
  },
  verifier_drifted: {
    title: "Clocks that are off",
    says: (alarm) =>
      html`The clock of ${verifierOf(alarm)} is off by ${spanOf(Math.abs(Number(alarm.facts.drift ?? 0)))}`,
    next: "Set its host's clock.",
  },
  task_unrenewed: {
    title: "Silent agents",
    says: (alarm) => html`${holderOf(alarm)} lets ${taskLink(alarm.value, "its task")} run out`,
    next: "Look whether the agent still runs; complete or cancel the task where it does not.",
  },
  task_uncollected: {
    title: "Tokens nobody collects",
    says: (alarm) =>
      html`${holderOf(alarm)} has never collected the tokens of ${taskLink(alarm.value, "its task")}`,
    next: "Look whether the agent got the task's id and may authenticate; cancel the task where it does not come.",
  },
  agent_refused: {
    title: "Agents that are only refused",
    says: (alarm) =>
      html`${holderOf(alarm)} gets nothing but refusals at ${
        fact(alarm, "side") === "issuer" ? "the issuer" : "APIs"
      }: ${count(alarm, "refusals")} in a row, the last ${html`<code>${fact(alarm, "last_code")}</code>`}`,
    next: "Its refusals say which rule or which limit stands in its way.",
  },
  key_shared: {
    title: "Shared keys",
    says: (alarm) => {
      const agents = Array.isArray(alarm.facts.agents) ? alarm.facts.agents.map(String) : []
      return html`${agents.map((one, at) => html`${at === 0 ? "" : ", "}${agentLink(one)}`)} hold one key, ${alarm.value}`
    },
    next: "Give each agent a key of its own, and revoke the tasks that are bound to this one.",
  },
}

/** What is unusual says itself what was usual and what happened. */
const unusualWords = (alarm: ShownAlarm): Content => {
  const [agent, task] = [fact(alarm, "agent"), fact(alarm, "task")]
  const who = agent === "" ? "Somebody" : agentLink(agent)
  const where =
    task === "" ? fact(alarm, "type") : html`${taskLink(task, "a task")} of ${fact(alarm, "type")}`
  return html`${who} in ${where}: ${fact(alarm, "happened")}. Usual: ${fact(alarm, "usual")}`
}
const UNUSUAL_NEXT = "Look at what it did; `taskmint revoke` stops a task, an instance or an agent at once."
const UNUSUAL_NEXTS: Readonly<Record<string, string>> = {
  canary_used:
    "Somebody has read the place where it was left: its task's `canary.issued` in the ledger names that. Look at who can, and replace what else lies there.",
}
const UNUSUAL: ReadonlySet<string> = new Set(ANOMALY_RULES)

export const alarmTitle = (kind: string): string =>
  WORDS[kind]?.title ?? (UNUSUAL.has(kind) ? "Anomalies: " : "") + kind.replaceAll("_", " ")

/** Of a kind that has no words here: what it is about. */
export const alarmWords = (alarm: ShownAlarm): Content =>
  WORDS[alarm.kind]?.says(alarm) ?? (UNUSUAL.has(alarm.kind) ? unusualWords(alarm) : alarm.value)

/** What to do about it; empty where nothing is known. */
export const alarmNext = (kind: string): string =>
  WORDS[kind]?.next ?? UNUSUAL_NEXTS[kind] ?? (UNUSUAL.has(kind) ? UNUSUAL_NEXT : "")

export const alarmsAddress = (kind?: string): string => addressOf("/console/alarms", { alarm: kind })
