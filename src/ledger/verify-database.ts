// The ledger of a database as verify.ts reads it: every entry with its row and its values beside it, and the tree as it rests.
import type { Engine } from "../database/database.ts"
import { unpackBatch } from "../token/batch-text.ts"
import { KeyFault, readPublicJwk, type VerificationKey } from "../token/signature.ts"
import { leftBefore, readLeft } from "./left.ts"
import { createLookup, FileDiffers, isElsewhere } from "./resting.ts"
import { TILE_HEIGHT, TILE_WIDTH } from "./tree.ts"
import { nodesBetween, readTree } from "./tree-statements.ts"
import type { Examined, Source } from "./verify.ts"
import { findMisfit, type Hashed, type Known, type Misfit, readHashed, unknownIds } from "./verify-entry.ts"
import { createNamesRead } from "./verify-names.ts"
import type { KeptBatch } from "./verify-reports.ts"
import {
  everyCheckpoint,
  everyKey,
  isKnown,
  keptBatch,
  ledgerCounts,
  nodeCounts,
  type RestingEntry,
  restingBytes,
  restingEntries,
  restingTasks,
  restingTokens,
} from "./verify-statements.ts"

type Queries = Pick<Engine, "query">

/** Throws Unavailable where it can't be read. */
export async function databaseSource(engine: Queries): Promise<Source> {
  const [counts] = await engine.query(ledgerCounts)
  const [tree] = await engine.query(readTree)
  const checkpoints = await engine.query(everyCheckpoint)
  const size = tree?.size ?? 0
  const first = tree?.first ?? 0
  const entries = (counts?.newest ?? 0) - first
  const names = createNamesRead(engine)
  const keyIn = createKeysRead()
  return {
    keys: (await engine.query(everyKey)).map(({ vkey }) => vkey),
    checkpoints: checkpoints.map(({ note }) => note),
    entries,
    first,
    ...(tree && { tree: { size, frontier: tree.frontier } }),
    async read(from, to) {
      const rows = await readRows(engine, first + from, first + to)
      await names.learn(rows)
      const known = { nameOf: names.of, ...(await readBeside(engine, first + from, first + to)) }
      const examined: Examined[] = []
      for (const row of rows) {
        // What is missing between is found where the next one ought to stand.
        if (row.seq !== first + from + examined.length + 1) break
        const found = examine(row, known)
        examined.push(needsMore(found, row) ? await examineMore(engine, row, found, keyIn) : found)
      }
      return examined
    },
    stores: ({ level, index }) => level % TILE_HEIGHT === 0 && (index + 1) * 2 ** level <= size,
    async node({ level, index }) {
      const [found] = await engine.query(nodesBetween, {
        level: level / TILE_HEIGHT,
        from: index,
        to: index + 1,
      })
      return found?.hash ?? new Uint8Array()
    },
    async whole() {
      if (!tree || !counts) return "tree_missing"
      if (counts.bytes > counts.entries || counts.beyond === 1) return "entries_without_row"
      const misplaced = checkpoints.some(({ size, note }) => note.split("\n")[1] !== String(size))
      if (misplaced) return "checkpoint_misplaced"
      const newest = checkpoints.at(-1)
      if (newest && (newest.size > size || newest.note.split("\n")[0] !== tree.origin)) return "tree_differs"
      const left = await objectionToLeft(engine, first)
      if (left !== undefined) return left
      if (size > entries) return undefined // the walk says from where on
      return (await hasItsNodes(engine, size)) ? undefined : "tree_differs"
    },
  }
}

/** Those that are archived with what their bundle has of them, as far as it can be read. */
async function readRows(engine: Queries, from: number, to: number): Promise<RestingEntry[]> {
  const lookup = createLookup(engine)
  const rows: RestingEntry[] = []
  for (const resting of await engine.query(restingEntries, { from, to })) {
    const row = isExact(resting) ? resting : { ...resting, ...(await exactly(engine, resting)) }
    // Both rest there or neither.
    const archived = isElsewhere(row) && !row.leaf?.length ? await lookup(row.seq).catch(damaged) : undefined
    rows.push(isElsewhere(row) ? { ...row, bytes: null, leaf: null, ...archived } : row)
  }
  return rows
}

/** What stands for bytes that are no UTF-8 is three bytes of its own when it is hashed. */
const isExact = ({ bytes }: RestingEntry): boolean => typeof bytes !== "string" || !bytes.includes("\ufffd")

const exactly = async (engine: Queries, { seq }: RestingEntry) =>
  (await engine.query(restingBytes, { seq }))[0]

function damaged(error: unknown): Pick<RestingEntry, "damaged"> {
  if (error instanceof FileDiffers) return { damaged: error.file }
  throw error
}

