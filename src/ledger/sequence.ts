// How entries come into the tree, and when a checkpoint says so: after they were committed, in the order of their places,
// by whichever issuer is first. Starts pay nothing for it. It decides that the tree only grows and that nothing is signed
// that the rows don't hold; who signs, keys/ decides, and what readers get, tiles.ts.
import { setTimeout as sleep } from "node:timers/promises"
import { committed, type Engine, type Step } from "../database/database.ts"
import type { Clock } from "../time.ts"
import { createShared, oneAtATime } from "../turn.ts"
import { type Checkpoint, type NoteSigner, signCheckpoint } from "./checkpoint.ts"
import { extend, type Frontier, type Grown, HASH_BYTES, rootOf } from "./merkle.ts"
import { readFrom } from "./resting.ts"
import { createTree, TILE_HEIGHT, type Tree, TreeBroken } from "./tree.ts"
import {
  type CheckpointRow,
  growTree,
  handoversFrom,
  insertCheckpoint,
  insertNode,
  insertTree,
  newestCheckpoint,
  pruneCheckpoints,
  readTree,
  stopTree,
  type TreeRow,
} from "./tree-statements.ts"

/** Who signs the next checkpoint, and the steps that hold only while they are the ones. */
export interface Signing {
  readonly signers: readonly NoteSigner[]
  readonly steps: readonly Step[]
}

export interface SequenceOptions {
  readonly engine: Engine
  readonly clock: Clock
  readonly origin: string
  /** Asked for every checkpoint. */
  readonly signing: () => Promise<Signing>
}

export interface Sequence {
  /** The first line of every checkpoint. */
  readonly origin: string
  /** Reads how the log stands, and stops it where entries that it holds are gone. Throws Unavailable. */
  look(): Promise<void>
  /** Takes in what was committed before the call, and signs it, if there is anything. Throws Unavailable, and what the keys throw. */
  advance(): Promise<void>
  /** The same unless another process does it for all: then only what that one has left since the last call. */
  tend(): Promise<void>
  /**
   * The newest checkpoint, once it holds this many entries, which must be committed. `pause`: who waits makes one no earlier
   * than so many milliseconds after the last. Throws as `advance` does.
   */
  covering(size: number, pause?: number): Promise<CheckpointRow>
  /** Checkpoints of that size and more by which one key handed over to the next, in their order. */
  handovers(from: number): Promise<string[]>
  newest(): Promise<CheckpointRow | undefined>
  /** For roots and proofs of sizes up to that of the newest checkpoint. */
  tree(): Tree
  /** Stops the log for good: nothing is signed any more, by any issuer. `why` is JSON. */
  stop(why: string): Promise<void>
  /** Why the log stands still, as JSON, as far as this process knows; undefined while it goes on. */
  stopped(): string | undefined
  /** Forgets old checkpoints between two that stay. */
  prune(): Promise<void>
}

/** Entries taken in at once; between two such windows others get their turn. */
const WINDOW = 2048
const PAUSE_MILLISECONDS = 200
const KEPT_MILLISECONDS = 3_600_000
/** Looks: about a second of nothing being taken in, and whoever did it is taken for gone. */
const PATIENCE = 4
/** Another process began a new log: this one is over for whoever was opened on it. */
const REPLACED = JSON.stringify({ why: "log_replaced" })
const SIGNED_TWICE = "%\n\u2014 %\n\u2014 %"

/** Begins the tree where there is none, and answers the origin of the one that there is. Throws Unavailable. */
export async function beginLog(engine: Engine, origin: string): Promise<string> {
  await engine.atomically([{ statement: insertTree, values: { origin, frontier: new Uint8Array() } }])
  return (await readRow(engine)).origin
}

/** Of a log that has begun. Nothing is taken in before `advance` is called. */
export function createSequence(options: SequenceOptions): Sequence {
  const { engine, clock } = options
  let advancedAt = Number.NEGATIVE_INFINITY
  const shared = createShared(PATIENCE)
  const { look: lookAt, stop, stopped } = createStanding(options)
  const { now: advance } = oneAtATime(async () => {
    let row = await lookAt()
    // What is committed meanwhile is for the next time: under load there is always more, and each checkpoint costs a signature.
    for (const wanted = row?.newest ?? 0; row && !isSigned(row, wanted); row = await lookAt()) {
      const steps = await nextSteps(row, options)
      if (!Array.isArray(steps)) await stop(steps.why)
      else if (!(await committed(engine, steps))) {
        shared.taken()
        break
      }
    }
    advancedAt = clock.monotonic()
  })
  const newest = async () => (await engine.query(newestCheckpoint))[0]
  const newestTogether = together(newest)
  return {
    origin: options.origin,
    look: async () => void (await lookAt()),
    advance,
    async tend() {
      const row = await lookAt()
      if (row && shared.isOurs(row.signed ?? 0, row.newest ?? 0)) await advance()
    },
    newest,
    stop,
    stopped,
    tree: () => createTree(readFrom(engine)),
    async covering(size, pause = PAUSE_MILLISECONDS) {
      for (;;) {
        const found = await newestTogether()
        if (found && found.size >= size) return found
        if (stopped() !== undefined) throw new TreeBroken("the log stands still")
        const wait = advancedAt + pause - clock.monotonic()
        if (wait > 0) await sleep(Math.min(wait, pause))
        await advance()
      }
    },
    handovers: (from) => readHandovers(engine, from),
    async prune() {
      const values = { before: clock.now() - KEPT_MILLISECONDS, twice: SIGNED_TWICE }
      await engine.atomically([{ statement: pruneCheckpoints, values }])
    },
  }
}

