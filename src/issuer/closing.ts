// Closing statements, made and kept: provisional ones when somebody asks, final ones when they are owed (audit/closing.ts). It
// decides what is signed by which key, and that a final one is written together with its entry, once, whichever issuers try.
//
// The key is the one that signs task tokens: its public half is where every caller looks for the issuer's keys already, and
// one key more would be one more to guard, rotate and know. For longer than keys are published, the entry `task.closed`
// stands for the statement: it has the digest of what was signed, under checkpoints of the ledger's own key.
import { readAccount, type Signed, signedNow } from "../audit/account.ts"
import {
  accountedTask,
  type DueRow,
  forgetDue,
  insertStatement,
  type KeptRow,
  newestStatement,
} from "../audit/account-statements.ts"
import { createClosing } from "../audit/closing.ts"
import type { Opened } from "../audit/opening.ts"
import type { Statement, StatementState } from "../audit/statement.ts"
import { type Engine, type Step, Unexpected } from "../database/database.ts"
import { type Refusal, refuse } from "../errors.ts"
import type { Keyring } from "../keys/keyring.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { Sequence } from "../ledger/sequence.ts"
import { toEpochSeconds } from "../time.ts"
import { isId } from "../token/id.ts"
import type { JsonObject } from "../token/json.ts"
import { signStatement, statementClaims } from "../token/task-statement.ts"

export interface ClosingsOptions {
  readonly engine: Engine
  readonly ledger: Ledger
  readonly sequence: Sequence
  readonly keyring: Keyring
  /** `iss` of every statement. */
  readonly issuer: string
}

export interface StatementViewer {
  readonly clientId: string
  /** Auditors and operators see every task. */
  readonly staff: boolean
}

export interface ClosingStatement {
  readonly state: StatementState
  readonly number: number
  readonly jws: string
  /** What is signed, without its envelope. */
  readonly statement: JsonObject
  /** Its values, beside what is signed; none once they are erased. */
  readonly opened: readonly Opened[]
  /** The key of its commitments; undefined once erased. */
  readonly key: Uint8Array | undefined
}

export interface Closings {
  /** Makes the final statements that are owed. Throws Unavailable; what was not written is tried again. */
  look(): Promise<void>
  /** The newest final statement, else a provisional one of this moment. */
  read(viewer: StatementViewer, taskId: string): Promise<ClosingStatement | Refusal>
  /** The same, signed, without the values beside it. */
  readSigned(viewer: StatementViewer, taskId: string): Promise<string | Refusal>
}

export function createClosings(options: ClosingsOptions): Closings {
  const { engine } = options
  const closing = createClosing(options)
  return {
    async look() {
      const due = await closing.look()
      if (due.length === 0 || options.sequence.stopped() !== undefined) return
      const signed = await signedNow(options)
      if (signed) for (const one of due) await close(options, one, signed)
    },
    async read(viewer, taskId) {
      const task = await seenTask(engine, viewer, taskId)
      if (!task) return notFound()
      return task.kept ? openKept(engine, taskId, task, task.kept) : makeProvisional(options, taskId)
    },
    async readSigned(viewer, taskId) {
      const task = await seenTask(engine, viewer, taskId)
      if (!task) return notFound()
      if (task.kept) return task.kept.jws
      const made = await makeProvisional(options, taskId)
      return "jws" in made ? made.jws : made
    },
  }
}

const notFound = (): Refusal => refuse("not_found", "[task] no such task for this viewer")

async function seenTask(engine: Engine, viewer: StatementViewer, taskId: string) {
  if (!isId("task", taskId)) return undefined
  const [row] = await engine.query(accountedTask, { task_id: taskId })
  if (!row || !(viewer.staff || row.orchestrator === viewer.clientId)) return undefined
  const [kept] = await engine.query(newestStatement, { task_id: taskId })
  return { row, kept }
}

type Seen = NonNullable<Awaited<ReturnType<typeof seenTask>>>

/** The values beside it are read again: they may have been erased meanwhile, and the bytes stay as they are. */
async function openKept(engine: Engine, id: string, { row }: Seen, kept: KeptRow): Promise<ClosingStatement> {
  const { number, jws, through } = kept
  const signed = { through, note: "" }
  const account = await readAccount(engine, { id, row, signed, state: "final", number })
  const payload = JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString("utf8"))
  const opened = account?.opened ?? []
  return { state: "final", number, jws, statement: payload.statement, opened, key: row.key ?? undefined }
}

/** Read anew: after the place that it will cover, so that nothing is told of a task whose key is gone by then. */
async function makeProvisional(options: ClosingsOptions, id: string): Promise<ClosingStatement | Refusal> {
  const signed = await signedNow(options)
  const [row] = await options.engine.query(accountedTask, { task_id: id })
  if (!signed || !row) return notTold()
  const account = await readAccount(options.engine, { id, row, signed, state: "provisional", number: 1 })
  if (!account) return notTold()
  const { text } = claimsOf(options, id, account.statement)
  const jws = await signStatement(text, options.keyring.current())
  const { opened } = account
  const key = row.key ?? undefined
  return { state: "provisional", number: 1, jws, statement: JSON.parse(text).statement, opened, key }
}

const notTold = (): Refusal =>
  refuse("temporarily_unavailable", "[log] no checkpoint covers the start of the task", {
    retryAfterSeconds: 1,
  })

const claimsOf = ({ issuer, ledger }: ClosingsOptions, task: string, statement: Statement) =>
  statementClaims({ issuer, at: toEpochSeconds(ledger.at()), task, statement })

async function close(options: ClosingsOptions, due: DueRow, signed: Signed): Promise<void> {
  const { engine, ledger, keyring } = options
  const { task_id: id } = due
  const [row] = await engine.query(accountedTask, { task_id: id })
  const [before] = await engine.query(newestStatement, { task_id: id })
  if (!row) return
  const number = (before?.number ?? 0) + 1
  const asked = { id, row, signed, state: "final", number, previous: before?.digest } as const
  const account = await readAccount(engine, asked)
  // Not told to its end under this checkpoint: it is still owed.
  if (account?.statement.task.ended_at === undefined) return
  const { text, digest } = claimsOf(options, id, account.statement)
  const jws = await signStatement(text, keyring.current())
  const at = ledger.at()
  const kept = { task_id: id, number, at, through: signed.through, digest, jws }
  const steps: Step[] = [
    { statement: forgetDue, values: { task_id: id }, rows: 1 },
    { statement: insertStatement, values: kept, rows: 1 },
    ...closedEntry(options, account.statement, { at, digest, through: signed.through }),
  ]
  try {
    await engine.atomically(steps)
  } catch (cause) {
    // Another issuer was first.
    if (!(cause instanceof Unexpected)) throw cause
  }
}

function closedEntry(
  { ledger }: ClosingsOptions,
  { task, number, previous }: Statement,
  told: { readonly at: number; readonly digest: string; readonly through: number },
): Step[] {
  const { id, agent, instance, orchestrator } = task
  const { at, digest: statement, through } = told
  const body = { number, statement, through, ...(previous !== undefined && { previous }) }
  return ledger.steps({ kind: "task.closed", at, task: id, agent, instance, orchestrator, body })
}
