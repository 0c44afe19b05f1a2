// Batches of uses, as verifier instances report them: taken in once, in order, each use an entry against its task. It
// decides whether a batch is new, a repetition or a contradiction; whether a use was right is for those who read the
// ledger, so what a verifier says is written down as it says it, with the verifier's own time beside ours.
import type { Step } from "../database/database.ts"
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import type { Event } from "../ledger/event.ts"
import { readUseBatch, type UseBatch, type UseRecord } from "../token/batch.ts"
import { packBatch, signatureOf } from "../token/batch-text.ts"
import { Unreadable } from "../token/jwt.ts"
import { joinSegments } from "../token/resource.ts"
import { type Attempt, commitDecision, type Settled } from "./commit.ts"
import { firstUseSteps } from "./first-use.ts"
import { createFold, type Fold } from "./fold.ts"
import { type Advance, advance, type Read, Repeated, type Reporter } from "./instance.ts"
import { createJudge } from "./judge.ts"
import type { Anomaly } from "./misuse.ts"
import { assembleParts, type Parts, type TaskOptions } from "./parts.ts"
import { type Beyond, limitSteps, perhapsBeyond } from "./use-limits.ts"
import { insertBatch, instanceByName } from "./use-statements.ts"
import { type Attested, attest, firstWitnessed, judgeWitness } from "./witness.ts"

export interface Taken {
  /** Every use up to this sequence number is in the ledger, durably. */
  readonly acknowledged: number
  /** Uses of the batch beyond a limit of their task, where there are: who records before serving must not serve these. */
  readonly beyond?: Beyond
  /** Where the instance holds a checkpoint: what it can check by itself. Waits until one holds the batch. */
  readonly attested?: () => Promise<Attested>
}

export interface Uses {
  /** `held`: the newest checkpoint that the instance holds, where it is told beside the batch. */
  take(reporter: Reporter, text: string, held?: string): Promise<Taken | Refusal>
  /** For an instance that holds none. */
  newest(): Promise<Attested>
}

/** NOT checked here: that the service token is genuine and bound to `reporter.key`; that is the issuer's. */
export function createUses(options: TaskOptions): Uses {
  const parts = { ...assembleParts(options), fold: createFold() }
  return {
    take: (reporter, text, held) => takeBatch(parts, reporter, text, held),
    newest: () => firstWitnessed(parts),
  }
}

/** A batch, and what of it is kept beside its entry. */
interface Whole extends Read {
  readonly signed: Uint8Array | null
  /** Stands in the entry. */
  readonly signature: string
}

interface UseParts extends Parts {
  /** Of alarms. */
  readonly fold: Fold
}

async function takeBatch(
  parts: UseParts,
  reporter: Reporter,
  text: string,
  held: string | undefined,
): Promise<Taken | Refusal> {
  const read = readUseBatch(text, reporter.key)
  if (read instanceof Unreadable) return refuse("batch_invalid", `[${read.tag}] the batch can't be read`)
  const wrong = judgeBatch(parts, reporter, read.batch)
  if (wrong) return wrong
  const named = await judgeWitness(parts, reporter.api, read.batch, held)
  if (named instanceof Refused) return named
  const signed = read.batch.uses.length > 0 ? await packBatch(text) : new Uint8Array()
  const whole = { ...read, signed, signature: signatureOf(text) }
  const outcome = await commitDecision<Taken>(parts, () => planBatch(parts, reporter, whole))
  if (outcome instanceof Refused && outcome.code === "batch_conflict")
    await alarm(parts, reporter, whole, outcome)
  if (outcome instanceof Refused || !named) return outcome
  return { ...outcome, attested: () => attest(parts, named, read.batch) }
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
  parts: UseParts,
  reporter: Reporter,
  read: Whole,
): Promise<Attempt<Taken> | Settled<Taken> | Refusal> {
  const { batch } = read
  const [known] = await parts.engine.query(instanceByName, { instance: batch.instance })
  const advanced = await advance(parts, reporter, read, known)
  if (advanced instanceof Refused) return advanced
  const { acknowledged } = advanced
  if (advanced instanceof Repeated)
    return { settled: takenWith(acknowledged, await perhapsBeyond(parts, batch.uses)) }
  await parts.names.ensure(namesIn(batch, reporter))
  const { steps, alarms, ofErased, beyond } = await useSteps(parts, reporter, batch, advanced.drift)
  const confirmation = await firstUseSteps(parts, batch)
  const answer = async () => {
    alarms.said()
    if (confirmation.length > 0) await parts.keyring.refresh()
    return takenWith(acknowledged, beyond)
  }
  const kept = ofErased ? { ...read, signed: null } : read
  const reported = batch.uses.length === 0 ? [] : reportSteps(parts, reporter, kept, advanced.told)
  return { steps: [...advanced.steps, ...steps, ...reported, ...alarms.steps, ...confirmation], answer }
}

const takenWith = (acknowledged: number, beyond: Beyond): Taken => ({
  acknowledged,
  ...(beyond.size > 0 && { beyond }),
})

function namesIn(batch: UseBatch, reporter: Reporter): string[] {
  const names = batch.uses.flatMap((use) => [use.operation, use.code, use.client])
  return [...new Set([reporter.api, ...names])].filter((name): name is string => name !== undefined)
}

function reportSteps(parts: Parts, reporter: Reporter, read: Whole, told: Advance["told"]): Step[] {
  const { batch, digest, signed, signature } = read
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
        signature,
        ...told,
      },
    }),
    { statement: insertBatch, values: { instance, sequence, digest, signed }, rows: 1 },
  ]
}

/** `ofErased`: a task of theirs was erased, so that what was signed is not kept. */
async function useSteps(parts: UseParts, reporter: Reporter, batch: UseBatch, drift: number | undefined) {
  const judge = await createJudge(parts, reporter.api, batch, drift)
  const { instance, sequence } = batch
  const resource = parts.policies.inForce().apis.get(reporter.api)?.resource
  const from = { at: parts.ledger.at(), api: reporter.api, resource, instance, sequence }
  let ofErased = false
  const tasks = new Set<string>()
  const steps = batch.uses.flatMap((use) => {
    const { key, reference, anomalies } = judge.judge(use)
    ofErased ||= key === "erased"
    const held = tasks.has(use.task)
    tasks.add(use.task)
    return parts.ledger.steps(eventOf(use, { ...from, reference, anomalies }), key, held)
  })
  const limits = await limitSteps(parts, batch.uses, judge.typeOf)
  return {
    steps: [...steps, ...limits.steps],
    alarms: judge.alarms(),
    ofErased,
    beyond: limits.beyond,
  }
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
      ...(from.anomalies.length > 0 && { anomalies: from.anomalies }),
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
  readonly anomalies: readonly Anomaly[]
}

/** Once a minute: it is sent again and again. */
async function alarm(parts: UseParts, reporter: Reporter, read: Read, refusal: Refusal): Promise<void> {
  const { instance, sequence } = read.batch
  const key = `${refusal.code} ${reporter.key.thumbprint} ${instance} ${sequence}`
  const at = parts.ledger.at()
  if (!parts.fold.isNew(key, at)) return
  const body = { why: refusal.reason, verifier: instance, sequence, digest: read.digest }
  await parts.ledger.append([{ kind: "alarm.raised", at, api: reporter.api, code: refusal.code, body }])
  parts.fold.said(key, at)
}
