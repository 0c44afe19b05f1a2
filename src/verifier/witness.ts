// What this verifier knows of the ledger, kept in its spool: the key that is trusted, the newest checkpoint, and the proof
// where the ledger turned out to be another. It decides whose word is taken, what is released, and that nothing is served
// after a contradiction until an operator has decided; whether an answer is a proof, attestation.ts does.
import { type Refusal, refuse } from "../errors.ts"
import { readVkey } from "../ledger/checkpoint.ts"
import { exchange, Unreachable } from "../remote/exchange.ts"
import type { Kept, Spool } from "../spool/spool.ts"
import { type Clock, toInstant } from "../time.ts"
import { type Contradiction, judgeAnswer, type SentBatch, type Trust } from "./attestation.ts"

/** Two checkpoints, each signed by the ledger's key, that can't both be of one ledger; or one that does not hold a batch. */
export interface LedgerFork {
  readonly why: Contradiction
  /** RFC 3339. */
  readonly at: string
  /** The batch that was sent. */
  readonly sequence: number
  /** The checkpoint that was held, and the one that was answered, as signed notes. */
  readonly held: string
  readonly theirs: string
  /** The answer itself, with the proofs that are none. */
  readonly answer: string
}

export interface Witness {
  /** The newest checkpoint, for the batch that is being signed. */
  held(): string | null
  /** To be sent beside each batch. */
  headers(): Readonly<Record<string, string>>
  /**
   * Holds the answer against what is known. Answers what is to be kept with the release of the batch, and where; undefined:
   * send it again. Throws Unproved, LedgerForked, Unreachable.
   */
  judge(sent: SentBatch, answer: string): Promise<Kept | undefined>
  /** Whether the issuer itself says that its ledger is broken. */
  tell(broken: boolean): Promise<void>
  /** Reads what is known by now, also to other processes that share the spool. A LedgerForked: nothing is to be sent. */
  look(): LedgerForked | undefined
  /** Why nothing may be served; undefined: it may. */
  standing(): Refusal | undefined
  fork(): LedgerFork | undefined
  /** In words for an operator, what `standing` refuses for. */
  complaint(): string | undefined
}

/** The batch is kept, and sent again: the issuer took it in and has not proved so. */
export class Unproved extends Error {
  override readonly name = "Unproved"
}

/** The ledger is another than the one that was known. Nothing is sent any more. */
export class LedgerForked extends Error {
  override readonly name = "LedgerForked"
}

export interface WitnessOptions {
  readonly spool: Spool
  readonly issuer: string
  readonly issuerAddress: string
  /** A vkey; undefined: the one that the issuer names first. */
  readonly ledgerKey: string | undefined
  readonly clock: Clock
  /** Told once of a contradiction, also of one that was found before a restart. */
  readonly found: (fork: LedgerFork) => void
}

/** As it rests. */
interface Known extends Omit<Trust, "key"> {
  /** What the operator gave; null: nothing. */
  readonly pin: string | null
  /** Null before the issuer was asked. */
  readonly key: string | null
  /** The issuer says that its ledger is broken. */
  readonly broken: boolean
  readonly fork: LedgerFork | null
  /** What was found before an operator decided. */
  readonly settled: readonly LedgerFork[]
}

const NOTHING: Known = {
  ...{ pin: null, key: null, held: null, before: 0 },
  ...{ broken: false, fork: null, settled: [] },
}
const LIMITS = { maxBytes: 64 * 1024, timeoutMilliseconds: 5000 }

/** Takes a key that the operator gives for the first time; sends nothing. */
export async function openWitness(options: WitnessOptions): Promise<Witness> {
  const { spool, ledgerKey } = options
  const before = createKnown(spool, () => undefined)
  const pinned = pin(before.now(), ledgerKey, spool)
  if (pinned !== before.now()) await before.keep(pinned)
  const known = createKnown(spool, options.found)
  known.now()
  const tell = async (broken: boolean) => {
    if (known.now().broken !== broken) await known.keep({ ...known.now(), broken })
  }
  return {
    held: () => known.now().held?.note ?? null,
    headers() {
      const { held } = known.now()
      return held ? { "taskmint-checkpoint": Buffer.from(held.note).toString("base64url") } : {}
    },
    judge: createJudge(options, known, tell),
    tell,
    look() {
      const { fork } = known.now()
      return fork ? new LedgerForked(wordsOf(fork)) : undefined
    },
    standing: () => (known.seen().fork || known.seen().broken ? FORKED : undefined),
    fork: () => known.seen().fork ?? undefined,
    complaint() {
      const { fork, broken } = known.seen()
      if (fork) return wordsOf(fork)
      return broken ? "the issuer says that its ledger is not the one that was signed" : undefined
    },
  }
}

