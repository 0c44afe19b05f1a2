// Erasing: what the ledger tells of a task, or of a person and all their tasks, without the hashes. Values and the keys of
// their commitments go, the hashed bytes stay, and an entry says so in the same transaction. It decides what may not be
// erased yet, and the order, so that whatever was begun can be done again; who may ask is the issuer's to say.
import type { Step } from "../database/database.ts"
import { isPerson } from "../database/names.ts"
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import { eraseLoose } from "../ledger/erase.ts"
import {
  eraseBytesOfTask,
  eraseRowsOfTask,
  eraseSignedOfTask,
  nobodySince,
  resourcesOfTask,
  unerasedOfTask,
} from "../ledger/erase-statements.ts"
import { toEpochSeconds } from "../time.ts"
import type { Authority } from "../token/authority.ts"
import { type Attempt, commitDecision, type Settled } from "./commit.ts"
import { delegationsOfTask } from "./delegation-statements.ts"
import {
  eraseApprovals,
  eraseDelegation,
  eraseFeed,
  eraseReasons,
  eraseReasonsNaming,
  eraseRevocations,
  eraseSessions,
  eraseSubjectRow,
  eraseTaskRow,
  eraseTokens,
  eraseTouched,
  insertNobody,
  noneLocked,
  noneRuns,
  noneTold,
  ownTraces,
  pointToNobody,
  subjectByText,
  tasksOfSubject,
} from "./erase-statements.ts"
import { isOpen } from "./finish.ts"
import { assembleParts, type Parts, type TaskOptions } from "./parts.ts"
import { type TaskRow, taskById } from "./statements.ts"
import { RUN_OUT_GRACE_SECONDS } from "./status-places.ts"

/** Who erases, and why: both stay in the ledger. */
export interface Erasing {
  /** The person; with --dev the caller's name. */
  readonly by: string
  /** The name of staff in the policy. */
  readonly as: string
  readonly reason: string
}

export interface Erased {
  /** Of which something was left to erase. */
  readonly tasks: number
  readonly entries: number
  /** Whether the values are gone from the database's files, and not only from its rows. */
  readonly fromFiles: boolean
}

export interface Erasures {
  /** `not_found`; `erasure_blocked` while it runs. What was erased already is an answer: nothing. */
  task(erasing: Erasing, taskId: string): Promise<Erased | Refusal>
  /**
   * A person, `provider/name`, and every task of theirs. `erasure_blocked` while one runs, a lock names them or what ended
   * their tokens is still told. Somebody whom nothing tells of is an answer.
   */
  subject(erasing: Erasing, sub: string): Promise<Erased | Refusal>
}

export function createErasures(options: TaskOptions): Erasures {
  const parts = assembleParts(options)
  return {
    async task(erasing, taskId) {
      const [task] = await parts.engine.query(taskById, { task_id: taskId })
      if (!task) return refuse("not_found", "[task] no such task")
      if (isOpen(task)) return refuse("erasure_blocked", "[task] it still runs")
      const values = await valuesOf(parts, task)
      const loose = await eraseLoose(parts.engine, { values })
      const erased = await eraseTask(parts, { ...erasing, of: "task" }, taskId)
      if (erased instanceof Refused) return erased
      return finish(parts, erased.tasks, loose.entries + erased.entries)
    },
    async subject(erasing, sub) {
      if (!isPerson(sub)) return refuse("invalid_request", "[sub] not a person", PERSON)
      if (erasing.reason.includes(sub))
        return refuse("invalid_request", "[reason] names the person", NAMELESS)
      const [known] = await parts.engine.query(subjectByText, { sub })
      return known ? eraseSubject(parts, erasing, { ...known, text: sub }) : eraseWords(parts, erasing, sub)
    },
  }
}

const PERSON = { errors: [{ pointer: "/sub", expected: "a person, as in people/ana@example.com" }] }
const NAMELESS = { errors: [{ pointer: "/reason", expected: "words that do not name the person" }] }

interface Person {
  readonly id: number
  readonly text: string
}

async function eraseSubject(parts: Parts, erasing: Erasing, person: Person): Promise<Erased | Refusal> {
  const { engine } = parts
  const blocked = await blockedBy(parts, person)
  if (blocked) return blocked
  const ids = (await engine.query(tasksOfSubject, { subject: person.id })).map(({ task_id }) => task_id)
  const values = new Set<string>()
  for (const id of ids) {
    const [task] = await engine.query(taskById, { task_id: id })
    for (const value of task ? await valuesOf(parts, task) : []) values.add(value)
  }
  const traces = { subject: person, values }
  let { entries, upTo } = await eraseLoose(engine, traces)
  let tasks = 0
  for (const id of ids) {
    const erased = await eraseTask(parts, { ...erasing, of: "subject" }, id)
    if (erased instanceof Refused) return erased
    tasks += erased.tasks
    entries += erased.entries
  }
  // Last, because it is by their name that everything before is found.
  const last = await commitDecision<true>(parts, async () => {
    const since = await eraseLoose(engine, traces, upTo)
    entries += since.entries
    upTo = since.upTo
    const steps = lastSteps(parts, erasing, person, { tasks: ids.length, scanned: upTo })
    return (await blockedBy(parts, person)) ?? { steps, answer: () => true }
  })
  return last instanceof Refused ? last : finish(parts, tasks, entries)
}

/** Of a row that nobody has. */
const NO_ROW = -1

