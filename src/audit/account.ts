// Reads what the account of one task is made of: its entries up to a place that a checkpoint covers, in windows, so that
// neither memory nor the others' turn depends on how many there are. It decides nothing of the account itself.
import { setImmediate } from "node:timers/promises"
import type { Engine } from "../database/database.ts"
import { type Commitment, commit } from "../ledger/commitment.ts"
import { type Resting, show } from "../ledger/entry.ts"
import type { Json } from "../ledger/event.ts"
import { withBytes } from "../ledger/resting.ts"
import type { Sequence } from "../ledger/sequence.ts"
import {
  type AccountedTaskRow,
  dueOfTask,
  missingOfTask,
  rangeOfTask,
  reportersOfTask,
  signedThrough,
  sizeOfLog,
  storyOfTask,
  type UseRow,
  usesOfTask,
} from "./account-statements.ts"
import { commitmentsIn, type Opened } from "./opening.ts"
import { composeStatement, type Statement, type StatementState } from "./statement.ts"
import { createStory } from "./story.ts"
import { type AccountedGrant, createTally } from "./tally.ts"
import type { HashedEntry } from "./told.ts"

export interface AccountParts {
  readonly engine: Engine
  readonly sequence: Sequence
}

/** A place of the ledger that a checkpoint ends with. */
export interface Signed {
  readonly through: number
  readonly note: string
}

export interface Account {
  readonly statement: Statement
  readonly opened: readonly Opened[]
}

export interface Asked {
  readonly id: string
  readonly row: AccountedTaskRow
  readonly signed: Signed
  readonly state: StatementState
  readonly number: number
  readonly previous?: string | undefined
}

/** Verifier instances that are named, and runs of batches that are missing. */
const MOST_NAMED = 1000

/** Uses that the database counts in one statement, entries that are read in one. */
export interface Windows {
  readonly uses: number
  readonly entries: number
}

const WINDOWS: Windows = { uses: 10_000, entries: 500 }

/**
 * The newest checkpoint, after everything that is committed by now is under one. Where the log was stopped, the last that
 * it signed; undefined where it never signed any. Throws Unavailable.
 */
export async function signedNow({ engine, sequence }: AccountParts): Promise<Signed | undefined> {
  const [log] = await engine.query(sizeOfLog)
  if (log && log.size > 0 && sequence.stopped() === undefined) await sequence.covering(log.size)
  const [signed] = await engine.query(signedThrough)
  return signed
}

/** The account up to there; undefined where the task's start is not told by then. Throws Unavailable. */
export async function readAccount(
  engine: Engine,
  asked: Asked,
  windows: Windows = WINDOWS,
): Promise<Account | undefined> {
  const { id, row, signed, state, number, previous } = asked
  const { key } = row
  const opened = new Map<string, Opened>()
  const conceal = (resource: string): Commitment | undefined => {
    if (key === null) return undefined
    const { hmac } = commit(key, "resource", resource)
    opened.set(hmac, { name: "resource", value: resource, hmac })
    return { hmac }
  }
  const story = createStory()
  await eachEntry(engine, { ...asked, limit: windows.entries }, (resting) => {
    const hashed: HashedEntry = JSON.parse(Buffer.from(resting.bytes).toString("utf8"))
    story.take(hashed)
    if (!OPENED_OF.test(hashed.kind)) return
    for (const one of openedIn(hashed, resting)) opened.set(one.hmac, one)
  })
  const task = story.task()
  if (!task) return undefined
  const tally = createTally(grantsOf(row), conceal)
  await eachUse(engine, { ...asked, limit: windows.uses }, tally.take)
  const [range] = await engine.query(rangeOfTask, { task_id: id, through: signed.through })
  const cursor = (await engine.query(dueOfTask, { task_id: id }))[0]?.cursor ?? 0
  const reporters = await engine.query(reportersOfTask, { task_id: id, cursor, limit: MOST_NAMED })
  const missing = await engine.query(missingOfTask, { task_id: id, limit: MOST_NAMED })
  const { through, note: checkpoint } = signed
  const statement = composeStatement({
    ...{ id, state, number, previous, erased: key === null, task, story, tally, reporters, missing },
    covered: {
      first: range?.first ?? 0,
      last: range?.last ?? 0,
      entries: range?.entries ?? 0,
      through,
      checkpoint,
    },
  })
  return { statement, opened: committedIn(statement, opened) }
}

/** Once erased, what the rows still say of resources is not told. */
const grantsOf = ({ authority }: AccountedTaskRow): readonly AccountedGrant[] => JSON.parse(authority)

type Window = Asked & { readonly limit: number }

async function eachEntry(engine: Engine, { id, signed, limit }: Window, take: (resting: Resting) => void) {
  for (let after = 0; ; await setImmediate()) {
    const asked = { task_id: id, after, through: signed.through, limit }
    const page = await withBytes(engine, await engine.query(storyOfTask, asked))
    for (const resting of page) take(resting)
    const last = page.at(-1)
    if (!last || page.length < limit) return
    after = last.seq
  }
}

async function eachUse(engine: Engine, { id, signed, limit }: Window, take: (row: UseRow) => void) {
  for (let after = 0; ; await setImmediate()) {
    const rows = await engine.query(usesOfTask, { task_id: id, after, through: signed.through, limit })
    for (const row of rows) take(row)
    if (rows.reduce((sum, { uses }) => sum + uses, 0) < limit) return
    after = rows.reduce((last, { last_seq }) => Math.max(last, last_seq), after)
  }
}

/** Entries whose values an account commits to. Refused uses are not: what they asked for was chosen by whoever asked. */
const OPENED_OF = /^(task\.started$|approval\.)/

/** Beside an entry: its values, under the commitments that it has for them. */
function openedIn(hashed: HashedEntry, resting: Resting): Opened[] {
  const clear = show(resting)
  const members: readonly [string, Json | Commitment | undefined, Json | Commitment | undefined][] = [
    ["sub", hashed.sub, clear.sub],
    ["resource", hashed.resource, clear.resource],
    ["reference", hashed.reference, clear.reference],
    ["purpose", hashed.body?.purpose, clear.body?.purpose],
    ["reason", hashed.body?.reason, clear.body?.reason],
  ]
  return members.flatMap(([name, committed, value]) =>
    typeof committed === "object" && committed !== null && "hmac" in committed && typeof value === "string"
      ? [{ name, value, hmac: String(committed.hmac) }]
      : [],
  )
}

/** Only what the statement commits to: it says no more to its reader than that. */
const committedIn = (statement: Statement, opened: ReadonlyMap<string, Opened>): Opened[] =>
  [...commitmentsIn(statement)].flatMap((hmac) => opened.get(hmac) ?? [])
