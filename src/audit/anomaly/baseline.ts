// What is usual of an agent in tasks of a type, in numbers: from the hours it worked and the tasks that it ended. It decides what
// is far from usual, and when too little is known to tell; what is counted, tally.ts says.
import { HOUR_MILLISECONDS } from "./tally.ts"

export interface HourOfWork {
  /** Whole hours since the epoch. */
  readonly hour: number
  readonly starts: number
  readonly uses: number
  readonly refused: number
}

export interface SizesOfTasks {
  /** 0: resources, 1: uses. */
  readonly measure: number
  readonly size: number
  readonly tasks: number
}

/** How many of something there usually are in a task or in an hour. */
export interface Usual {
  /** Tasks or hours that this is from. */
  readonly of: number
  readonly median: number
  /** Of the logarithms: the median distance from the middle, scaled as a standard deviation. */
  readonly deviation: number
  /** So many or fewer in 98 of 100. */
  readonly high: number
}

export interface Baseline {
  /** Tasks that ended, and days with work. */
  readonly tasks: number
  readonly days: number
  readonly spread: Usual
  readonly uses: Usual
  readonly rate: Usual
  readonly starts: Usual
  readonly refusals: Usual
  readonly hours: readonly HourOfWork[]
}

const HIGH = 0.98
/** Of the normal distribution: what the median distance is multiplied by. */
const AS_DEVIATION = 1.4826
/** Work that never varies is not held to the last one: a fifth more or less is nothing. */
const LEAST_DEVIATION = 0.2
/** Whatever the deviation: beyond three times what 98 of 100 have is far, within half as much again is not. */
const NEVER_BELOW = 1.5
const NEVER_ABOVE = 3

export function baselineOf(hours: readonly HourOfWork[], sizes: readonly SizesOfTasks[]): Baseline {
  const ofTasks = (measure: number) =>
    usualOf(sizes.filter((one) => one.measure === measure).map(({ size, tasks }) => [size, tasks]))
  const ofHours = (count: (hour: HourOfWork) => number) => usualOf(hours.map((hour) => [count(hour), 1]))
  const uses = ofTasks(1)
  return {
    tasks: uses.of,
    days: new Set(hours.map(({ hour }) => Math.floor(hour / 24))).size,
    spread: ofTasks(0),
    uses,
    rate: ofHours((hour) => hour.uses),
    starts: ofHours((hour) => hour.starts),
    refusals: ofHours((hour) => hour.refused),
    hours,
  }
}

/** Of values, each with how often it is there. */
function usualOf(values: readonly (readonly [value: number, times: number])[]): Usual {
  const sorted = [...values].sort(([one], [other]) => one - other)
  const median = quantile(sorted, 0.5)
  const distances = sorted
    .map(([value, times]) => [Math.abs(Math.log1p(value) - Math.log1p(median)), times] as const)
    .sort(([one], [other]) => one - other)
  const deviation = Math.max(LEAST_DEVIATION, AS_DEVIATION * quantile(distances, 0.5))
  return { of: timesIn(sorted), median, deviation, high: quantile(sorted, HIGH) }
}

const timesIn = (values: readonly (readonly [number, number])[]): number =>
  values.reduce((sum, [, times]) => sum + times, 0)

/** The least value that this part of all does not exceed; 0 of none. */
function quantile(sorted: readonly (readonly [value: number, times: number])[], part: number): number {
  const wanted = part * timesIn(sorted)
  let passed = 0
  for (const [value, times] of sorted) {
    passed += times
    if (passed >= wanted) return value
  }
  return 0
}

/**
 * More than that is far from usual. Median and median distance instead of mean and standard deviation (Iglewicz and Hoaglin,
 * "How to Detect and Handle Outliers", 1993), so that what was unusual before does not make itself usual; of logarithms, because
 * counts differ by factors. The 98th of 100 keeps it near what happens: work in two sizes has a middle that says little.
 */
export function boundOf({ median, deviation, high }: Usual, deviations: number): number {
  const far = Math.expm1(Math.log1p(median) + deviations * deviation)
  return Math.min(Math.max(far, NEVER_BELOW * high), NEVER_ABOVE * high)
}

const HOURS_OF_WEEK = 168

/** The same for an hour: what is done once a week at this hour is usual then. */
export function boundAt(
  hours: readonly HourOfWork[],
  hour: number,
  count: (hour: HourOfWork) => number,
): number {
  const same = hours.filter((one) => (hour - one.hour) % HOURS_OF_WEEK === 0).map(count)
  return NEVER_BELOW * Math.max(0, ...same)
}

/** An hour without work so far is by chance, until so many hours had some. */
const FEWEST_HOURS = 100
const FEWEST_WEEKEND_DAYS = 4

/**
 * Whether work at that hour is unusual: none within an hour of that time of day, on working days or on weekends (UTC). False where
 * that can't be told yet: one in a hundred such hours could still be missing by chance.
 */
export function isUnusualHour({ hours }: Baseline, hour: number): boolean {
  const [first] = hours
  if (!first || hours.length < FEWEST_HOURS) return false
  if (isWeekend(hour) && weekendDays(first.hour, hour) < FEWEST_WEEKEND_DAYS) return false
  const worked = new Set(hours.map((one) => timeOfWeek(one.hour)))
  return ![hour - 1, hour, hour + 1].some((near) => worked.has(timeOfWeek(near)))
}

/** Working days are alike, and so are the days of a weekend. */
const timeOfWeek = (hour: number): number => (hour % 24) + (isWeekend(hour) ? 24 : 0)

/** The epoch began on a Thursday. */
export const isWeekend = (hour: number): boolean => ((Math.floor(hour / 24) + 4) % 7) % 6 === 0

function weekendDays(from: number, to: number): number {
  let days = 0
  for (let hour = from; hour < to; hour += 24) if (isWeekend(hour)) days += 1
  return days
}

/** `07:00 to 18:59`, of the hours of working days or weekends. */
export function hoursWorked(hours: readonly HourOfWork[], weekend: boolean): string {
  const worked = new Set(hours.filter(({ hour }) => isWeekend(hour) === weekend).map(({ hour }) => hour % 24))
  const starts = [...worked].filter((hour) => !worked.has(hour - 1)).sort((one, other) => one - other)
  return starts
    .map((start) => {
      let end = start
      while (worked.has(end + 1)) end += 1
      return `${twoDigits(start)}:00 to ${twoDigits(end)}:59`
    })
    .join(", ")
}

const twoDigits = (hour: number): string => String(hour).padStart(2, "0")

export const hourOf = (at: number): number => Math.floor(at / HOUR_MILLISECONDS)
