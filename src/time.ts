// What time is, everywhere: an injected clock, durations as policies write them, instants as the wire shows them.
// It decides nothing about tokens; it only makes sure that nobody calls Date.now() deep inside.

/** Wall time for what is written and compared, monotonic time for how long something took. Both in milliseconds. */
export interface Clock {
  now(): number
  monotonic(): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
}

/** Clock skew allowed wherever a JWT is read; none for a token that is being exchanged. */
export const SKEW_SECONDS = 5

/** NumericDate (RFC 7519 section 2) of an instant in epoch milliseconds. */
export const toEpochSeconds = (milliseconds: number): number => Math.floor(milliseconds / 1000)

/** RFC 3339 in UTC with milliseconds. */
export function toInstant(milliseconds: number): string {
  // A start writes the same instant into several places, and under load many starts share it.
  if (milliseconds !== latest.milliseconds)
    latest = { milliseconds, text: new Date(milliseconds).toISOString() }
  return latest.text
}

let latest = { milliseconds: 0, text: new Date(0).toISOString() }

/** Date.parse takes the 31st of every month, and 24:00, for the day that follows. */
const INSTANT = /^\d{4}-(?!02-3|(?:0[469]|11)-31)\d\d-\d\dT(?!24)\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/

const isLeap = (year: number) => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)

/** Epoch milliseconds of an RFC 3339 time; undefined where it is not one, and for a leap second. */
export function parseInstant(text: string): number | undefined {
  if (!INSTANT.test(text)) return undefined
  if (text.startsWith("02-29", 5) && !isLeap(Number(text.slice(0, 4)))) return undefined
  const milliseconds = Date.parse(text)
  return milliseconds === withinYears(milliseconds) ? milliseconds : undefined
}

/** Years have four digits in RFC 3339, also in UTC. */
const FIRST = Date.parse("0000-01-01T00:00:00.000Z")
const LAST = Date.parse("9999-12-31T23:59:59.999Z")

/** The nearest instant that RFC 3339 can say. */
export const withinYears = (milliseconds: number): number => Math.min(Math.max(milliseconds, FIRST), LAST)

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** Seconds of a duration as policies write it (`90s`, `10m`, `2h`, `7d`); undefined where it is not one. */
export function parseDuration(text: string): number | undefined {
  const match = /^(0|[1-9]\d{0,6})([smhd])$/.exec(text)
  if (!match?.[1] || !match[2]) return undefined
  return Number(match[1]) * (UNIT_SECONDS[match[2]] ?? 0)
}

/**
 * Watches wall time against monotonic time. Each call answers by how many milliseconds the wall clock has stepped
 * since the watch began (positive: forward), ignoring drift below the limit, which it absorbs.
 */
export function createStepWatch(clock: Clock, limitMilliseconds = 5000): () => number {
  let wall = clock.now()
  let steady = clock.monotonic()
  return () => {
    const step = clock.now() - wall - (clock.monotonic() - steady)
    if (Math.abs(step) > limitMilliseconds) return step
    wall = clock.now()
    steady = clock.monotonic()
    return 0
  }
}
