// What our ids look like: a prefix that tells the kind, and a UUIDv7 that sorts by time. It decides the shape only;
// whether an id exists is the database's to say.
import { takeRandomDigits } from "./random.ts"

export type IdPrefix = "task" | "tok" | "del" | "apr" | "rev" | "use" | "evt"

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
/** For any hex digit one whose upper bits are RFC 9562's variant, each as often as the others. */
const VARIANTS = new Map(Array.from("0123456789abcdef", (digit, at) => [digit, "89ab".charAt(at % 4)]))

/** A UUIDv7 (RFC 9562 section 5.7): 48 bits of `now` (epoch milliseconds), then 74 random bits. */
export function newUuid(now: number = Date.now()): string {
  const random = takeRandomDigits(19)
  if (now !== latest.now) latest = { now, text: timeText(now) }
  const variant = VARIANTS.get(random.charAt(0)) ?? ""
  return `${latest.text}-7${random.slice(1, 4)}-${variant}${random.slice(4, 7)}-${random.slice(7)}`
}

function timeText(now: number): string {
  const hex = now.toString(16).padStart(12, "0")
  return `${hex.slice(0, 8)}-${hex.slice(8)}`
}

/** Under load many ids are made in one millisecond. */
let latest = { now: 0, text: timeText(0) }

/** When it was made, by the clock of whoever made it: epoch milliseconds. Of a UUIDv7 in its one spelling. */
export const timeOfUuid = (uuid: string): number => Number.parseInt(uuid.slice(0, 13).replace("-", ""), 16)

/** True for a UUIDv7 in its one spelling: lower-case hex with hyphens. */
export const isUuid = (text: unknown): text is string => typeof text === "string" && UUID.test(text)

/** `task_` + UUIDv7, and so on. `now` in epoch milliseconds; the system's clock by default. */
export const newId = (prefix: IdPrefix, now?: number): string => `${prefix}_${newUuid(now)}`

/** No id of that kind that was made at that time or later sorts below it. */
export const earliestId = (prefix: IdPrefix, at: number): string => `${prefix}_${timeText(Math.max(0, at))}`

/** True for an id of that kind. Does NOT tell whether it was ever given out. */
export const isId = (prefix: IdPrefix, text: unknown): text is string =>
  typeof text === "string" && text.startsWith(`${prefix}_`) && UUID.test(text.slice(prefix.length + 1))
