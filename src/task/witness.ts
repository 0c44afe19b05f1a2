// Verifier instances as witnesses of the ledger: a batch comes with the newest checkpoints that its instance knew and holds,
// and is answered with proofs that the ledger continues them and holds the batch. One that was signed and is not continued
// means that the ledger was rolled back or forked: then nothing is minted and nothing signed any more, until an operator
// decides.
import { type Refusal, refuse } from "../errors.ts"
import { type Checkpoint, NoCheckpoint, type NoteVerifier, openCheckpoint } from "../ledger/checkpoint.ts"
import { withBytes } from "../ledger/resting.ts"
import type { UseBatch } from "../token/batch.ts"
import type { Parts } from "./parts.ts"
import { batchEntry } from "./use-statements.ts"

/** What an instance can check by itself. Hashes are base64, as in checkpoints. */
export interface Attested {
  /** The newest one, as a signed note; absent where nothing was signed yet. */
  readonly checkpoint?: string
  /** Where another key signs by now: each checkpoint by which one handed over, and the key (a vkey) that it went to. */
  readonly handovers?: readonly Handover[]
  /** That it continues the one that the instance holds. */
  readonly consistency?: readonly string[]
  /** Of the entry that tells of the batch; null where it has none (a heartbeat). */
  readonly index?: number | null
  /** That the entry is in the ledger. */
  readonly inclusion?: readonly string[]
  /** The entry itself, its bytes as text: it names the batch's digest. */
  readonly entry?: string | null
}

export interface Handover {
  readonly checkpoint: string
  readonly key: string
}

/**
 * The checkpoint from which on the ledger has to be proved: the one that the instance holds, else the one that the batch
 * names; undefined where there is none, or only of a log that was left, where a new one has begun. Refuses one that nobody
 * here signed (`batch_invalid`), and one that the ledger does not continue (`ledger_broken`): by then the log has been
 * stopped. `held`: a note, sent beside the batch, which may have been signed before the instance knew it.
 */
export async function judgeWitness(
  parts: Parts,
  api: string,
  batch: UseBatch,
  held: string | undefined,
): Promise<Checkpoint | undefined | Refusal> {
  const notes = new Set([held, batch.checkpoint].filter((note) => typeof note === "string"))
  if (notes.size === 0) return undefined
  const keys = await parts.ledgerKeys.verifiers()
  const known: { readonly note: string; readonly checkpoint: Checkpoint }[] = []
  for (const note of notes) {
    const checkpoint = openCheckpoint(note, parts.sequence.origin, keys)
    if (!(checkpoint instanceof NoCheckpoint)) known.push({ note, checkpoint })
    else if (!isOfLogLeft(note, keys, parts.sequence.origin))
      return refuse("batch_invalid", `[checkpoint] ${checkpoint.tag}: not one of this ledger`)
  }
  for (const { note, checkpoint } of known) {
    if (parts.sequence.stopped() !== undefined) return broken("the ledger stands still")
    const why = await objectionTo(parts, checkpoint)
    if (why === undefined) continue
    await raise(parts, { api, instance: batch.instance, note }, why)
    return broken(`a checkpoint that ${batch.instance} holds is not continued`)
  }
  return known[0]?.checkpoint
}

const broken = (reason: string): Refusal => refuse("ledger_broken", `[checkpoint] ${reason}`)

/** A key bears the name of its log. */
const isOfLogLeft = (note: string, keys: readonly NoteVerifier[], origin: string): boolean =>
  keys.some((key) => key.name !== origin && isSignedBy(note, key))

const isSignedBy = (note: string, key: NoteVerifier): boolean =>
  !(openCheckpoint(note, key.name, [key]) instanceof NoCheckpoint)

async function objectionTo({ sequence }: Parts, named: Checkpoint): Promise<"rollback" | "fork" | undefined> {
  const newest = await sequence.newest()
  if (!newest || newest.size < named.size) return "rollback"
  const root = await sequence.tree().root(named.size)
  return Buffer.compare(root, named.root) === 0 ? undefined : "fork"
}

interface Objected {
  readonly api: string
  readonly instance: string
  readonly note: string
}

/** Both checkpoints are kept: together they prove it to anybody. */
async function raise(parts: Parts, { api, instance, note }: Objected, why: string): Promise<void> {
  const { sequence, ledger } = parts
  const ours = (await sequence.newest())?.note ?? null
  const evidence = { why, verifier: instance, theirs: note, ours }
  await sequence.stop(JSON.stringify(evidence))
  await ledger.append([{ kind: "alarm.raised", at: ledger.at(), api, code: "ledger_broken", body: evidence }])
}

/** Many uses at once: there are more where they came from. */
const FULL_BATCH = 500
/** How long after the last checkpoint who has more to send waits for the next. */
const FULL_PAUSE_MILLISECONDS = 25

/** For an instance that holds none: the newest, whether or not it holds the batch. Throws Unavailable. */
export async function firstWitnessed(parts: Parts): Promise<Attested> {
  const { sequence } = parts
  const newest = sequence.stopped() === undefined ? await sequence.covering(0) : await sequence.newest()
  return newest ? { checkpoint: newest.note, ...(await handoversSince(parts, 0)) } : {}
}

/** Of a batch that is in the ledger. Waits until a checkpoint holds it. Throws Unavailable, TreeBroken. */
export async function attest(parts: Parts, from: Checkpoint, batch: UseBatch): Promise<Attested> {
  const { sequence, engine } = parts
  const { instance, sequence: number } = batch
  const asked = { instance, sequence: number }
  const [found] = await withBytes(engine, await engine.query(batchEntry, asked))
  const row = found && found.entry > 0 ? found : undefined // of before a log that was begun anew
  const pause = batch.uses.length >= FULL_BATCH ? FULL_PAUSE_MILLISECONDS : undefined
  const { size, note } = await sequence.covering(row ? Math.max(row.entry, from.size) : from.size, pause)
  const tree = sequence.tree()
  const index = row ? row.entry - 1 : null
  return {
    checkpoint: note,
    ...(await handoversSince(parts, from.size)),
    consistency: (await tree.consistency(from.size, size)).map(toText),
    index,
    inclusion: index === null ? [] : (await tree.inclusion(index, size)).map(toText),
    entry: row ? Buffer.from(row.bytes).toString("utf8") : null,
  }
}

async function handoversSince(parts: Parts, size: number): Promise<Pick<Attested, "handovers">> {
  const { sequence, ledgerKeys } = parts
  const keys = (await ledgerKeys.verifiers()).filter(({ name }) => name === sequence.origin)
  if (keys.length < 2) return {}
  const handovers = (await sequence.handovers(size)).flatMap((checkpoint) => {
    const key = keys.find((one) => isSignedBy(checkpoint, one)) // the newest first
    return key ? [{ checkpoint, key: key.vkey }] : []
  })
  return handovers.length === 0 ? {} : { handovers }
}

const toText = (hash: Uint8Array): string => Buffer.from(hash).toString("base64")
