// Two checkpoints that one key signed of histories that can't both be true, as a proof that anybody can check who has neither
// ledger: the newer one's tree has, at the older one's size, another root than the older one says. Pure. It decides what proves
// that; whose key it is, whoever checks has to know.
import { type Checkpoint, NoCheckpoint, openCheckpoint, readVkey } from "./checkpoint.ts"
import { provesConsistency } from "./merkle.ts"
import { createTree, type ReadHashes } from "./tree.ts"

export interface ForkProof {
  /** vkey of who signed both. */
  readonly key: string
  /** Signed notes; `signed` is of no more entries than `other`. */
  readonly signed: string
  readonly other: string
  /** Base64: the root that the tree of `other` has at the size of `signed`. */
  readonly root: string
  /** Base64: that it has (RFC 9162 section 2.1.4). */
  readonly consistency: readonly string[]
}

/**
 * From the hashes of the ledger that `other` is the newest checkpoint of. Undefined where they prove nothing: no key signed
 * both, they agree, or the hashes are not those that `other` was signed of. Throws what `read` throws.
 */
export async function proveFork(
  read: ReadHashes,
  keys: readonly string[],
  { signed, other }: Pick<ForkProof, "signed" | "other">,
): Promise<ForkProof | undefined> {
  for (const key of keys) {
    const [older, newer] = [openBy(key, signed), openBy(key, other)]
    if (!older || !newer || older.size > newer.size || older.size === 0) continue
    const tree = createTree(read)
    const root = older.size === newer.size ? newer.root : await tree.root(older.size)
    const hashes = older.size === newer.size ? [] : await tree.consistency(older.size, newer.size)
    const proof = { key, signed, other, root: toText(root), consistency: hashes.map(toText) }
    if (objectionToFork(proof) === undefined) return proof
  }
  return undefined
}

/** Why it proves no fork, in words; undefined: whoever has that key signed two histories. `value`: as it was read. */
export function objectionToFork(value: unknown): string | undefined {
  const proof = readProof(value)
  if (!proof) return "it is not of the form of a proof"
  const [older, newer] = [openBy(proof.key, proof.signed), openBy(proof.key, proof.other)]
  if (!older || !newer) return "its key has not signed both checkpoints"
  if (proof.root === toText(older.root)) return "the two checkpoints may be of one history"
  const found = { size: older.size, root: Buffer.from(proof.root, "base64") }
  const hashes = proof.consistency.map((one) => Buffer.from(one, "base64"))
  return provesConsistency(found, newer, hashes)
    ? undefined
    : "its hashes do not lead to what the second checkpoint says"
}

function readProof(value: unknown): ForkProof | undefined {
  const { key, signed, other, root, consistency }: { readonly [member: string]: unknown } = Object(value)
  const texts = [key, signed, other, root]
  if (!texts.every((one) => typeof one === "string") || !Array.isArray(consistency)) return undefined
  if (!consistency.every((one) => typeof one === "string")) return undefined
  return { key: String(key), signed: String(signed), other: String(other), root: String(root), consistency }
}

function openBy(vkey: string, note: string): Checkpoint | undefined {
  const key = readVkey(vkey)
  const opened = key && openCheckpoint(note, key.name, [key])
  return opened instanceof NoCheckpoint ? undefined : opened
}

const toText = (hash: Uint8Array): string => Buffer.from(hash).toString("base64")
