// What whoever follows a ledger is told: each entry as a line, those that are alarms in words, and that nothing is heard.
import { type Clock, toInstant } from "../time.ts"
import { forTerminal } from "./escape.ts"
import type { Terminal } from "./terminal.ts"

/** Of an issuer that can't be asked. */
export const AWAY_MILLISECONDS = 60_000
/** Whoever follows signs in, and that is an entry of every hour: a ledger that does not grow for longer leaves entries out. */
export const STILL_MILLISECONDS = 2 * 3_600_000
/** Entries that an auditor wants to hear of at once. */
const LOUD: ReadonlySet<unknown> = new Set(["alarm.raised", "verifier.gap", "verifier.silent"])

/** Entries after a place, as NDJSON (the hashed bytes with their `seq` before them), and what is to be said of them. */
export function newsIn(entries: readonly Uint8Array[], after: number) {
  const alarms: string[] = []
  const lines = entries.map((bytes, at) => {
    const [seq, text] = [after + at + 1, Buffer.from(bytes).toString("utf8")]
    const { kind, code, api, body }: Readonly<Record<string, unknown>> = JSON.parse(text)
    const about = [kind, code, api].filter((one) => typeof one === "string").join(" ")
    if (LOUD.has(kind) && !isOver(body)) alarms.push(`alarm: entry ${seq}: ${forTerminal(about)}`)
    return `{"seq":${seq},${text.slice(1)}\n`
  })
  return { lines, alarms }
}

/** Of a gap: it was closed, or an operator gave it up. */
const isOver = (body: unknown): boolean =>
  typeof body === "object" && body !== null && ("closed" in body || "written_off" in body)

/** Says once that nothing is heard, or that the ledger stands still, and once that it is over. */
export function watchSilence({ note }: Pick<Terminal, "note">, clock: Clock) {
  let [heardAt, grownAt] = [clock.monotonic(), clock.monotonic()]
  let said: "away" | "still" | undefined
  const say = (what: "away" | "still", words: string) => {
    if (said === what) return
    said = what
    note(`alarm: silence: ${words} (${toInstant(clock.now())})`)
  }
  return {
    /** The log was read; `grown`: there was something new in it. */
    heard(grown: boolean) {
      heardAt = clock.monotonic()
      if (grown) grownAt = heardAt
      if (heardAt - grownAt >= STILL_MILLISECONDS) {
        say("still", "the ledger has not grown for two hours, though whoever follows it signs in")
        return
      }
      if (said !== undefined) note(`The ledger is heard again (${toInstant(clock.now())})`)
      said = undefined
    },
    /** It could not be read. */
    failed(message: string) {
      if (clock.monotonic() - heardAt >= AWAY_MILLISECONDS) say("away", forTerminal(message))
    },
  }
}
