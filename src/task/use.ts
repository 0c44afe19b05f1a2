// Batches of uses, as verifier instances report them: taken in once, in order, each use an entry against its task. It
// decides whether a batch is new, a repetition or a contradiction; whether a use was right is for those who read the
// ledger, so what a verifier says is written down as it says it, with the verifier's own time beside ours.
import type { Step } from "../database/database.ts"
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import { confirmSteps, unconfirmedKey } from "../keys/replacement.ts"
import type { TaskKey } from "../ledger/entry.ts"
import type { Event } from "../ledger/event.ts"
import { parseInstant } from "../time.ts"
import { readUseBatch, type UseBatch, type UseRecord } from "../token/batch.ts"
import { Unreadable } from "../token/jwt.ts"
import { isSegment } from "../token/resource.ts"
import type { VerificationKey } from "../token/signature.ts"
import { type Attempt, commitDecision, type Settled } from "./commit.ts"
import { assembleParts, type Parts, type TaskOptions } from "./parts.ts"
import { limitSteps } from "./use-limits.ts"
import {
  advanceInstance,
  batchDigest,
  type InstanceRow,
  insertApplied,
  insertBatch,
  insertInstance,
  instanceByName,
  keyOfToken,
  taskKey,
} from "./use-statements.ts"
import { type Attested, attest, judgeWitness } from "./witness.ts"

/** The API that sends the batch, as its service token says, and the key of its verifier instance. */
export interface Reporter {
  /** The API's name in the policy. */
  readonly api: string
  readonly key: VerificationKey
}

export interface Taken {
  /** Every use up to this sequence number is in the ledger, durably. */
  readonly acknowledged: number
  /** Where the batch names a checkpoint. */
  readonly attested?: Attested
}

export interface Uses {
  take(reporter: Reporter, text: string): Promise<Taken | Refusal>
}

/** NOT checked here: that the service token is genuine and bound to `reporter.key`; that is the issuer's. */
export function createUses(options: TaskOptions): Uses {
  const parts = assembleParts(options)
  return { take: (reporter, text) => takeBatch(parts, reporter, text) }
}

interface Read {
  readonly batch: UseBatch
  readonly digest: string
}

async function takeBatch(parts: Parts, reporter: Reporter, text: string): Promise<Taken | Refusal> {
  const read = readUseBatch(text, reporter.key)
  if (read instanceof Unreadable) return refuse("batch_invalid", `[${read.tag}] the batch can't be read`)
  const wrong = judgeBatch(parts, reporter, read.batch)
  if (wrong) return wrong
  const named = await judgeWitness(parts, reporter.api, read.batch)
  if (named instanceof Refused) return named
  const outcome = await commitDecision<Taken>(parts, () => planBatch(parts, reporter, read))
  if (outcome instanceof Refused && outcome.code === "batch_conflict")
    await alarm(parts, reporter, read, outcome)
  if (outcome instanceof Refused || !named) return outcome
  return { ...outcome, attested: await attest(parts, named, read.batch) }
}

/** The instance speaks for one API, to this issuer, about its own uses. */
function judgeBatch(parts: Parts, reporter: Reporter, batch: UseBatch): Refusal | undefined {
  if (batch.aud !== parts.issuer) return refuse("batch_invalid", "[aud] the batch is for another issuer")
  if (batch.iss !== reporter.api) return refuse("batch_invalid", "[iss] the batch is by another caller")
  const others = [...parts.policies.inForce().apis.values()].filter(({ name }) => name !== reporter.api)
  // An address that nobody has any more was the sender's: spools outlive a change of the policy.
  if (batch.uses.some((use) => others.some(({ resource }) => resource === use.api)))
    return refuse("batch_invalid", "[api] a use names another API than the sender")
  return undefined
}

