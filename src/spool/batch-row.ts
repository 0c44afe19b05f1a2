// How a signed batch stands in the spool: beside the rows of the uses it is made of, which stay until it is acknowledged, so
// that nothing is written twice. It decides rows and bytes only; what a batch takes, seal.ts decides.
import type { WriterStep } from "../database/writer.ts"
import { type BatchEnvelope, batchDigest, rebuildUseBatch } from "../token/batch.ts"
import { addGroup, readGroup, textOf, type UseGroup } from "./group-row.ts"
import * as sql from "./statements.ts"

/**
 * Bytes of the spool that the uses of a batch held, by task. No plain object: with a thousand tasks in a batch, making it a
 * thousand members costs as much as recording some of the uses.
 */
export type Shares = ReadonlyMap<string, number>

/** A batch that is not acknowledged: the exact bytes that are sent, however often. */
export interface StoredBatch {
  readonly sequence: number
  readonly bytes: Uint8Array<ArrayBuffer>
  /** What the next batch calls it. */
  readonly digest: string
  /** The lowest use in it; zero when it is empty. */
  readonly first: number
  readonly shares: Shares
}

/** The same, with what is written of it beside its uses. */
export interface NewBatch extends StoredBatch {
  readonly envelope: BatchEnvelope
  /** What was joined to each of its uses: members of JSON, each after a comma; empty: nothing. */
  readonly outcomes: readonly string[]
}

/** What a batch takes of the uses in no batch. */
export interface Taking {
  /** In the order of the batch; all of each. */
  readonly groups: readonly UseGroup[]
  /** Groups that it takes only some of: they are written anew first, */
  readonly split: readonly UseGroup[]
  /** as these, of which it takes those that are among `groups`. */
  readonly pieces: readonly UseGroup[]
  /** The highest number of what it takes; zero: nothing. */
  readonly highest: number
}

/** Each step fails where a group is gone, or in a batch already. */
export function addBatch(batch: NewBatch, { groups, split, pieces, highest }: Taking): WriterStep[] {
  const { sequence, first, shares, envelope, outcomes } = batch
  const numbers = (of: readonly UseGroup[]) => JSON.stringify(of.map((group) => group.first))
  const parts = [writeShares(shares), JSON.stringify(envelope), outcomes.join("\n")]
  return [
    ...(split.length > 0 ? [{ sql: sql.DROP_USES, values: [numbers(split)], rows: split.length }] : []),
    ...pieces.map(addGroup),
    ...(groups.length > 0
      ? [{ sql: sql.TAKE_USES, values: [sequence, numbers(groups)], rows: groups.length }]
      : []),
    sql.run(sql.ADD_BATCH, sequence, first, ...parts, highest),
  ]
}

export const releaseBatch = (sequence: number): WriterStep[] => [
  sql.run(sql.RELEASE_USES, sequence),
  sql.run(sql.RELEASE_TAKEN, sequence),
  sql.run(sql.RELEASE_BATCH, sequence),
]

export interface BatchRow {
  readonly sequence: number
  readonly first: number
  readonly shares: string
  readonly envelope: string
  readonly outcomes: string
}

/** The batch as it was signed, to the byte. `groups`: the rows that it took, in their order. */
export function readBatch(row: BatchRow, groups: readonly UseGroup[]): StoredBatch {
  const { sequence, first, shares, envelope, outcomes } = row
  const uses = groups.flatMap(readGroup)
  const joined = uses.length === 0 ? [] : outcomes.split("\n")
  if (joined.length !== uses.length)
    throw new Error(`the spool's batch ${sequence} can't be read; move the spool aside and keep it`)
  const texts = uses.map((use, at) => joinOutcome(textOf(use), joined[at] ?? ""))
  const bytes = rebuildUseBatch(JSON.parse(envelope), texts)
  return { sequence, first, shares: readShares(shares), bytes, digest: batchDigest(bytes) }
}

/** As they stand in a row: JSON, of one object. */
const writeShares = (shares: Shares): string =>
  `{${Array.from(shares, ([task, bytes]) => `${JSON.stringify(task)}:${bytes}`).join(",")}}`

export const readShares = (text: string): Shares => new Map(Object.entries<number>(JSON.parse(text)))

/** A use's JSON with further members. */
export const joinOutcome = (text: string, outcome: string): string =>
  outcome === "" ? text : `${text.slice(0, -1)}${outcome}}`
