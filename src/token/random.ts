// Random bytes from a pool, because asking the system for a few at a time costs more than all else that an id needs. A
// byte is given out once and wiped from the pool.
import { randomFillSync } from "node:crypto"

const POOL_BYTES = 4096
const pool = Buffer.alloc(POOL_BYTES)
let used = POOL_BYTES

/** So many bytes of the system's cryptographic randomness, at most 4,096, in a buffer of their own. */
export function takeRandom(count: number): Buffer {
  refill(count)
  const taken = Buffer.alloc(count)
  taken.set(pool.subarray(used, used + count))
  wipe(count)
  return taken
}

/** The same as lower-case hex: bytes that only become text need no buffer of their own. */
export function takeRandomHex(count: number): string {
  refill(count)
  const taken = pool.toString("hex", used, used + count)
  wipe(count)
  return taken
}

function refill(count: number): void {
  if (used + count <= POOL_BYTES) return
  randomFillSync(pool)
  used = 0
}

function wipe(count: number): void {
  pool.fill(0, used, used + count)
  used += count
}