async function planBatch(
  parts: Parts,
  reporter: Reporter,
  read: Read,
): Promise<Attempt<Taken> | Settled<Taken> | Refusal> {
  const { batch } = read
  const [known] = await parts.engine.query(instanceByName, { instance: batch.instance })
  if (known && (known.api !== reporter.api || known.jkt !== reporter.key.thumbprint))
    return refuse("batch_conflict", "[instance] the instance is known under another API or key")
  if (known && batch.sequence <= known.sequence) return repeated(parts, known, read)
  if (known && batch.sequence === known.sequence + 1 && batch.previous !== known.digest)
    return refuse("batch_conflict", "[previous] the batch does not follow the one before it")
  await parts.names.ensure(namesIn(batch, reporter))
  const steps = [
    ...instanceSteps(parts, reporter, read, known),
    ...(await useSteps(parts, reporter, batch)),
    ...(batch.uses.length === 0 ? [] : reportSteps(parts, reporter, read)),
  ]
  const confirmation = await firstUseSteps(parts, batch)
  const answer = async () => {
    if (confirmation.length > 0) await parts.keyring.refresh()
    return { acknowledged: batch.sequence }
  }
  return { steps: [...steps, ...confirmation], answer }
}

/** A batch holds up to 1,000 uses; those that came last are the likeliest to be under the new key. */
const LOOKED_AT = 50

/** The first use under the current key that is recorded finishes the rotation. */
async function firstUseSteps(parts: Parts, batch: UseBatch): Promise<Step[]> {
  const kid = unconfirmedKey(parts.keyring)
  if (kid === undefined) return []
  const tokens = [...new Set(batch.uses.map(({ jti }) => jti).reverse())].slice(0, LOOKED_AT)
  for (const jti of tokens) {
    const [row] = await parts.engine.query(keyOfToken, { jti })
    if (row?.kid === kid) return confirmSteps(parts.ledger, kid, batch.instance)
  }
  return []
}

/** The same bytes again are acknowledged again; others under the same number are a contradiction. */
async function repeated(parts: Parts, known: InstanceRow, read: Read): Promise<Settled<Taken> | Refusal> {
  const { sequence, instance } = read.batch
  const [stored] = await parts.engine.query(batchDigest, { instance, sequence })
  const digest = sequence === known.sequence ? known.digest : stored?.digest
  // A heartbeat leaves no row once another follows: an empty batch of an old number says nothing new.
  if (digest === read.digest || (digest === undefined && read.batch.uses.length === 0))
    return { settled: { acknowledged: known.sequence } }
  return refuse("batch_conflict", "[sequence] the number was used for other bytes")
}

function namesIn(batch: UseBatch, reporter: Reporter): string[] {
  const names = batch.uses.flatMap((use) => [use.operation, use.code, use.client])
  return [...new Set([reporter.api, ...names])].filter((name): name is string => name !== undefined)
}

function instanceSteps(parts: Parts, reporter: Reporter, read: Read, known: InstanceRow | undefined): Step[] {
  const { batch, digest } = read
  const at = parts.ledger.at()
  const values = {
    instance: batch.instance,
    sequence: batch.sequence,
    digest,
    cursor: batch.cursor,
    applied_at: batch.applied_at === null ? null : (parseInstant(batch.applied_at) ?? null),
    now: at,
    final: batch.final ? 1 : 0,
  }
  const event = { at, api: reporter.api, body: { verifier: batch.instance, sequence: batch.sequence } }
  if (known) {
    const missing = {
      ...event,
      body: { verifier: batch.instance, from: known.sequence + 1, to: batch.sequence - 1 },
    }
    return [
      { statement: advanceInstance, values: { ...values, known: known.sequence }, rows: 1 },
      ...appliedSteps(values, known),
      ...(batch.sequence === known.sequence + 1
        ? []
        : parts.ledger.steps({ kind: "verifier.gap", ...missing })),
    ]
  }
  const identity = {
    api: reporter.api,
    jkt: reporter.key.thumbprint,
    public_jwk: JSON.stringify(reporter.key.jwk),
  }
  return [
    { statement: insertInstance, values: { ...values, ...identity }, rows: 1 },
    ...parts.ledger.steps({
      kind: "verifier.joined",
      ...event,
      body: { verifier: batch.instance, sequence: batch.sequence, jkt: reporter.key.thumbprint },
    }),
  ]
}

