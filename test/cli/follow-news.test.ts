// What is said to whoever follows a ledger: alarms at once, silence once.
import { expect, test } from "vitest"
import { AWAY_MILLISECONDS, newsIn, STILL_MILLISECONDS, watchSilence } from "../../src/cli/follow-news.ts"
import { createFakeClock } from "../support/fake-clock.ts"

const entry = (members: object) => Buffer.from(JSON.stringify(members))

function listen() {
  const [clock, notes] = [createFakeClock(), [] as string[]]
  const silence = watchSilence({ note: (line = "") => void notes.push(line) }, clock)
  return { clock, notes, silence }
}

test("every entry is a line with its place, and alarms and gaps are said", () => {
  const entries = [
    entry({ kind: "use.allowed", at: "t" }),
    entry({ api: "tickets", code: "ledger_broken", kind: "alarm.raised" }),
    entry({ api: "tickets\u001b[2J", kind: "verifier.gap" }),
    entry({ api: "tickets", code: "verifier_silent", kind: "verifier.silent" }),
  ]
  const { lines, alarms } = newsIn(entries, 40)
  expect(lines[0]).toBe('{"seq":41,"kind":"use.allowed","at":"t"}\n')
  expect(lines.map((line) => JSON.parse(line).seq)).toEqual([41, 42, 43, 44])
  expect(alarms).toEqual([
    "alarm: entry 42: alarm.raised ledger_broken tickets",
    expect.stringMatching(/^alarm: entry 43: verifier\.gap tickets[^\u001b]*$/),
    "alarm: entry 44: verifier.silent verifier_silent tickets",
  ])
})

test("a gap that is closed, or that an operator gave up, alarms nobody", () => {
  const gap = (body: object) => Buffer.from(JSON.stringify({ kind: "verifier.gap", body }))
  const told = [{ closed: true }, { written_off: true }, { why: "missing" }].map(gap)
  expect(newsIn(told, 0).alarms).toEqual(["alarm: entry 3: verifier.gap"])
})

test("an issuer that is away for a minute is silence, said once, and so is its return", () => {
  const { clock, notes, silence } = listen()
  silence.heard(true)
  clock.advance(AWAY_MILLISECONDS - 1)
  silence.failed("it can't be asked")
  expect(notes).toEqual([])
  clock.advance(1)
  for (let again = 0; again < 3; again++) silence.failed("it can't be asked")
  expect(notes).toEqual([expect.stringContaining("alarm: silence: it can't be asked (")])
  silence.heard(false)
  silence.heard(false)
  expect(notes.slice(1)).toEqual([expect.stringContaining("heard again")])
})

test("a ledger that does not grow although its reader signs in is silence, until it grows", () => {
  const { clock, notes, silence } = listen()
  silence.heard(true)
  clock.advance(STILL_MILLISECONDS - 1)
  silence.heard(false)
  expect(notes).toEqual([])
  clock.advance(1)
  for (let again = 0; again < 3; again++) silence.heard(false)
  expect(notes).toEqual([expect.stringContaining("has not grown for two hours")])
  silence.heard(true)
  expect(notes[1]).toContain("heard again")
})
