// Keeping an auditor's copy current: what a running log serves goes in when a checkpoint that a trusted key signed holds it
// and continues what is held already. It decides between "as it was", more, and a contradiction, of which both sides are
// kept; what can't be had throws, and is "could not tell".

import type { AuditCopy } from "./audit-copy.ts"
import { unbundle } from "./bundle.ts"
import { type Checkpoint, NoCheckpoint, openCheckpoint, readVkey } from "./checkpoint.ts"
import { extend, leafHash, rootOf } from "./merkle.ts"
import { writeTilePath } from "./tiles.ts"
import { createTree, TILE_WIDTH } from "./tree.ts"
import { readHashed } from "./verify-entry.ts"
import { type FetchFile, tileHashes } from "./verify-tiles.ts"

/** What was served contradicts what is held, or itself. */
export interface Contradiction {
  /**
   * `rollback`: a part of what was signed is not served any more; `fork`: another history is; `entries_differ`,
   * `entries_malformed`, `tree_differs`: entries or tiles are not those that were signed; `root_differs`: one of these, and
   * the tiles that would tell are not to be had; `checkpoint_...`.
   */
  readonly how: string
  /** The newest checkpoint that is held; undefined: none. */
  readonly ours: string | undefined
  readonly theirs: string
  /** Of the served tree, up to the size of ours, base64: where it could be made. */
  readonly servedRoot?: string
}

export interface CaughtUp {
  /** Entries that a checkpoint holds, all of them in the copy; and how many of them came now. */
  readonly size: number
  readonly fresh: number
}

export interface FollowOptions {
  readonly copy: AuditCopy
  readonly fetch: FetchFile
  /** Epoch milliseconds. */
  readonly now: number
  /** Told after each tile. Answers whether to go on; what was taken in stays and is gone on from. */
  readonly progress?: (done: number, total: number) => boolean
}

/** Takes in what there is. Undefined where `progress` ended it. Throws what `fetch` throws, and Unavailable. */
export async function catchUp(options: FollowOptions): Promise<CaughtUp | Contradiction | undefined> {
  const { copy, fetch, now, progress } = options
  const theirs = textOf(await fetch("checkpoint"))
  const ours = copy.checkpoints().at(-1)
  const contradicts = (how: string): Contradiction => ({ how, ours, theirs })
  const head = openWith(copy, theirs)
  if (head instanceof NoCheckpoint) return contradicts(`checkpoint_${head.tag}`)
  const { signed, taken: before } = copy.state()
  if (head.size < signed.size) return contradicts(same(copy.root(head.size), head.root) ? "rollback" : "fork")
  if (isSignedTwice(theirs)) await learnKeys(copy, fetch, theirs)
  if (head.size < copy.state().taken.size) copy.forgetUnsigned()
  for (let { taken } = copy.state(); taken.size < head.size; ) {
    const entries = await freshEntries(fetch, taken.size, head.size)
    if (!entries) return contradicts("entries_malformed")
    taken = extend(taken, entries.map(leafHash))
    copy.take(entries, taken)
    if (progress?.(taken.size, head.size) === false) return undefined
  }
  if (!same(rootOf(copy.state().taken), head.root)) {
    copy.forgetUnsigned()
    // What an earlier look took in was never held against a checkpoint: that it was wrong says nothing of this one.
    if (before.size > signed.size) return catchUp(options)
    return { ...contradicts("root_differs"), ...(await lookCloser(options, head).catch(() => ({}))) }
  }
  if (head.size > signed.size || ours === undefined) copy.sign(theirs, now)
  return { size: head.size, fresh: head.size - signed.size }
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8")
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
const isSignedTwice = (note: string): boolean => note.split("\n\u2014 ").length > 2

const openWith = (copy: AuditCopy, note: string): Checkpoint | NoCheckpoint =>
  openCheckpoint(
    note,
    copy.state().origin,
    copy
      .keys()
      .map(readVkey)
      .filter((key) => key !== undefined),
  )

/** A checkpoint that a trusted key and another sign hands over to the other. */
async function learnKeys(copy: AuditCopy, fetch: FetchFile, note: string): Promise<void> {
  for (const line of textOf(await fetch("key")).split("\n")) {
    const key = readVkey(line)
    if (key && !(openCheckpoint(note, copy.state().origin, [key]) instanceof NoCheckpoint)) copy.trust(line)
  }
}

/** The rest of one tile; undefined where it holds others than it should. */
async function freshEntries(fetch: FetchFile, from: number, size: number): Promise<Uint8Array[] | undefined> {
  const place = Math.floor(from / TILE_WIDTH)
  const width = Math.min(TILE_WIDTH, size - place * TILE_WIDTH)
  const bytes = await fetch(`tile/${writeTilePath({ level: "entries", place, width })}`)
  const entries = unbundle(bytes, width)
  return entries?.every((one) => readHashed(one)) ? entries.slice(from - place * TILE_WIDTH) : undefined
}

/** The entries don't make the root that was signed: whether the tree does, and continues what is held, its tiles say. */
async function lookCloser({ copy, fetch }: FollowOptions, head: Checkpoint) {
  const { signed } = copy.state()
  const served = createTree(tileHashes(fetch, head.size))
  if (!same(await served.root(head.size), head.root)) return { how: "tree_differs" }
  const root = await served.root(signed.size)
  const servedRoot = Buffer.from(root).toString("base64")
  return { how: same(root, rootOf(signed)) ? "entries_differ" : "fork", servedRoot }
}
