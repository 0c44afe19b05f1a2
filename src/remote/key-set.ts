// The public keys of an issuer, kept fresh, bounded and useful while it is away. It decides which keys are known and for
// how long they are believed without it; what a signature is worth is decided in token/.

import type { Clock } from "../time.ts"
import { readKeySet, type VerificationKey } from "../token/signature.ts"
import { exchange, Unreachable } from "./exchange.ts"

export interface KeySetSnapshot {
  /** The set as it came: parsed again, as strictly, when it is read back. */
  readonly text: string
  /** Epoch milliseconds. */
  readonly fetchedAt: number
}

interface Keeping {
  readonly clock: Clock
  /** What was known when the process last ran. */
  readonly stored?: KeySetSnapshot | undefined
  /** Told of every set that is accepted. */
  readonly keep?: (snapshot: KeySetSnapshot) => void
}

export interface KeySetOptions extends Keeping {
  readonly address: string
}

/** Where a set comes from, and what is one. */
export interface KeySource<Key> {
  /** Throws Unreachable, or PoisonedKeySet. */
  fetchText(): Promise<string>
  /** Undefined: it is no key set that may be used. */
  read(text: string): ReadonlyMap<string, Key> | undefined
}

export interface KeySet<Key = VerificationKey> {
  /** A known key while the set is believed. Never waits, never fetches. */
  keyOf(kid: string): Key | undefined
  /** Whether there is a set that is still believed. */
  usable(): boolean
  /**
   * A key that is not known: asks the issuer, all callers together, at most once in 30 seconds. "unknown": the issuer was
   * asked and does not have it. "unavailable": it could not be asked.
   */
  seek(kid: string): Promise<Key | "unknown" | "unavailable">
  /** Fetches now. Throws Unreachable, or PoisonedKeySet; what was known stays. */
  refresh(): Promise<void>
  /**
   * The issuer itself has told of this key: for 30 seconds it is sought at once, however lately the set was fetched, since
   * that may have been asked for before the key stood in it. Begins with a look; never rejects.
   */
  announce(kid: string): Promise<void>
}

/** A set that is asked for again before it has to be. */
export interface FollowedKeys<Key> extends KeySet<Key> {
  /**
   * Fetches when the set is older than that and nobody has asked for 30 seconds; undefined where nothing is to be done.
   * Rejects as `refresh` does.
   */
  freshen(olderThanMilliseconds: number): Promise<void> | undefined
}

/** The issuer answered with something that is no key set of ours: the old one is kept. */
export class PoisonedKeySet extends Error {
  override readonly name = "PoisonedKeySet"
}

const LIMITS = { maxBytes: 64 * 1024, timeoutMilliseconds: 5000 }
const COOLDOWN_MILLISECONDS = 30_000
/** RFC 7517 section 8.5.2 has a type of its own for key sets. */
const JSON_TYPE = /^application\/(jwk-set\+)?json *(;|$)/i
/** How long a set is believed without the issuer: more than a task token can live. */
const BELIEVED_MILLISECONDS = 3_600_000

/** The key set of an issuer of ours. Sends nothing until asked. */
export const createKeySet = (options: KeySetOptions): KeySet =>
  followKeys({ fetchText: () => fetchText(options.address), read: readKeys }, options)

/** Sends nothing until asked. Freshness is measured on the monotonic clock; across a restart, on wall time. */
export function followKeys<Key>(source: KeySource<Key>, options: Keeping): FollowedKeys<Key> {
  const { clock } = options
  let { keys, fetchedAt } = restore(source, options)
  let attempt: { readonly at: number; readonly answered: boolean } | undefined
  let pending: Promise<void> | undefined
  let announced: { readonly kid: string; readonly at: number } | undefined

  const fetchOne = async () => {
    const at = clock.monotonic()
    attempt = { at, answered: false }
    const text = await source.fetchText()
    const read = source.read(text)
    if (!read) throw new PoisonedKeySet("the issuer's key set was refused")
    keys = read
    fetchedAt = at
    attempt = { at, answered: true }
    options.keep?.({ text, fetchedAt: clock.now() })
  }
  const refresh = () => {
    pending ??= fetchOne().finally(() => {
      pending = undefined
    })
    return pending
  }
  const usable = () => fetchedAt !== undefined && clock.monotonic() - fetchedAt <= BELIEVED_MILLISECONDS
  const keyOf = (kid: string) => (usable() ? keys.get(kid) : undefined)
  const resting = () => attempt !== undefined && clock.monotonic() - attempt.at < COOLDOWN_MILLISECONDS
  const isAnnounced = (kid: string) =>
    announced?.kid === kid && clock.monotonic() - announced.at < COOLDOWN_MILLISECONDS
  const absent = () => (attempt?.answered ? "unknown" : "unavailable")
  return {
    keyOf,
    usable,
    refresh,
    freshen(olderThan) {
      const young = fetchedAt === undefined || clock.monotonic() - fetchedAt < olderThan
      return young || pending || resting() ? undefined : refresh()
    },
    async announce(kid) {
      announced = { kid, at: clock.monotonic() }
      if (!keyOf(kid)) await refresh().catch(ignoreKnown)
    },
    async seek(kid) {
      if (pending || !resting()) await refresh().catch(ignoreKnown)
      if (!keyOf(kid) && isAnnounced(kid)) await refresh().catch(ignoreKnown)
      return keyOf(kid) ?? absent()
    },
  }
}

/** The two ways in which a fetch is allowed to fail; whatever else went wrong is ours and propagates. */
function ignoreKnown(fault: unknown): void {
  if (!(fault instanceof Unreachable || fault instanceof PoisonedKeySet)) throw fault
}

async function fetchText(address: string): Promise<string> {
  const { status, headers, text } = await exchange(
    address,
    { headers: { accept: "application/json" } },
    LIMITS,
  )
  if (status !== 200) throw new Unreachable(`the issuer answered ${status} for its keys`)
  // Ours says what it is: what comes as a page or a text is somebody else's, whatever it reads like.
  if (!JSON_TYPE.test(headers.get("content-type") ?? ""))
    throw new PoisonedKeySet("the issuer's key set came as something else than JSON")
  return text
}

function readKeys(text: string): ReadonlyMap<string, VerificationKey> | undefined {
  try {
    const read = readKeySet(JSON.parse(text))
    return read instanceof Map && read.size > 0 ? read : undefined
  } catch (fault) {
    if (fault instanceof SyntaxError) return undefined
    throw fault
  }
}

interface Known<Key> {
  readonly keys: ReadonlyMap<string, Key>
  /** On the monotonic clock. */
  readonly fetchedAt: number | undefined
}

function restore<Key>(source: KeySource<Key>, { stored, clock }: Keeping): Known<Key> {
  const keys = stored && source.read(stored.text)
  if (!keys) return { keys: new Map(), fetchedAt: undefined }
  return { keys, fetchedAt: clock.monotonic() - Math.max(0, clock.now() - stored.fetchedAt) }
}
