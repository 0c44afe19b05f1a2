// The tree of RFC 6962 written as its section 2.1 defines it, slowly and from the text alone: what ours is held against.
import { createHash } from "node:crypto"

const sha256 = (...parts: Uint8Array[]): Buffer => createHash("sha256").update(Buffer.concat(parts)).digest()

/** The hash of one entry. */
export const slowLeaf = (entry: Uint8Array): Buffer => sha256(Buffer.of(0), entry)

/** Largest power of two smaller than n. */
function largestPowerBelow(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}

/** MTH(D[n]) over hashes of leaves. */
export function slowRoot(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) return sha256()
  const [only] = leaves
  if (leaves.length === 1 && only) return Buffer.from(only)
  const k = largestPowerBelow(leaves.length)
  return sha256(Buffer.of(1), slowRoot(leaves.slice(0, k)), slowRoot(leaves.slice(k)))
}

/** PATH(m, D[n]). */
export function slowPath(m: number, leaves: readonly Uint8Array[]): Buffer[] {
  if (leaves.length <= 1) return []
  const k = largestPowerBelow(leaves.length)
  return m < k
    ? [...slowPath(m, leaves.slice(0, k)), slowRoot(leaves.slice(k))]
    : [...slowPath(m - k, leaves.slice(k)), slowRoot(leaves.slice(0, k))]
}

/** PROOF(m, D[n]). */
export const slowProof = (m: number, leaves: readonly Uint8Array[]): Buffer[] => subproof(m, leaves, true)

function subproof(m: number, leaves: readonly Uint8Array[], whole: boolean): Buffer[] {
  const n = leaves.length
  if (m === n) return whole ? [] : [slowRoot(leaves)]
  const k = largestPowerBelow(n)
  return m <= k
    ? [...subproof(m, leaves.slice(0, k), whole), slowRoot(leaves.slice(k))]
    : [...subproof(m - k, leaves.slice(k), false), slowRoot(leaves.slice(0, k))]
}
