// The nonces that this verifier wants in proofs (RFC 9449 section 9): made of the minute and a key that never leaves the
// process, or the spool that its host's processes share, so that no nonce is stored, and a proof meant for another host, or
// from before a restart, is asked for again.
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import type { Clock } from "../time.ts"

export interface Nonces {
  /** The one to use now; base64url. */
  current(): string
  /** Whether it is this minute's or the last one's. */
  accepts(nonce: string | undefined): boolean
}

/** How long a nonce is accepted at most. */
export const NONCE_LIFE_SECONDS = 120
const ROUND_MILLISECONDS = (NONCE_LIFE_SECONDS / 2) * 1000

/** As text, base64url. */
const newKey = (): string => randomBytes(32).toString("base64url")

export function createNonces(clock: Clock, key: string = newKey()): Nonces {
  const nonceOf = (round: number) => createHmac("sha256", key).update(String(round)).digest("base64url")
  let known = { round: Number.NaN, current: "", previous: "" }
  const now = () => {
    const round = Math.floor(clock.now() / ROUND_MILLISECONDS)
    if (round !== known.round) known = { round, current: nonceOf(round), previous: nonceOf(round - 1) }
    return known
  }
  return {
    current: () => now().current,
    accepts(nonce) {
      const { current, previous } = now()
      return nonce !== undefined && (isSame(nonce, current) || isSame(nonce, previous))
    },
  }
}

const isSame = (one: string, other: string): boolean =>
  one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other))
