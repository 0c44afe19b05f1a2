// Is the ledger the one that was signed? Every entry is hashed again into a tree of its own, and its roots are held against
// every checkpoint that is there, and against one that somebody kept. It decides between verified and broken, and names the
// first entry that does not fit; what can't be read throws, and is "could not tell". It writes nothing.
import { setImmediate } from "node:timers/promises"
import { type Checkpoint, NoCheckpoint, type NoteVerifier, openCheckpoint, readVkey } from "./checkpoint.ts"
import { EMPTY_FRONTIER, extend, type Frontier, type Grown, rootOf, type Subtree } from "./merkle.ts"
import { TILE_WIDTH } from "./tree.ts"
import type { Hashed, Misfit } from "./verify-entry.ts"
import { createReports, type KeptBatch } from "./verify-reports.ts"

/** One entry as a source has it. */
export interface Examined {
  readonly leaf: Uint8Array
  /** Undefined where a misfit says why. */
  readonly hashed: Hashed | undefined
  /** What the source itself found. */
  readonly misfit: Misfit | undefined
  /** Members whose values are gone, with their key. */
  readonly erased: readonly string[]
  /** The value beside the bytes of a use, where the source has values. */
  readonly resource?: string | undefined
  /** Of a report: what its instance signed, where the source keeps that. */
  readonly batch?: KeptBatch
}

export interface Source {
  /** vkeys that it names as the ledger's own, the newest first. */
  readonly keys: readonly string[]
  /** Entries there are; those of the places 1 to this. */
  readonly entries: number
  /** The place before the first of them, where they are not all that there is: places are told from the very first. */
  readonly first?: number
  /** Notes, from the smallest ledger to the largest. */
  readonly checkpoints: readonly string[]
  /** The entries after one place and up to another, of one tile. Throws where they can't be read. */
  read(from: number, to: number): Promise<readonly Examined[]>
  /** What it goes on from when the ledger grows. */
  readonly tree?: { readonly size: number; readonly frontier: Uint8Array }
  /** Whether it ought to have the hash of this full subtree. */
  stores(subtree: Subtree): boolean
  /** One that it stores; empty where it is not there. */
  node(subtree: Subtree): Promise<Uint8Array>
  /** What is wrong with it as a whole; undefined: nothing. */
  whole(): Promise<string | undefined>
}

export interface VerifyOptions {
  readonly source: Source
  /** Of somebody who does not take the source's word for it; absent: the source's own keys. */
  readonly key?: string | undefined
  /** A checkpoint from earlier: the ledger must continue it. */
  readonly earlier?: string | undefined
  readonly progress?: (done: number, total: number) => void
}

export interface Verified {
  readonly verdict: "verified"
  readonly origin: string
  /** Entries under the newest checkpoint, and those that came after it. */
  readonly signed: number
  readonly unsigned: number
  readonly checkpoints: number
  /** Values that are gone, by member. */
  readonly erased: Readonly<Record<string, number>>
  /** Root of the newest checkpoint, base64. */
  readonly root: string
}

export interface Broken {
  readonly verdict: "broken"
  /** The first place that does not fit; with `to`, it is one of those up to there. */
  readonly seq?: number
  readonly to?: number
  readonly how: string
}

/** Nothing to hold the entries against. */
export class NothingSigned extends Error {
  override readonly name = "NothingSigned"
}

/** A tile, as they are served: few enough, too, that what is read of them stays in the processor's cache. */
const WINDOW = TILE_WIDTH

/** Throws TypeError on a key that is no vkey, NothingSigned, and what the source throws. */
export async function verifyLedger(options: VerifyOptions): Promise<Verified | Broken> {
  const found = await verifyLog(options)
  const { first = 0 } = options.source
  if (found.verdict === "verified" || found.seq === undefined) return found
  return { ...found, seq: found.seq + first, ...(found.to !== undefined && { to: found.to + first }) }
}

async function verifyLog(options: VerifyOptions): Promise<Verified | Broken> {
  const { source, progress } = options
  const trusted = trustedKeys(options)
  const heads = openAll(options, trusted)
  if (!Array.isArray(heads)) return heads
  const wrong = await source.whole()
  if (wrong !== undefined) return { verdict: "broken", how: wrong }
  const newest = heads.at(-1)
  if (!newest) throw new NothingSigned("there is no checkpoint: nothing says what the entries ought to be")

  const walk = createWalk(source, heads)
  const early = walk.compare()
  if (early) return early
  for (let from = 0; from < source.entries; from += WINDOW) {
    const to = Math.min(from + WINDOW, source.entries)
    const broken = await walk.window(from, to)
    if (broken) return broken
    progress?.(to, source.entries)
    await setImmediate() // others get their turn: who shows the progress, for one
  }
  const promised = Math.max(newest.size, source.tree?.size ?? 0)
  // Those at the end are of a root that can't be made: they may be others moved up.
  if (promised > source.entries)
    return { verdict: "broken", seq: walk.agreed() + 1, to: promised, how: "entries_missing" }
  return {
    verdict: "verified",
    origin: newest.origin,
    signed: newest.size,
    unsigned: source.entries - newest.size,
    checkpoints: heads.length,
    erased: walk.erased,
    root: Buffer.from(newest.root).toString("base64"),
  }
}

function trustedKeys({ key, source }: VerifyOptions): NoteVerifier[] {
  if (key === undefined) return source.keys.map(readVkey).filter((one) => one !== undefined)
  const read = readVkey(key.trim())
  if (!read) throw new TypeError("the key is not a vkey of an Ed25519 key (C2SP signed-note)")
  return [read]
}

