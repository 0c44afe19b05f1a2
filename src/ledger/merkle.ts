// The ledger's Merkle tree (RFC 6962, RFC 9162): how leaves become a root, and what proves that a leaf is in it or that one
// tree continues another. Pure: it knows nothing of entries, files or keys; where the hashes rest, tree.ts decides.
import { hash } from "node:crypto"

/** Bytes of every hash. */
export const HASH_BYTES = 32

const LEAF_PREFIX = Buffer.of(0)
const NODE_PREFIX = Buffer.of(1)

// By way of text: a hash asked for as bytes costs three times as much.
const digestText = (bytes: Uint8Array | string): string => hash("sha256", bytes, "binary")
const digest = (bytes: Uint8Array): Buffer => Buffer.from(digestText(bytes), "latin1")

const sha256 = (parts: readonly Uint8Array[]): Buffer => digest(Buffer.concat(parts))

/** Holds what is hashed next, since joining it anew each time costs as much as hashing it; longer ones are joined. */
const scratch = Buffer.alloc(4096)
const node = Buffer.concat([NODE_PREFIX, Buffer.alloc(2 * HASH_BYTES)])

function withLeafPrefix(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= scratch.length) return Buffer.concat([LEAF_PREFIX, bytes])
  scratch[0] = 0
  scratch.set(bytes, 1)
  return scratch.subarray(0, bytes.length + 1)
}

/** SHA-256 over 0x00 and the entry's bytes (RFC 6962 section 2.1). */
export const leafHash = (bytes: Uint8Array): Buffer => digest(withLeafPrefix(bytes))

/** Whether this is the entry's leaf: the same as comparing the hashes, which costs two arrays more. Text is hashed as UTF-8. */
export const isLeafOf = (leaf: Uint8Array, bytes: Uint8Array | string): boolean =>
  digestText(typeof bytes === "string" ? `\0${bytes}` : withLeafPrefix(bytes)) ===
  Buffer.from(leaf.buffer, leaf.byteOffset, leaf.byteLength).toString("latin1")

/** SHA-256 over 0x01 and both halves. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  if (left.length !== HASH_BYTES || right.length !== HASH_BYTES) return sha256([NODE_PREFIX, left, right]) // no hashes: changed by hand
  node.set(left, 1)
  node.set(right, HASH_BYTES + 1)
  return digest(node)
}

/** The root of no leaves at all. */
export const EMPTY_ROOT: Buffer = sha256([])

/** A subtree that is full: the leaves from `index * 2^level`, `2^level` of them. */
export interface Subtree {
  readonly level: number
  readonly index: number
}

/** What a growing tree has to remember: its size, and its full subtrees from the largest to the smallest. */
export interface Frontier {
  readonly size: number
  readonly hashes: readonly Uint8Array[]
}

export const EMPTY_FRONTIER: Frontier = { size: 0, hashes: [] }

/** A full subtree that came about while leaves were added. */
export interface Grown extends Subtree {
  readonly hash: Uint8Array
}

/**
 * The frontier after these leaves, each added in O(log n). `grown` is told of every full subtree above the leaves, the
 * lower ones first. Throws TypeError on a frontier that can't be one of its size.
 */
export function extend(
  from: Frontier,
  leaves: readonly Uint8Array[],
  grown?: (subtree: Grown) => void,
): Frontier {
  if (from.hashes.length !== bitsOf(from.size))
    throw new TypeError("a frontier has a hash for each bit of its size")
  const hashes = [...from.hashes]
  let { size } = from
  for (const leaf of leaves) {
    let top = leaf
    // Each bit that is set at the low end is a subtree as large as the one that is being added.
    for (let level = 0, index = size; index % 2 === 1; level++) {
      top = nodeHash(hashes.pop() ?? top, top)
      index = (index - 1) / 2
      grown?.({ level: level + 1, index, hash: top })
    }
    hashes.push(top)
    size += 1
  }
  return { size, hashes }
}

function bitsOf(size: number): number {
  let bits = 0
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) bits += rest % 2
  return bits
}

/** The root (RFC 6962 section 2.1): full subtrees joined from the smallest. */
export const rootOf = ({ hashes }: Frontier): Uint8Array => joinRight(hashes)

function joinRight(hashes: readonly Uint8Array[]): Uint8Array {
  const last = hashes.at(-1)
  if (!last) return EMPTY_ROOT
  return hashes.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), last)
}

/** One hash of a proof: that of the leaves which these subtrees hold, joined from the right. */
export type Piece = readonly Subtree[]

