// What the issuer answers to a batch, held against what this verifier knows of the ledger: that its newest checkpoint is signed
// by the key that is trusted, continues the one that is held, and holds the batch. Pure. It tells "not proved yet" from "proved to
// be another history"; what follows from either is witness.ts's.
import { type Checkpoint, NoCheckpoint, openCheckpoint, readVkey } from "../ledger/checkpoint.ts"
import { HASH_BYTES, leafHash, provesConsistency, provesInclusion } from "../ledger/merkle.ts"

/** A checkpoint that was found to be signed and to continue all those before it. */
export interface HeldCheckpoint {
  /** The signed note. */
  readonly note: string
  readonly size: number
  /** Base64. */
  readonly root: string
}

export interface Trust {
  /** Who signs the ledger's checkpoints: a vkey. Its name is the log's origin. */
  readonly key: string
  /** Null before the first. */
  readonly held: HeldCheckpoint | null
  /** Batches up to this number may have entries that no tree holds: of a log that was left. */
  readonly before: number
}

/** What was sent. */
export interface SentBatch {
  readonly instance: string
  readonly sequence: number
  readonly digest: string
  /** Without uses: the ledger has no entry of it. */
  readonly empty: boolean
}

/**
 * `shorter`: it ends before the checkpoint that is held; `not_continued`: it has another history; `not_included`: the batch is
 * not where it is said to be; `another_entry`: the entry there tells of something else.
 */
export type Contradiction = "shorter" | "not_continued" | "not_included" | "another_entry"

export type Verdict =
  | { readonly verdict: "proved"; readonly trust: Trust }
  /** The first checkpoint is known now, and the batch is not proved: send it again. */
  | { readonly verdict: "begun"; readonly trust: Trust }
  /** `why`: in words for an operator. */
  | { readonly verdict: "unproved"; readonly why: string }
  /** `theirs`: the checkpoint, signed by the key that is trusted, that contradicts the held one or the batch. */
  | { readonly verdict: "contradicted"; readonly why: Contradiction; readonly theirs: string }

const MOST_HANDOVERS = 64

/** `text`: the body of an answer 200 of POST /uses. */
export function judgeAnswer(trust: Trust, sent: SentBatch, text: string): Verdict {
  const answer = membersOf(text)
  const { checkpoint: theirs } = answer
  if (typeof theirs !== "string") return unproved("the issuer answers no checkpoint of its ledger")
  const key = successorOf(trust.key, answer.handovers)
  const fresh = openBy(key, theirs)
  if (!fresh)
    return unproved(
      `the ledger's checkpoints are not signed by ${key}, which is trusted; where its operator began a new ledger, give that one's key as ledgerKey`,
    )
  const { size, root } = fresh
  const next: Trust = { ...trust, key, held: { note: theirs, size, root: toText(root) } }
  if (!trust.held) return { verdict: "begun", trust: next }
  if (size < trust.held.size) return { verdict: "contradicted", why: "shorter", theirs }
  const proof = hashesIn(answer.consistency)
  if (!proof) return unproved("the issuer does not prove that its ledger continues the one that is known")
  const older = { size: trust.held.size, root: Buffer.from(trust.held.root, "base64") }
  if (!provesConsistency(older, fresh, proof))
    return { verdict: "contradicted", why: "not_continued", theirs }
  return judgeEntry(next, sent, answer, fresh)
}

const unproved = (why: string): Verdict => ({ verdict: "unproved", why })

function judgeEntry(next: Trust, sent: SentBatch, answer: Members, fresh: Checkpoint): Verdict {
  const proved: Verdict = { verdict: "proved", trust: next }
  const { index, entry } = answer
  if (sent.empty) return proved
  if (entry === null && sent.sequence <= next.before) return proved
  const proof = hashesIn(answer.inclusion)
  if (typeof index !== "number" || typeof entry !== "string" || !proof)
    return unproved("the issuer does not prove that its ledger holds the batch")
  const theirs = next.held?.note ?? ""
  const claim = { ...fresh, index, leaf: leafHash(Buffer.from(entry)) }
  if (!provesInclusion(claim, proof)) return { verdict: "contradicted", why: "not_included", theirs }
  return tellsOf(entry, sent) ? proved : { verdict: "contradicted", why: "another_entry", theirs }
}

function tellsOf(entry: string, { instance, sequence, digest }: SentBatch): boolean {
  const { kind, body } = membersOf(entry)
  const told: Members = typeof body === "object" && body !== null ? { ...body } : {}
  return (
    kind === "verifier.reported" &&
    told.verifier === instance &&
    told.sequence === sequence &&
    told.digest === digest
  )
}

/** Who signs after these checkpoints, each of which the key before has signed too. What is no hand-over changes nothing. */
function successorOf(key: string, handovers: unknown): string {
  let current = key
  if (!Array.isArray(handovers)) return current
  for (const one of handovers.slice(0, MOST_HANDOVERS)) {
    const { checkpoint, key: next }: Members = Object(one)
    if (typeof checkpoint !== "string" || typeof next !== "string") continue
    if (openBy(current, checkpoint) && openBy(next, checkpoint)) current = next
  }
  return current
}

/** Undefined where that key did not sign it, for the log of its own name. */
function openBy(vkey: string, note: string): Checkpoint | undefined {
  const key = readVkey(vkey)
  const opened = key && openCheckpoint(note, key.name, [key])
  return opened instanceof NoCheckpoint ? undefined : opened
}

type Members = Readonly<Record<string, unknown>>

function membersOf(text: string): Members {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? { ...value } : {}
  } catch {
    return {} // not the issuer's answer: a proxy's page, say
  }
}

/** Undefined where there is no list of hashes at all. */
function hashesIn(value: unknown): Buffer[] | undefined {
  if (!Array.isArray(value) || !value.every((one) => typeof one === "string")) return undefined
  return value.map((one) => Buffer.from(one, "base64").subarray(0, HASH_BYTES + 1))
}

const toText = (hash: Uint8Array): string => Buffer.from(hash).toString("base64")