/**
 * Every checkpoint, signed by a key that is trusted. One that such a key and another of the ledger's sign hands over: from
 * then on the other is trusted too.
 */
function openAll({ source, earlier }: VerifyOptions, trusted: NoteVerifier[]): Checkpoint[] | Broken {
  const own = source.keys.map(readVkey).filter((one) => one !== undefined)
  const origin = trusted[0]?.name ?? ""
  const heads: Checkpoint[] = []
  for (const note of source.checkpoints) {
    const head = openCheckpoint(note, origin, trusted)
    if (head instanceof NoCheckpoint) {
      // Before a hand-over only the key that left signed: who knows its successor can't check those.
      const byAnother = !(openCheckpoint(note, origin, own) instanceof NoCheckpoint)
      if (head.tag === "unsigned" && heads.length === 0 && byAnother) continue
      return { verdict: "broken", how: `checkpoint_${head.tag}` }
    }
    heads.push(head)
    for (const key of own)
      if (
        !trusted.some(({ vkey }) => vkey === key.vkey) &&
        !(openCheckpoint(note, origin, [key]) instanceof NoCheckpoint)
      )
        trusted.push(key)
  }
  if (heads.length === 0 && source.checkpoints.length > 0)
    return { verdict: "broken", how: "checkpoint_unsigned" }
  if (earlier === undefined) return heads
  const kept = openCheckpoint(earlier, origin, [...trusted, ...own])
  if (kept instanceof NoCheckpoint) return { verdict: "broken", how: `earlier_checkpoint_${kept.tag}` }
  return [...heads, kept].sort((a, b) => a.size - b.size)
}

/** Holds what has grown by the newest entry against what rests of it. */
async function differing(
  source: Source,
  grown: readonly Grown[],
  agreed: number,
): Promise<Broken | undefined> {
  for (const one of grown) {
    const to = (one.index + 1) * 2 ** one.level
    const from = Math.max(agreed + 1, one.index * 2 ** one.level + 1)
    if (Buffer.compare(await source.node(one), one.hash) !== 0)
      return { verdict: "broken", seq: from, to, how: "tree_differs" }
  }
  return undefined
}

/** What does not fit an entry by itself, or by the reports before it. */
function createJudge(source: Source) {
  const reports = createReports(source.first === undefined || source.first === 0)
  return (entry: Examined, seq: number, agreed: number): Broken | undefined => {
    if (entry.misfit) return { verdict: "broken", seq, how: wordsOf(entry.misfit) }
    const said = entry.hashed && reports.misfit(entry.hashed, entry)
    if (said === undefined) return undefined
    if (BY_OTHERS.has(said)) return { verdict: "broken", seq: agreed + 1, to: seq, how: said }
    return { verdict: "broken", seq, how: said }
  }
}

/** Goes through the entries once, and holds each root on the way against what was signed of it. */
function createWalk(source: Source, heads: readonly Checkpoint[]) {
  let frontier: Frontier = EMPTY_FRONTIER
  let next = 0
  let agreed = 0
  const misfitOf = createJudge(source)
  const erased: Record<string, number> = {}

  const compare = (): Broken | undefined => {
    for (let head = heads[next]; head && head.size <= frontier.size; head = heads[next]) {
      if (Buffer.compare(rootOf(frontier), head.root) !== 0)
        return { verdict: "broken", seq: agreed + 1, to: head.size, how: "root_differs" }
      agreed = head.size
      next += 1
    }
    const rests = source.tree?.size === frontier.size ? source.tree.frontier : undefined
    return rests && Buffer.compare(Buffer.concat(frontier.hashes), rests) !== 0
      ? { verdict: "broken", seq: agreed + 1, to: frontier.size, how: "tree_differs" }
      : undefined
  }
  /** Entries among which nothing was signed but at the last: the tree grows by all of them at once. */
  const run = async (entries: readonly Examined[]): Promise<Broken | undefined> => {
    const leaves: Uint8Array[] = []
    let misfit: Broken | undefined
    for (const entry of entries) {
      misfit = misfitOf(entry, frontier.size + leaves.length + 1, agreed)
      if (misfit) break
      leaves.push(entry.leaf)
      for (const member of entry.erased) erased[member] = (erased[member] ?? 0) + 1
    }
    const grown: Grown[] = []
    frontier = extend(frontier, leaves, (one) => {
      if (source.stores(one)) grown.push(one)
    })
    // What comes before the misfit may differ, too, and is named first.
    return (grown.length > 0 ? await differing(source, grown, agreed) : undefined) ?? compare() ?? misfit
  }
  const endOfRun = (to: number): number =>
    [heads[next]?.size, source.tree?.size].reduce<number>(
      (end, size = to) => (size > frontier.size ? Math.min(end, size) : end),
      to,
    )
  return {
    erased,
    compare,
    agreed: () => agreed,
    async window(from: number, to: number): Promise<Broken | undefined> {
      const entries = await source.read(from, to)
      const last = from + entries.length
      while (frontier.size < last) {
        const broken = await run(entries.slice(frontier.size - from, endOfRun(last) - from))
        if (broken) return broken
      }
      return entries.length === to - from
        ? undefined
        : { verdict: "broken", seq: frontier.size + 1, how: "entry_missing" }
    },
  }
}

/** A report shows what is not itself: any entry that no checkpoint holds yet may be the one that was changed. */
const BY_OTHERS: ReadonlySet<string> = new Set([
  "uses_missing",
  "batch_repeated",
  "batch_chain_differs",
  "gap_untold",
  "join_untold",
])

const wordsOf = ({ how, member }: Misfit): string => (member === undefined ? how : `${how}: ${member}`)
