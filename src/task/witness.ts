// Verifier instances as witnesses of the ledger: a batch names the newest checkpoint that its instance holds, and is answered
// with proofs that the ledger continues it and holds the batch. One that was signed and is not continued means that the
// ledger was rolled back or forked: then nothing is minted and nothing signed any more, until an operator decides.
import { type Refusal, refuse } from "../errors.ts"
import { type Checkpoint, NoCheckpoint, openCheckpoint } from "../ledger/checkpoint.ts"
import type { UseBatch } from "../token/batch.ts"
import type { Parts } from "./parts.ts"
import { batchEntry } from "./use-statements.ts"

/** What an instance can check by itself. Hashes are base64, as in checkpoints. */
export interface Attested {
  /** The newest one, as a signed note. */
  readonly checkpoint: string
  /** That it continues the one that the batch names. */
  readonly consistency: readonly string[]
  /** Of the entry that tells of the batch; null where it has none (a heartbeat). */
  readonly index: number | null
  /** That the entry is in the ledger. */
  readonly inclusion: readonly string[]
  /** The entry itself, its bytes as text: it names the batch's digest. */
  readonly entry: string | null
}

/**
 * The checkpoint that the batch names; undefined where it names none. Refuses one that nobody here signed
 * (`batch_invalid`), and one that the ledger does not continue (`ledger_broken`): by then the log has been stopped.
 */
export async function judgeWitness(
  parts: Parts,
  api: string,
  batch: UseBatch,
): Promise<Checkpoint | undefined | Refusal> {
  if (batch.checkpoint === null) return undefined
  const { sequence, ledgerKeys } = parts
  const named = openCheckpoint(batch.checkpoint, sequence.origin, await ledgerKeys.verifiers())
  if (named instanceof NoCheckpoint)
    return refuse("batch_invalid", `[checkpoint] ${named.tag}: not one of this ledger`)
  if (sequence.stopped() !== undefined) return broken("the ledger stands still")
  const why = await objectionTo(parts, named)
  if (why === undefined) return named
  await raise(parts, api, batch, why)
  return broken(`a checkpoint that ${batch.instance} holds is not continued`)
}

const broken = (reason: string): Refusal => refuse("ledger_broken", `[checkpoint] ${reason}`)

async function objectionTo({ sequence }: Parts, named: Checkpoint): Promise<"rollback" | "fork" | undefined> {
  const newest = await sequence.newest()
  if (!newest || newest.size < named.size) return "rollback"
  const root = await sequence.tree().root(named.size)
  return Buffer.compare(root, named.root) === 0 ? undefined : "fork"
}

/** Both checkpoints are kept: together they prove it to anybody. */
async function raise(parts: Parts, api: string, batch: UseBatch, why: string): Promise<void> {
  const { sequence, ledger } = parts
  const ours = (await sequence.newest())?.note ?? null
  const evidence = { why, verifier: batch.instance, theirs: batch.checkpoint, ours }
  await sequence.stop(JSON.stringify(evidence))
  await ledger.append([{ kind: "alarm.raised", at: ledger.at(), api, code: "ledger_broken", body: evidence }])
}

/** Of a batch that is in the ledger. Waits until a checkpoint holds it. Throws Unavailable, TreeBroken. */
export async function attest(parts: Parts, named: Checkpoint, batch: UseBatch): Promise<Attested> {
  const { sequence, engine } = parts
  const { instance, sequence: number } = batch
  const [found] = await engine.query(batchEntry, { instance, sequence: number })
  const row = found && found.entry > 0 ? found : undefined // of before a log that was begun anew
  const { size, note } = await sequence.covering(row ? Math.max(row.entry, named.size) : named.size)
  const tree = sequence.tree()
  const index = row ? row.entry - 1 : null
  return {
    checkpoint: note,
    consistency: (await tree.consistency(named.size, size)).map(toText),
    index,
    inclusion: index === null ? [] : (await tree.inclusion(index, size)).map(toText),
    entry: row ? Buffer.from(row.bytes).toString("utf8") : null,
  }
}

const toText = (hash: Uint8Array): string => Buffer.from(hash).toString("base64")