interface Reached {
  readonly instance: string
  readonly cursor: number
  readonly applied_at: number | null
  readonly now: number
}

function appliedSteps({ cursor, applied_at, ...rest }: Reached, known: InstanceRow): Step[] {
  const from = known.cursor ?? 0
  if (cursor <= from) return []
  const values = {
    instance: rest.instance,
    from,
    to: cursor,
    applied_at: applied_at ?? rest.now,
    now: rest.now,
  }
  return [{ statement: insertApplied, values }]
}

function reportSteps(parts: Parts, reporter: Reporter, read: Read): Step[] {
  const { batch, digest } = read
  const { instance, sequence } = batch
  return [
    ...parts.ledger.steps({
      kind: "verifier.reported",
      at: parts.ledger.at(),
      api: reporter.api,
      body: {
        verifier: instance,
        sequence,
        digest,
        previous: batch.previous,
        uses: batch.uses.length,
      },
    }),
    { statement: insertBatch, values: { instance, sequence, digest }, rows: 1 },
  ]
}

async function useSteps(parts: Parts, reporter: Reporter, batch: UseBatch): Promise<Step[]> {
  const tasks = new Map<string, { key: TaskKey; reference: string | undefined; type: string }>()
  for (const id of new Set(batch.uses.map((use) => use.task))) {
    const [row] = await parts.engine.query(taskKey, { task_id: id })
    if (!row) continue
    tasks.set(id, { key: row.key ?? "erased", reference: row.reference ?? undefined, type: row.type })
  }
  const { instance, sequence } = batch
  const resource = parts.policies.inForce().apis.get(reporter.api)?.resource
  const from = { at: parts.ledger.at(), api: reporter.api, resource, instance, sequence }
  const entries = batch.uses.flatMap((use) => {
    const task = tasks.get(use.task)
    return parts.ledger.steps(eventOf(use, { ...from, reference: task?.reference }), task?.key)
  })
  return [...entries, ...(await limitSteps(parts, batch.uses, (task) => tasks.get(task)?.type))]
}

const OUTCOMES = { allowed: "allowed", observed: "allowed", refused: "refused" } as const

/** `at` is the issuer's; the verifier's own time stands in the body and is never believed over it. */
function eventOf(use: UseRecord, from: Source): Event {
  const { id, at, task, jti, actor, client, api, operation, resource, decision, code, ...rest } = use
  const [agent = "", instance = ""] = actor.split("/")
  return {
    kind: `use.${decision}`,
    at: from.at,
    task,
    jti,
    agent,
    instance,
    orchestrator: client,
    api: from.api,
    operation,
    ...(resource !== undefined && { resource: joinSegments(resource) }),
    ...(from.reference !== undefined && { reference: from.reference }),
    ...(code !== undefined && { code }),
    outcome: OUTCOMES[decision],
    body: {
      use: id,
      served_at: at,
      verifier: from.instance,
      sequence: from.sequence,
      ...(api !== from.resource && { served_as: api }),
      ...rest,
    },
  }
}

interface Source {
  readonly at: number
  readonly api: string
  /** What the API's address is now; undefined: it left the policy. */
  readonly resource: string | undefined
  readonly instance: string
  readonly sequence: number
  readonly reference: string | undefined
}

/** Segments that are not data (they were refused) are percent-encoded, so that the path reads back one way only. */
const joinSegments = (segments: readonly string[]): string =>
  segments.map((segment) => (isSegment(segment) ? segment : encodeURIComponent(segment))).join("/")

async function alarm(parts: Parts, reporter: Reporter, read: Read, refusal: Refusal): Promise<void> {
  const { instance, sequence } = read.batch
  const body = { why: refusal.reason, verifier: instance, sequence, digest: read.digest }
  await parts.ledger.append([
    { kind: "alarm.raised", at: parts.ledger.at(), api: reporter.api, code: refusal.code, body },
  ])
}