function createJudge(
  options: WitnessOptions,
  { now, keep }: ReturnType<typeof createKnown>,
  tell: Witness["tell"],
): Witness["judge"] {
  const trusted = async (): Promise<Trust> => {
    const { key, held, before } = now()
    if (key !== null) return { key, held, before }
    const first = await askForKey(options)
    await keep({ ...now(), key: first })
    return { key: first, held, before }
  }
  return async (sent, answer) => {
    await tell(false)
    const trust = await trusted()
    const found = judgeAnswer(trust, sent, answer)
    if (found.verdict === "unproved") throw new Unproved(found.why)
    if (found.verdict === "contradicted") {
      const { why, theirs } = found
      const { sequence } = sent
      const at = toInstant(options.clock.now())
      const fork = { why, at, sequence, held: trust.held?.note ?? "", theirs, answer }
      await keep({ ...now(), fork })
      throw new LedgerForked(wordsOf(fork))
    }
    const next = { ...now(), ...found.trust }
    if (found.verdict === "proved") return ["ledger", JSON.stringify(next)]
    await keep(next)
    return undefined
  }
}

const FORKED = refuse("ledger_forked", "ledger")

const WORDS: Record<Contradiction, string> = {
  shorter: "it ends before a checkpoint that it signed",
  not_continued: "it does not continue a checkpoint that it signed",
  not_included: "a batch is not where it is said to be",
  another_entry: "an entry does not tell of the batch that it is said to tell of",
}

const wordsOf = ({ why, at }: LedgerFork): string =>
  `the ledger was rolled back or forked (found ${at}: ${WORDS[why]}); decide with taskmint verifier trust`

/** What is known, as it stands in the spool: of several processes one sends, and all read. */
function createKnown(spool: Pick<Spool, "latest" | "keep">, found: WitnessOptions["found"]) {
  let text: string | undefined
  let known = NOTHING
  let told: string | undefined
  const take = (latest: string | undefined): Known => {
    if (latest === text) return known
    text = latest
    known = latest === undefined ? NOTHING : JSON.parse(latest)
    if (known.fork && told !== known.fork.at) found(known.fork)
    told = known.fork?.at
    return known
  }
  return {
    now: () => take(spool.latest("ledger")),
    /** As of the last look: asked by every request. */
    seen: () => known,
    async keep(next: Known) {
      const latest = JSON.stringify(next)
      await spool.keep("ledger", latest)
      take(latest)
    },
  }
}

/**
 * A key that the operator had not given before is trusted from now on. Where it is of another log, what was known of the one
 * before is over, and batches that are sealed already may be told of there.
 */
function pin(known: Known, key: string | undefined, spool: Pick<Spool, "chain">): Known {
  if (key === undefined || key === known.pin) return known
  if (key === known.key) return { ...known, pin: key }
  if (known.key === null || nameOf(known.key) === nameOf(key)) return { ...known, pin: key, key }
  return { ...settle(known), pin: key, key, held: null, broken: false, before: sealedBy(spool) }
}

const nameOf = (vkey: string): string | undefined => readVkey(vkey)?.name

function sealedBy(spool: Pick<Spool, "chain">): number {
  const { sequence }: { sequence?: unknown } = JSON.parse(spool.chain() ?? "{}")
  return typeof sequence === "number" ? sequence : 0
}

const settle = ({ fork, settled, ...known }: Known): Known => ({
  ...known,
  fork: null,
  settled: fork ? [...settled, fork] : settled,
})

/** What a spool says of a contradiction, whether or not it was settled. */
export interface Settled {
  /** Undefined: none stood. */
  readonly fork: LedgerFork | undefined
  /** Who is trusted now; undefined: whom the issuer names first. */
  readonly key: string | undefined
}

/**
 * An operator's word, on a spool that no process has open: the contradiction that stands is settled, and the ledger has to
 * continue the checkpoint that was held before it. The proof is kept.
 */
export async function settleFork(spool: Pick<Spool, "latest" | "keep">): Promise<Settled> {
  const { now, keep } = createKnown(spool, () => undefined)
  const { fork, key } = now()
  if (fork) await keep(settle(now()))
  return { fork: fork ?? undefined, key: key ?? undefined }
}

/** Trust on first use: the key that the issuer's metadata name (RFC 8414). Throws Unreachable. */
async function askForKey({ issuer, issuerAddress }: WitnessOptions): Promise<string> {
  const address = `${issuerAddress}/.well-known/oauth-authorization-server`
  const { status, text } = await exchange(address, {}, LIMITS)
  const told: { issuer?: unknown; ledger_key?: unknown } = status === 200 ? parsed(text) : {}
  const { ledger_key: key } = told
  if (told.issuer !== issuer || typeof key !== "string" || !readVkey(key))
    throw new Unreachable("the issuer's metadata name no key of its ledger")
  return key
}

function parsed(text: string): object {
  try {
    return Object(JSON.parse(text))
  } catch (fault) {
    if (fault instanceof SyntaxError) return {}
    throw fault
  }
}
