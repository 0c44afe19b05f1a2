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

export interface KeySetOptions {
  readonly address: string
  readonly clock: Clock
  /** What was known when the process last ran. */
  readonly stored?: KeySetSnapshot | undefined
  /** Told of every set that is accepted. */
  readonly keep?: (snapshot: KeySetSnapshot) => void
  /** Told of every answer, whatever is in it. */
  readonly heard?: (headers: Headers) => void
  /** How long a set is believed without the issuer. Default one hour, more than a task token can live. */
  readonly staleLimitMilliseconds?: number
}

export interface KeySet {
  /** A known key while the set is believed. Never waits, never fetches. */
  keyOf(kid: string): VerificationKey | undefined
  /** Whether there is a set that is still believed. */
  usable(): boolean
  /**
   * A key that is not known: asks the issuer, all callers together, at most once in 30 seconds. "unknown": the issuer was
   * asked and does not have it. "unavailable": it could not be asked.
   */
  seek(kid: string): Promise<VerificationKey | "unknown" | "unavailable">
  /** Fetches now. Throws Unreachable, or PoisonedKeySet; what was known stays. */
  refresh(): Promise<void>
}

/** The issuer answered with something that is no key set of ours: the old one is kept. */
export class PoisonedKeySet extends Error {
  override readonly name = "PoisonedKeySet"
}

const LIMITS = { maxBytes: 64 * 1024, timeoutMilliseconds: 5000 }
const COOLDOWN_MILLISECONDS = 30_000
const HOUR_MILLISECONDS = 3_600_000

/** Sends nothing until asked. Freshness is measured on the monotonic clock; across a restart, on wall time. */
export function createKeySet(options: KeySetOptions): KeySet {
  const { clock, staleLimitMilliseconds: limit = HOUR_MILLISECONDS } = options
  let { keys, fetchedAt } = restore(options)
  let attempt: { readonly at: number; readonly answered: boolean } | undefined
  let pending: Promise<void> | undefined

  const fetchOne = async () => {
    const at = clock.monotonic()
    attempt = { at, answered: false }
    const text = await fetchText(options)
    const read = readKeys(text)
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
  const usable = () => fetchedAt !== undefined && clock.monotonic() - fetchedAt <= limit
  const keyOf = (kid: string) => (usable() ? keys.get(kid) : undefined)
  const absent = () => (attempt?.answered && usable() ? "unknown" : "unavailable")
  return {
    keyOf,
    usable,
    refresh,
    async seek(kid) {
      const resting = attempt && clock.monotonic() - attempt.at < COOLDOWN_MILLISECONDS
      if (pending || !resting) await refresh().catch(ignoreKnown)
      return keyOf(kid) ?? absent()
    },
  }
}

/** The two ways in which a fetch is allowed to fail; whatever else went wrong is ours and propagates. */
function ignoreKnown(fault: unknown): void {
  if (!(fault instanceof Unreachable || fault instanceof PoisonedKeySet)) throw fault
}

async function fetchText({ address, heard }: KeySetOptions): Promise<string> {
  const asked = { headers: { accept: "application/json" } }
  const { status, headers, text } = await exchange(address, asked, LIMITS)
  heard?.(headers)
  if (status !== 200) throw new Unreachable(`the issuer answered ${status} for its keys`)
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

interface Known {
  readonly keys: ReadonlyMap<string, VerificationKey>
  /** On the monotonic clock. */
  readonly fetchedAt: number | undefined
}

function restore({ stored, clock }: KeySetOptions): Known {
  const keys = stored && readKeys(stored.text)
  if (!keys) return { keys: new Map(), fetchedAt: undefined }
  return { keys, fetchedAt: clock.monotonic() - Math.max(0, clock.now() - stored.fetchedAt) }
}
