// The list of tasks: plain data into a page whose address says what is asked.
import { html } from "hono/html"
import type { TaskPage, TaskSummary } from "../task/show.ts"
import { TASK_STATES } from "../task/states.ts"
import { toInstant } from "../time.ts"
import type { Page } from "./page.ts"
import { addressOf, empty, type Field, pages, searchForm, section, type Tone, table, tag } from "./parts.ts"
import { agoOf, type Content } from "./values.ts"

export interface TasksAsked {
  readonly state?: string | undefined
  readonly type?: string | undefined
  readonly agent?: string | undefined
  readonly orchestrator?: string | undefined
  readonly after?: string | undefined
}

export interface TasksShown {
  readonly asked: TasksAsked
  readonly found: TaskPage
  /** Names of the policy in force, to choose from. */
  readonly names: {
    readonly types: readonly string[]
    readonly agents: readonly string[]
    readonly orchestrators: readonly string[]
  }
  readonly now: number
}

const PATH = "/console/tasks"
const TONES: Readonly<Record<string, Tone>> = {
  active: "good",
  paused: "warn",
  failed: "bad",
  revoked: "bad",
}

export const stateTag = (state: string): Content => tag(state, TONES[state] ?? "plain")
export const taskPath = (id: string): string => `${PATH}/${id}`
export const agentPath = (name: string): string => `/console/agents/${encodeURIComponent(name)}`

export const tasksPage = ({ asked, found, names, now }: TasksShown): Omit<Page, "reader"> => ({
  title: "Tasks",
  place: PATH,
  lead: "What agents were started for, the newest first.",
  body: html`${searchForm(PATH, [
    {
      name: "state",
      label: "State",
      value: asked.state ?? "",
      choices: [["", "any"], ...TASK_STATES.map((one) => [one, one] as const)],
    },
    namesField("type", "Task type", names.types, asked.type),
    namesField("agent", "Agent", names.agents, asked.agent),
    namesField("orchestrator", "Started by", names.orchestrators, asked.orchestrator),
  ])}${section("Tasks found", listOf(asked, found, now))}`,
})

/** More are typed: a choice among thousands is none, and a page of them too large. */
const MOST_CHOICES = 60

/** A choice among names, and of the one that is asked for, which may be of an earlier policy. */
export function namesField(
  name: string,
  label: string,
  names: readonly string[],
  value: string | undefined = "",
): Field {
  if (names.length > MOST_CHOICES) return { name, label, value, hint: "its name" }
  const known = value === "" || names.includes(value) ? names : [value, ...names]
  return { name, label, value, choices: [["", "any"], ...known.map((one) => [one, one] as const)] }
}

function listOf(asked: TasksAsked, { tasks, next }: TaskPage, now: number): Content {
  const { after, ...filter } = asked
  const led = pages({
    ...(after !== undefined && { first: addressOf(PATH, filter) }),
    ...(next !== null && { next: addressOf(PATH, { ...filter, after: next }) }),
  })
  if (tasks.length > 0) return html`${tableOf(tasks, now)}${led}`
  return html`${noneOf(asked, next)}${led}`
}

function noneOf(asked: TasksAsked, next: TaskPage["next"]): Content {
  if (next !== null)
    return empty("None among the tasks that were looked at.", "Older ones are on the next page.")
  if (Object.values(asked).every((one) => one === undefined))
    return empty(
      "No task was started yet.",
      html`An orchestrator starts one: <code>taskmint task start</code>, or <code>POST /tasks</code>.`,
    )
  return empty("No task is like that.", html`<a href="${PATH}">Show all tasks</a>`)
}

const tableOf = (tasks: readonly TaskSummary[], now: number): Content =>
  table(
    "Tasks, the newest first",
    [{ title: "Task" }, { title: "State" }, { title: "Agent" }, { title: "Started" }, { title: "Ends" }],
    tasks.map((task) => [
      html`<a href="${taskPath(task.taskId)}">${task.type}</a><span class="note"><code>${task.taskId}</code></span>`,
      stateTag(task.state),
      html`<a href="${agentPath(task.agent.id)}">${task.agent.id}</a><span class="note">${task.agent.instance}</span>`,
      html`${agoOf(toInstant(task.startedAt), now)}<span class="note">by ${task.orchestrator}</span>${task.sub === task.orchestrator ? "" : html`<span class="note">for ${task.sub}</span>`}`,
      task.endedAt === undefined
        ? agoOf(toInstant(task.deadline), now)
        : html`ended ${agoOf(toInstant(task.endedAt), now)}`,
    ]),
  )