/** Whether the log goes on, as far as this process knows. */
function createStanding({ engine, origin }: SequenceOptions) {
  let stopped: string | undefined
  const read = async (): Promise<TreeRow> => {
    const row = await readRow(engine)
    stopped = row.origin === origin ? (row.stopped ?? undefined) : REPLACED
    return row
  }
  const stop = async (why: string): Promise<void> => {
    await engine.atomically([{ statement: stopTree, values: { why, origin } }])
    await read()
  }
  return {
    stop,
    stopped: () => stopped,
    /** Undefined where it stands still. */
    async look(): Promise<TreeRow | undefined> {
      const row = await read()
      if (stopped !== undefined) return undefined
      const objection = objectionTo(row)
      if (objection === undefined) return row
      await stop(objection)
      return undefined
    },
  }
}

async function readHandovers(engine: Engine, from: number): Promise<string[]> {
  const rows = await engine.query(handoversFrom, { from, twice: SIGNED_TWICE })
  return rows.map(({ note }) => note)
}

/** Many wait for the same checkpoint: one look is enough for all who want to look now. */
function together<T>(look: () => Promise<T>): () => Promise<T | undefined> {
  let seen: T | undefined
  const { now } = oneAtATime(async () => {
    seen = await look()
  })
  return async () => {
    await now()
    return seen
  }
}

async function readRow(engine: Engine): Promise<TreeRow> {
  const [row] = await engine.query(readTree)
  if (!row) throw new TreeBroken("the tree's own row is gone")
  return row
}

/** Whether so many are under a checkpoint, or all that there are. */
const isSigned = ({ newest, size, signed }: TreeRow, wanted: number): boolean =>
  (signed ?? 0) >= wanted || ((newest ?? 0) === size && (signed ?? 0) === size)

/** Rows that the tree holds are gone: it was truncated, or an older copy lies beside a newer tree. */
function objectionTo({ newest, size, signed }: TreeRow): string | undefined {
  if ((newest ?? 0) < size)
    return JSON.stringify({ why: "entries_missing", entries: newest ?? 0, tree: size })
  if ((signed ?? 0) > size) return JSON.stringify({ why: "tree_missing", tree: size, signed })
  return undefined
}

/** The next window, and with the last one a checkpoint; or why there can't be one. */
async function nextSteps(
  row: TreeRow,
  { engine, clock, signing }: SequenceOptions,
): Promise<Step[] | { readonly why: string }> {
  const [from, newest] = [row.size, row.newest ?? 0]
  const to = Math.min(newest, from + WINDOW)
  const leaves = await leavesOf(engine, from, to)
  if (!leaves) return { why: JSON.stringify({ why: "entries_missing", from: from + 1, to }) }
  const grown: Grown[] = []
  const frontier = extend({ size: from, hashes: splitHashes(row.frontier) }, leaves, (one) => grown.push(one))
  const steps: Step[] = [
    {
      statement: growTree,
      values: { size: to, frontier: Buffer.concat(frontier.hashes), from, origin: row.origin },
      rows: 1,
    },
    ...grown.filter(({ level }) => level % TILE_HEIGHT === 0).map(nodeStep),
  ]
  if (to < newest) return steps
  const { signers, steps: ofKeys } = await signing()
  const note = signCheckpoint(headOf(row, frontier), signers)
  const signed = { size: to, at: clock.now(), note }
  return [...steps, ...ofKeys, { statement: insertCheckpoint, values: signed, rows: 1 }]
}

async function leavesOf(
  engine: Engine,
  from: number,
  to: number,
): Promise<readonly Uint8Array[] | undefined> {
  try {
    return await readFrom(engine)(0, from, to)
  } catch (error) {
    if (error instanceof TreeBroken) return undefined
    throw error
  }
}

const headOf = ({ origin }: TreeRow, frontier: Frontier): Checkpoint => ({
  origin,
  size: frontier.size,
  root: rootOf(frontier),
})

const nodeStep = ({ level, index, hash }: Grown): Step => ({
  statement: insertNode,
  values: { level: level / TILE_HEIGHT, place: index, hash },
  rows: 1,
})

function splitHashes(frontier: Uint8Array): Uint8Array[] {
  const hashes: Uint8Array[] = []
  for (let at = 0; at < frontier.length; at += HASH_BYTES) hashes.push(frontier.subarray(at, at + HASH_BYTES))
  return hashes
}