/** The subtrees that leaves `from` to `to` (exclusive) fall into, from the left, where `from` begins one that holds them. */
export function subtreesBetween(from: number, to: number): Subtree[] {
  const found: Subtree[] = []
  for (let at = from; at < to; ) {
    let level = 0
    while (at % 2 ** (level + 1) === 0 && at + 2 ** (level + 1) <= to) level += 1
    found.push({ level, index: at / 2 ** level })
    at += 2 ** level
  }
  return found
}

/** The hash of one piece from those of its subtrees. */
export const joinPiece = (hashes: readonly Uint8Array[]): Uint8Array => joinRight(hashes)

/** The largest power of two below `size`. */
function splitOf(size: number): number {
  let split = 1
  while (split * 2 < size) split *= 2
  return split
}

/** What proves that leaf `index` is in the tree of `size` (RFC 6962 section 2.1.1). Throws TypeError where it can't be. */
export function inclusionPieces(index: number, size: number): Piece[] {
  if (!isPlace(index) || !isPlace(size) || index >= size)
    throw new TypeError("no such leaf in a tree of that size")
  const pieces: Piece[] = []
  let [from, to] = [0, size]
  while (to - from > 1) {
    const middle = from + splitOf(to - from)
    pieces.push(index < middle ? subtreesBetween(middle, to) : subtreesBetween(from, middle))
    if (index < middle) to = middle
    else from = middle
  }
  return pieces.reverse()
}

/**
 * What proves that the tree of `size` continues the one of `older` (RFC 6962 section 2.1.2): nothing where they are the
 * same, or the older is empty. Throws TypeError where it can't.
 */
export function consistencyPieces(older: number, size: number): Piece[] {
  if (!isPlace(older) || !isPlace(size) || older > size) throw new TypeError("a tree continues no larger one")
  if (older === 0 || older === size) return []
  const pieces: Piece[] = []
  let [from, to] = [0, size]
  while (to !== older) {
    const middle = from + splitOf(to - from)
    pieces.push(older <= middle ? subtreesBetween(middle, to) : subtreesBetween(from, middle))
    if (older <= middle) to = middle
    else from = middle
  }
  // The old tree itself is known to who asks; a part of it is not.
  if (from > 0) pieces.push(subtreesBetween(from, to))
  return pieces.reverse()
}

const isPlace = (value: number): boolean => Number.isSafeInteger(value) && value >= 0
const areHashes = (hashes: readonly Uint8Array[]): boolean => hashes.every((one) => one.length === HASH_BYTES)
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

export interface InclusionClaim {
  readonly index: number
  readonly size: number
  readonly leaf: Uint8Array
  readonly root: Uint8Array
}

/** Whether the leaf is in the tree (RFC 9162 section 2.1.3.2). Everything that is not a proof of it is false. */
export function provesInclusion(claim: InclusionClaim, proof: readonly Uint8Array[]): boolean {
  const { index, size, leaf, root } = claim
  if (!isPlace(index) || !isPlace(size) || index >= size || !areHashes([leaf, root, ...proof])) return false
  let [node, last, reached] = [index, size - 1, leaf]
  for (const sibling of proof) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      reached = nodeHash(sibling, reached)
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)]
    } else reached = nodeHash(reached, sibling)
    ;[node, last] = [half(node), half(last)]
  }
  return last === 0 && same(reached, root)
}

const half = (value: number): number => Math.floor(value / 2)

export interface TreeHead {
  readonly size: number
  readonly root: Uint8Array
}

/** Whether the newer tree continues the older (RFC 9162 section 2.1.4.2). Everything that is not a proof of it is false. */
export function provesConsistency(older: TreeHead, newer: TreeHead, proof: readonly Uint8Array[]): boolean {
  if (!isPlace(older.size) || !isPlace(newer.size) || older.size > newer.size) return false
  if (!areHashes([older.root, newer.root, ...proof])) return false
  if (older.size === newer.size) return proof.length === 0 && same(older.root, newer.root)
  if (older.size === 0) return proof.length === 0 && same(older.root, EMPTY_ROOT)
  let [node, last] = [older.size - 1, newer.size - 1]
  while (node % 2 === 1) [node, last] = [half(node), half(last)]
  // Where the old tree is full it is the first hash, and known.
  const [first, ...rest] = node === 0 ? [older.root, ...proof] : proof
  if (!first) return false
  let [old, fresh] = [first, first]
  for (const sibling of rest) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      ;[old, fresh] = [nodeHash(sibling, old), nodeHash(sibling, fresh)]
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)]
    } else fresh = nodeHash(fresh, sibling)
    ;[node, last] = [half(node), half(last)]
  }
  return last === 0 && same(old, older.root) && same(fresh, newer.root)
}
