// What a batch changes of its verifier instance: how far that has come, what is missing before, how its clock stands to
// ours. It decides whether the batch is the next one, one that was missed, a repetition or a contradiction.
import type { Step } from "../database/database.ts"
import { type Refusal, type Refusal as Refused, refuse } from "../errors.ts"
import type { Json } from "../ledger/event.ts"
import { parseInstant, toInstant } from "../time.ts"
import type { UseBatch } from "../token/batch.ts"
import { timeOfUuid } from "../token/id.ts"
import type { VerificationKey } from "../token/signature.ts"
import { fillGap, type Gap, gapBefore } from "./chain.ts"
import { driftOf, type Told } from "./drift.ts"
import { type GapRow, gapOfNumber, insertGap, removeGap } from "./gap-statements.ts"
import type { Parts } from "./parts.ts"
import {
  advanceInstance,
  batchDigest,
  type InstanceRow,
  insertApplied,
  insertInstance,
  instanceStands,
} from "./use-statements.ts"

/** The API that sends the batch, as its service token says, and the key of its verifier instance. */
export interface Reporter {
  /** The API's name in the policy. */
  readonly api: string
  readonly key: VerificationKey
  /** Epoch seconds of its clock, when it sent this; absent: it did not say. */
  readonly sentAt?: number | undefined
}

export interface Read {
  readonly batch: UseBatch
  readonly digest: string
}

/** What taking a batch in does to its instance. */
export interface Advance {
  readonly steps: readonly Step[]
  /** Members of the entry that tells of the batch, beyond what every such entry has. */
  readonly told: Readonly<Record<string, Json>>
  /** Every batch up to this number was taken in, or is told of as missing. */
  readonly acknowledged: number
  /** Milliseconds that its clock is ahead of ours; undefined: nobody knows. */
  readonly drift: number | undefined
}

/** The batch was taken in before: nothing is written. */
export class Repeated {
  readonly acknowledged: number

  constructor(acknowledged: number) {
    this.acknowledged = acknowledged
  }
}

/** `known`: the instance as it is stored. */
export async function advance(
  parts: Parts,
  reporter: Reporter,
  read: Read,
  known: InstanceRow | undefined,
): Promise<Advance | Repeated | Refusal> {
  if (known && (known.api !== reporter.api || known.jkt !== reporter.key.thumbprint))
    return refuse("batch_conflict", "[instance] the instance is known under another API or key")
  if (known && read.batch.sequence <= known.sequence) return comeLate(parts, read, known)
  const told = driftOf(read.batch.iat, reporter.sentAt, parts.clock.now())
  const at = parts.ledger.at()
  const about = { at, api: reporter.api, since: known?.last_seen ?? timeOfUuid(read.batch.instance) }
  const gap = gapBefore(read.batch, known)
  const values = { ...valuesOf(read, at), ...told.valuesAfter(known?.drifted_since ?? null, at) }
  return {
    steps: [
      ...(known ? knownSteps(parts, values, known) : joinSteps(parts, reporter, values)),
      ...(gap ? gapSteps(parts, about, read.batch, gap) : []),
    ],
    told: gap?.why === "missing" ? { after: gap.first - 1 } : {},
    acknowledged: read.batch.sequence,
    drift: told.drift,
  }
}

function valuesOf({ batch, digest }: Read, now: number) {
  const { instance, sequence, cursor } = batch
  const applied_at = batch.applied_at === null ? null : (parseInstant(batch.applied_at) ?? null)
  return { instance, sequence, digest, cursor, applied_at, now, final: batch.final ? 1 : 0 }
}

type InstanceValues = ReturnType<typeof valuesOf> & ReturnType<Told["valuesAfter"]>

function joinSteps(parts: Parts, { api, key }: Reporter, values: InstanceValues): Step[] {
  const { instance, sequence, now } = values
  const jkt = key.thumbprint
  const body = { verifier: instance, sequence, jkt }
  return [
    {
      statement: insertInstance,
      values: { ...values, api, jkt, public_jwk: JSON.stringify(key.jwk) },
      rows: 1,
    },
    ...parts.ledger.steps({ kind: "verifier.joined", at: now, api, body }),
  ]
}