/** Somebody of whom nothing was done, whom words name all the same: a query that asked for them, a reason. */
async function eraseWords(parts: Parts, { by, as, reason }: Erasing, sub: string): Promise<Erased> {
  const { engine, ledger } = parts
  await engine.atomically([{ statement: eraseReasonsNaming, values: { sub } }])
  const traces = { subject: { id: NO_ROW, text: sub }, values: new Set<string>() }
  const { entries } = await eraseLoose(engine, traces)
  const body = { of: "subject", by, as, tasks: 0, reason }
  if (entries > 0) await ledger.append([{ kind: "ledger.erased", at: ledger.at(), body }])
  return finish(parts, 0, entries)
}

/** The guards that the last transaction has too, asked before anything is begun. */
async function blockedBy(parts: Parts, person: Person): Promise<Refusal | undefined> {
  for (const { statement, values } of guardsOf(parts, person))
    if ((await parts.engine.query(statement, values)).length > 0)
      return refuse("erasure_blocked", `[${statement.name}] of the person something still stands`)
  return undefined
}

const guardsOf = (parts: Parts, { id, text }: Person): Step[] => [
  { statement: noneRuns, values: { subject: id }, rows: 0 },
  { statement: noneLocked, values: { sub: text }, rows: 0 },
  {
    statement: noneTold,
    values: { sub: text, since_seconds: toEpochSeconds(parts.ledger.at()) - RUN_OUT_GRACE_SECONDS },
    rows: 0,
  },
]

function lastSteps(
  parts: Parts,
  { by, as, reason }: Erasing,
  person: Person,
  { tasks, scanned }: { readonly tasks: number; readonly scanned: number },
): Step[] {
  const values = { subject: person.id, sub: person.text }
  const body = { of: "subject", by, as, tasks, reason }
  return [
    ...guardsOf(parts, person),
    { statement: nobodySince, values: { scanned, subject: person.id }, rows: 0 },
    { statement: eraseRevocations, values },
    { statement: eraseReasonsNaming, values },
    { statement: eraseFeed, values },
    { statement: eraseSessions, values },
    { statement: eraseSubjectRow, values, rows: 1 },
    ...parts.ledger.steps({ kind: "ledger.erased", at: parts.ledger.at(), body }),
  ]
}

/** By what entries outside of the task are known to tell of it. */
async function valuesOf(parts: Parts, { task_id, reference }: TaskRow): Promise<Set<string>> {
  const rows = await parts.engine.query(resourcesOfTask, { task_id })
  return new Set([...rows.map(({ resource }) => resource), ...(reference === null ? [] : [reference])])
}

type OfTask = Erasing & { readonly of: "task" | "subject" }

type Count = Pick<Erased, "tasks" | "entries">

/** One transaction, or none where nothing was left. */
function eraseTask(parts: Parts, erasing: OfTask, taskId: string): Promise<Count | Refusal> {
  return commitDecision<Count>(parts, async (): Promise<Attempt<Count> | Settled<Count> | Refusal> => {
    const [task] = await parts.engine.query(taskById, { task_id: taskId })
    if (!task || isOpen(task)) return refuse("erasure_blocked", "[task] it runs")
    const alone = erasing.of === "task"
    const [left] = await parts.engine.query(unerasedOfTask, { task_id: taskId })
    const [own] = await parts.engine.query(ownTraces, { task_id: taskId })
    const entries = left?.entries ?? 0
    const rests = (own?.kept ?? 0) + (alone ? (own?.named ?? 0) : 0)
    if (entries === 0 && rests === 0) return { settled: { tasks: 0, entries } }
    const steps = [
      ...(await taskSteps(parts, task)),
      ...(alone ? nobodySteps(taskId) : []),
      ...erasedEntry(parts, erasing, task, entries),
    ]
    return { steps, answer: () => ({ tasks: 1, entries }) }
  })
}

async function taskSteps(parts: Parts, task: TaskRow): Promise<Step[]> {
  const values = { task_id: task.task_id }
  const below = await parts.engine.query(delegationsOfTask, values)
  const authority = withoutResources(task.authority)
  return [
    { statement: eraseTaskRow, values: { ...values, authority }, rows: 1 },
    { statement: eraseTokens, values },
    ...below.map(({ delegation_id: delegation, authority }) => ({
      statement: eraseDelegation,
      values: { delegation, authority: withoutResources(authority) },
    })),
    { statement: eraseApprovals, values },
    { statement: eraseReasons, values },
    { statement: eraseTouched, values },
    { statement: eraseRowsOfTask, values },
    { statement: eraseBytesOfTask, values },
    { statement: eraseSignedOfTask, values },
  ]
}

/** By which rule what was allowed is told of nobody; on what, inputs say. */
const withoutResources = (text: string): string => {
  const authority: Authority = JSON.parse(text)
  return JSON.stringify(authority.map(({ parameters: _digest, ...grant }) => ({ ...grant, resources: [] })))
}

const nobodySteps = (taskId: string): Step[] => [
  { statement: insertNobody, values: {}, rows: 1 },
  { statement: pointToNobody, values: { task_id: taskId }, rows: 1 },
]

const erasedEntry = (parts: Parts, { by, as, of, reason }: OfTask, task: TaskRow, entries: number): Step[] =>
  parts.ledger.steps({
    kind: "ledger.erased",
    at: parts.ledger.at(),
    task: task.task_id,
    body: { of, by, as, entries, reason },
  })

/** When all is done, once: what was deleted is still in the files until then. */
const finish = async (parts: Parts, tasks: number, entries: number): Promise<Erased> => ({
  tasks,
  entries,
  fromFiles: await parts.engine.scrub(),
})