/** Tasks and tokens that the entries of a window are about. */
async function readBeside(
  engine: Queries,
  from: number,
  to: number,
): Promise<Pick<Known, "taskOf" | "tokenOf">> {
  const tasks = new Map((await engine.query(restingTasks, { from, to })).map((row) => [row.id, row]))
  const tokens = new Map((await engine.query(restingTokens, { from, to })).map((row) => [row.id, row]))
  return { taskOf: (id) => tasks.get(id), tokenOf: (id) => tokens.get(id) }
}

/** The first entry of a log that was begun anew says what it left behind: that is still there, and the same. */
async function objectionToLeft(engine: Queries, first: number): Promise<string | undefined> {
  if (first === 0) return undefined
  const [row] = await readRows(engine, first, first + 1)
  const told = row?.bytes ? readLeft(readHashed(row.bytes)?.body) : undefined
  try {
    const { entries, root } = await leftBefore(engine, first)
    return told?.entries === entries && told.root === root ? undefined : "entries_before_differ"
  } catch (error) {
    if (error instanceof FileDiffers) return `file_differs: ${error.file}`
    throw error
  }
}

/** As many hashes of each level as a tree of that size has. */
async function hasItsNodes(engine: Queries, size: number): Promise<boolean> {
  const rows = await engine.query(nodeCounts)
  const found = new Map(rows.map(({ level, nodes }) => [level, nodes]))
  for (let level = 1; found.size > 0 || TILE_WIDTH ** level <= size; level++) {
    if ((found.get(level) ?? 0) !== Math.floor(size / TILE_WIDTH ** level)) return false
    found.delete(level)
  }
  return true
}

const NONE: readonly string[] = []
const NO_LEAF = new Uint8Array()

function examine(row: RestingEntry, known: Known): Examined {
  let erased = NONE
  const leaf = typeof row.leaf === "string" ? Buffer.from(row.leaf, "hex") : (row.leaf ?? NO_LEAF)
  const hashed = row.bytes ? readHashed(row.bytes) : undefined
  const misfit = findMisfit(row, leaf, hashed, known, (member) => {
    erased = [...erased, member]
  })
  return { leaf, hashed, misfit, erased, resource: row.resource ?? undefined }
}

/** Few entries are told of by more than their own row. */
const needsMore = ({ hashed, misfit }: Examined, row: RestingEntry): boolean =>
  hashed !== undefined &&
  (hashed.kind === "verifier.reported" ||
    (misfit === undefined && (row.task === null || row.token === null) && unknownIds(row, hashed).length > 0))

async function examineMore(
  engine: Queries,
  row: RestingEntry,
  found: Examined,
  keyIn: KeyIn,
): Promise<Examined> {
  const { hashed } = found
  if (!hashed) return found
  const misfit = found.misfit ?? (await pointsNowhere(engine, row, hashed))
  const batch = hashed.kind === "verifier.reported" ? await batchOf(engine, hashed, keyIn) : undefined
  return { ...found, misfit, ...(batch && { batch }) }
}

/** Undefined: the entry names no signature, so that nothing was kept. */
async function batchOf(engine: Queries, { body }: Hashed, keyIn: KeyIn): Promise<KeptBatch | undefined> {
  const { verifier, sequence, signature } = (body ?? {}) as Hashed
  if (signature === undefined) return undefined
  const [row] = await engine.query(keptBatch, { instance: String(verifier), sequence: Number(sequence) })
  return { text: row?.signed ? unpackBatch(row.signed) : undefined, key: row && keyIn(row.public_jwk) }
}

/** Undefined: it was changed by hand. */
type KeyIn = (jwk: string) => VerificationKey | undefined

const MOST_KEYS = 1000

/** An instance's key comes with each of its batches, and importing it costs more than checking what it signed. */
function createKeysRead(): KeyIn {
  const known = new Map<string, VerificationKey | undefined>()
  return (jwk) => {
    if (known.has(jwk)) return known.get(jwk)
    if (known.size >= MOST_KEYS) known.clear()
    const key = readKey(jwk)
    known.set(jwk, key)
    return key
  }
}

function readKey(jwk: string): VerificationKey | undefined {
  try {
    const key = readPublicJwk(JSON.parse(jwk))
    return key instanceof KeyFault ? undefined : key
  } catch {
    return undefined
  }
}

/** An id that the bytes name belongs to a task or a token that there is, and the row does not point to it. */
async function pointsNowhere(
  engine: Queries,
  row: RestingEntry,
  hashed: Parameters<typeof unknownIds>[1],
): Promise<Misfit | undefined> {
  for (const [member, id] of unknownIds(row, hashed))
    if ((await engine.query(isKnown[member], { id })).length > 0) return { how: "row_differs", member }
  return undefined
}
