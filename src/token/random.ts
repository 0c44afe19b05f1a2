// Random bytes and digits from pools, because asking the system for a few at a time costs more than all else that an id
// needs. What was given out once is not given out again; bytes, which may become secrets, are wiped from the pool.
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

let digits = ""
let usedDigits = 0

/** So many digits of lower-case hex of the same randomness, at most 8,192: for what is public, such as an id. */
export function takeRandomDigits(count: number): string {
  if (usedDigits + count > digits.length) {
    digits = takeRandom(POOL_BYTES).toString("hex")
    usedDigits = 0
  }
  usedDigits += count
  return digits.slice(usedDigits - count, usedDigits)
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