function knownSteps(parts: Parts, values: InstanceValues, known: InstanceRow): Step[] {
  const { instance, cursor, applied_at, now } = values
  const from = known.cursor ?? 0
  const applied = { instance, from, to: cursor, applied_at: applied_at ?? now, now }
  return [
    { statement: advanceInstance, values: { ...values, known: known.sequence }, rows: 1 },
    ...(cursor > from ? [{ statement: insertApplied, values: applied }] : []),
    ...(known.written_off_at === null ? [] : returnedSteps(parts, known, now)),
  ]
}

/** One that an operator has given up. Others return where their silence is told (issuer/watch.ts). */
function returnedSteps(parts: Parts, { instance, api, last_seen }: InstanceRow, at: number): Step[] {
  const silent_seconds = Math.round((at - last_seen) / 1000)
  const body = { verifier: instance, written_off: true, silent_seconds }
  return parts.ledger.steps({ kind: "verifier.returned", at, api, body })
}

interface About {
  readonly at: number
  readonly api: string
  /** When the batch before came, or when the instance was made: about then what is missing began. */
  readonly since: number
}

function gapSteps(
  parts: Parts,
  { at, api, since }: About,
  { instance, sequence }: UseBatch,
  gap: Gap,
): Step[] {
  const { first: from, last: to, why, known, previous } = gap
  const body = {
    ...{ verifier: instance, sequence, why, from, to, known, previous },
    since: toInstant(Math.min(at, since)),
  }
  return [
    { statement: insertGap, values: { ...gap, instance, told_at: at, written_off_at: null }, rows: 1 },
    ...parts.ledger.steps({ kind: "verifier.gap", at, api, body }),
  ]
}

/** A number that is not above the last one: taken in before, missed until now, or used twice. */
async function comeLate(parts: Parts, read: Read, known: InstanceRow): Promise<Advance | Repeated | Refusal> {
  const { sequence, instance, uses } = read.batch
  const [stored] = await parts.engine.query(batchDigest, { instance, sequence })
  const digest = sequence === known.sequence ? known.digest : stored?.digest
  if (digest === read.digest) return new Repeated(known.sequence)
  const [gap] = await parts.engine.query(gapOfNumber, { instance, sequence })
  if (gap) return fill(parts, read, known, gap)
  // A heartbeat leaves no row once another follows: an empty batch of an old number says nothing new.
  if (digest === undefined && uses.length === 0) return new Repeated(known.sequence)
  return refuse("batch_conflict", "[sequence] the number was used for other bytes")
}

function fill(parts: Parts, { batch, digest }: Read, known: InstanceRow, gap: GapRow): Advance | Refused {
  const late = fillGap(gap, batch, digest)
  if (!late) return refuse("batch_conflict", "[previous] the batch after it follows another of its number")
  const { instance, sequence } = batch
  const { id, first, last, told_at, written_off_at } = gap
  const at = parts.ledger.at()
  const about = { at, api: known.api }
  const since = batch.iat * 1000
  const written = written_off_at === null ? {} : { written_off: true }
  const body = { verifier: instance, sequence, closed: true, from: sequence, to: sequence, ...written }
  return {
    steps: [
      { statement: instanceStands, values: { instance, known: known.sequence }, rows: 1 },
      { statement: removeGap, values: { id, first, last }, rows: 1 },
      ...late.rest.map(
        ({ first, last, why, known, previous }): Step => ({
          statement: insertGap,
          values: { instance, first, last, why, known, previous, told_at, written_off_at },
          rows: 1,
        }),
      ),
      ...parts.ledger.steps({ kind: "verifier.gap", ...about, body }),
      ...(late.differs ? gapSteps(parts, { ...about, since }, batch, late.differs) : []),
    ],
    told: { late: true },
    acknowledged: known.sequence,
    drift: undefined,
  }
}
