// What our ids look like: a prefix that tells the kind, and a UUIDv7 that sorts by time. It decides the shape only;
// whether an id exists is the database's to say.
import { randomFillSync } from "node:crypto"

export type IdPrefix = "task" | "tok" | "del" | "apr" | "rev" | "use"

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const POOL_BYTES = 1024
const pool = Buffer.alloc(POOL_BYTES)
let used = POOL_BYTES

/** A UUIDv7 (RFC 9562 section 5.7): 48 bits of `now` (epoch milliseconds), then 74 random bits. */
export function newUuid(now: number = Date.now()): string {
  if (used + 10 > POOL_BYTES) {
    randomFillSync(pool)
    used = 0
  }
  const random = pool.subarray(used, used + 10)
  used += 10
  const bytes = Buffer.allocUnsafe(16)
  bytes.writeUIntBE(now, 0, 6)
  random.copy(bytes, 6)
  random.fill(0)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString("hex")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** True for a UUIDv7 in its one spelling: lower-case hex with hyphens. */
export const isUuid = (text: unknown): text is string => typeof text === "string" && UUID.test(text)

/** `task_` + UUIDv7, and so on. `now` in epoch milliseconds; the system's clock by default. */
export const newId = (prefix: IdPrefix, now?: number): string => `${prefix}_${newUuid(now)}`

/** True for an id of that kind. Does NOT tell whether it was ever given out. */
export const isId = (prefix: IdPrefix, text: unknown): text is string =>
  typeof text === "string" && text.startsWith(`${prefix}_`) && UUID.test(text.slice(prefix.length + 1))
