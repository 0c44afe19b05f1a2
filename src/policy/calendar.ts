// The hour, the day and the year that an instant has in a time zone of the IANA database: by the zone that is named, never by
// that of the process or of whoever asks. Where clocks are set back an hour comes twice, where they leap one is missing.

const PARTS = {
  calendar: "gregory",
  numberingSystem: "latn",
  hourCycle: "h23",
  year: "numeric",
  month: "numeric",
  day: "numeric",
  hour: "numeric",
  minute: "numeric",
  second: "numeric",
} as const

type Part = "year" | "month" | "day" | "hour" | "minute" | "second"

/** By zone: making one takes longer than asking it. As many as policies name. */
const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone)
  if (known) return known
  const made = new Intl.DateTimeFormat("en-US", { ...PARTS, timeZone: zone })
  formats.set(zone, made)
  return made
}

/** What is wrong with the name of a zone; undefined where nothing is. */
export function zoneFault(zone: string): string | undefined {
  try {
    formatOf(zone)
    return undefined
  } catch {
    return `expected a time zone such as "Europe/Berlin" or "UTC", found ${JSON.stringify(zone.slice(0, 64))}`
  }
}

/** The wall clock of a zone, as if it were UTC: its UTC parts are the zone's. */
function wallClock(instant: Date, zone: string): Date {
  const parts: Partial<Record<string, number>> = {}
  for (const { type, value } of formatOf(zone).formatToParts(instant)) parts[type] = Number(value)
  const of = (part: Part) => parts[part] ?? 0
  const wall = new Date(0)
  wall.setUTCFullYear(of("year"), of("month") - 1, of("day"))
  wall.setUTCHours(of("hour"), of("minute"), of("second"), instant.getUTCMilliseconds())
  return wall
}

const DAY_MILLISECONDS = 86_400_000

const READ: Readonly<Record<string, (wall: Date) => number>> = {
  getFullYear: (wall) => wall.getUTCFullYear(),
  getMonth: (wall) => wall.getUTCMonth(),
  getDate: (wall) => wall.getUTCDate(),
  getDayOfMonth: (wall) => wall.getUTCDate() - 1,
  getDayOfWeek: (wall) => wall.getUTCDay(),
  getDayOfYear: (wall) =>
    Math.floor((wall.getTime() - Date.UTC(wall.getUTCFullYear(), 0, 1)) / DAY_MILLISECONDS),
  getHours: (wall) => wall.getUTCHours(),
  getMinutes: (wall) => wall.getUTCMinutes(),
  getSeconds: (wall) => wall.getUTCSeconds(),
  getMilliseconds: (wall) => wall.getUTCMilliseconds(),
}

/** By the name that CEL gives it (cel-spec, date and time functions): months, days of the month and of the year from 0, Sunday is 0. */
export const CALENDAR_FUNCTIONS: ReadonlyMap<string, (instant: Date, zone: string) => number> = new Map(
  Object.entries(READ).map(([name, read]) => [name, (instant, zone) => read(wallClock(instant, zone))]),
)
