// Who did this, and what a task did: the uses that verifiers reported, those alike in one line. It decides what is alike;
// what is not recorded (an API that only introspects) is not here.
import type { Engine } from "../database/database.ts"
import type { Entry } from "../ledger/entry.ts"
import type { EntryFilter } from "../ledger/search.ts"
import { type AnswerTo, aboutTask, entriesOf, findTask, Lines, type Row, shown } from "./question.ts"
import type { AskedTaskRow } from "./question-statements.ts"

interface Alike {
  readonly entry: Entry
  times: number
  first: string
  last: string
}

/** The uses of a task: by holder, operation, resource, outcome and code. */
export async function whatItDid(engine: Engine, task: AskedTaskRow): Promise<AnswerTo> {
  const lines = new Lines<Alike>()
  for await (const entry of entriesOf(engine, { task: task.task_id })) {
    const { kind, agent, instance, operation, resource, code } = entry
    if (isUse(entry)) add(lines, [kind, agent, instance, operation, resource, code], entry)
  }
  const rows = lines.all().map((line) => {
    const { agent, instance, api, operation, resource, code } = line.entry
    const { outcome, ...counted } = countedIn(line)
    return { agent, instance, api, operation, resource: shown(resource), outcome, code, ...counted }
  })
  return { about: aboutTask(task), rows, more: lines.more }
}

/** Who used an operation or a resource: by task, holder, operation and outcome. */
export async function whoDidIt(engine: Engine, filter: EntryFilter): Promise<AnswerTo> {
  const lines = new Lines<Alike>()
  for await (const entry of entriesOf(engine, filter)) {
    const { kind, task_id, agent, instance, operation } = entry
    if (isUse(entry)) add(lines, [kind, task_id, agent, instance, operation], entry)
  }
  const rows: Row[] = []
  const tasks = new Map<string, AskedTaskRow | undefined>()
  for (const line of lines.all()) {
    const { task_id = "", agent, instance, orchestrator, api, operation } = line.entry
    if (!tasks.has(task_id)) tasks.set(task_id, await findTask(engine, { task: task_id }))
    const task = tasks.get(task_id)
    const who = { agent, instance, sub: task?.sub ?? undefined, orchestrator, task_id, type: task?.type }
    rows.push({ ...who, api, operation, ...countedIn(line) })
  }
  return { rows, more: lines.more }
}

const isUse = ({ kind }: Entry): boolean => kind.startsWith("use.")

function add(lines: Lines<Alike>, key: readonly unknown[], entry: Entry): void {
  const line = lines.at(key, () => ({ entry, times: 0, first: entry.at, last: entry.at }))
  if (!line) return
  // Refusals of one token that come too fast are one entry with their number.
  const { count } = entry.body ?? {}
  line.times += typeof count === "number" ? count : 1
  if (entry.at > line.last) line.last = entry.at
  if (entry.at < line.first) line.first = entry.at
}

const countedIn = ({ entry, times, first, last }: Alike) => ({
  outcome: entry.kind.slice("use.".length),
  times,
  first,
  last,
})
