// An issuer's ledger without an issuer: a tree in memory, signed and proved as ours is, that can be copied and go another way.
import { noteVerifier, signCheckpoint } from "../../src/ledger/checkpoint.ts"
import {
  consistencyPieces,
  EMPTY_FRONTIER,
  extend,
  inclusionPieces,
  joinPiece,
  leafHash,
  type Piece,
  rootOf,
} from "../../src/ledger/merkle.ts"
import type { Spool } from "../../src/spool/spool.ts"
import { batchDigest } from "../../src/token/batch.ts"
import { generatePrivateJwk, importSigningKey, publicHalf } from "../../src/token/signature.ts"
import { openWitness } from "../../src/verifier/witness.ts"
import { createFakeClock } from "./fake-clock.ts"

export function newNoteSigner(origin = "taskmint.internal") {
  const key = importSigningKey(generatePrivateJwk("EdDSA"))
  return { ...noteVerifier(origin, publicHalf(key)), sign: (bytes: Uint8Array) => key.sign(bytes) }
}
type Signer = ReturnType<typeof newNoteSigner>

export type SmallLog = ReturnType<typeof createSmallLog>

/** `before`: entries of the log that it is a copy of. */
export function createSmallLog(signer: Signer = newNoteSigner(), before: readonly string[] = ["begun"]) {
  const entries = [...before]
  const handovers: { checkpoint: string; key: string }[] = []
  let signers = [signer]
  const leaves = () => entries.map((text) => leafHash(Buffer.from(text)))
  const rootAt = (size: number) => rootOf(extend(EMPTY_FRONTIER, leaves().slice(0, size)))
  const hashOf = (piece: Piece) =>
    joinPiece(
      piece.map(({ level, index }) =>
        rootOf(extend(EMPTY_FRONTIER, leaves().slice(index * 2 ** level, (index + 1) * 2 ** level))),
      ),
    )
  const texts = (pieces: readonly Piece[]) =>
    pieces.map((piece) => Buffer.from(hashOf(piece)).toString("base64"))
  const note = (size = entries.length, by: readonly Signer[] = signers) =>
    signCheckpoint({ origin: signer.name, size, root: rootAt(size) }, by)
  const known = () => (handovers.length > 0 ? { handovers } : {})
  return {
    entries,
    signer,
    vkey: signer.vkey,
    note,
    append: (text: string) => void entries.push(text),
    /** The next checkpoint is signed by both. */
    handOver(next: Signer) {
      const checkpoint = note(entries.length, [next, ...signers])
      handovers.push({ checkpoint, key: next.vkey })
      signers = [next]
      return checkpoint
    },
    /** The same history so far, under the same key; from now on its own. */
    copy: (size = entries.length) => createSmallLog(signer, entries.slice(0, size)),
    /** That one of its entries is in it. */
    include: (index: number) => ({
      index,
      inclusion: texts(inclusionPieces(index, entries.length)),
      entry: entries[index] ?? null,
    }),
    /** That it continues a checkpoint of its own. */
    prove: (note: string) => ({
      consistency: texts(consistencyPieces(Number(note.split("\n")[1]), entries.length)),
    }),
    /** To an instance that holds none. */
    newest: () => ({ checkpoint: note(), ...known() }),
    /** Takes the batch in, once, and proves it to an instance that holds the checkpoint; null: it holds none. */
    answer(batch: string, held: string | null) {
      const { instance: verifier, sequence, uses } = payloadOf(batch)
      const digest = batchDigest(batch)
      const entry = JSON.stringify({ kind: "verifier.reported", body: { verifier, sequence, digest } })
      const isEmpty = uses.length === 0
      if (!isEmpty && !entries.includes(entry)) entries.push(entry)
      if (held === null) return { checkpoint: note(), ...known() }
      const from = Number(held.split("\n")[1])
      const index = entries.indexOf(entry)
      return {
        checkpoint: note(),
        ...known(),
        consistency: from > entries.length ? [] : texts(consistencyPieces(from, entries.length)),
        index: isEmpty ? null : index,
        inclusion: isEmpty ? [] : texts(inclusionPieces(index, entries.length)),
        entry: isEmpty ? null : entry,
      }
    },
  }
}

interface Payload {
  readonly instance: string
  readonly sequence: number
  readonly uses: readonly unknown[]
}

const payloadOf = (batch: string): Payload =>
  JSON.parse(Buffer.from(batch.split(".")[1] ?? "", "base64url").toString())

/** Of the header that comes with a batch. */
export const heldIn = (headers: Readonly<Record<string, unknown>> = {}): string | null => {
  const text = headers["taskmint-checkpoint"]
  return typeof text === "string" ? Buffer.from(text, "base64url").toString() : null
}

/** One that knows the log's key and a checkpoint of it already. */
export async function openWitnessOf(log: SmallLog, spool: Spool) {
  const issuer = "https://taskmint.internal"
  const options = { issuer, issuerAddress: issuer, ledgerKey: log.vkey, clock: createFakeClock() }
  const witness = await openWitness({ ...options, spool, found: () => undefined })
  const nothing = { instance: "", sequence: 0, digest: "", empty: true }
  if (witness.held() === null) await witness.judge(nothing, JSON.stringify(log.newest()))
  return witness
}
