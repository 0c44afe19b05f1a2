// What became of a use is told once, of that use alone, however far its number lies from the others'.
import fc from "fast-check"
import { expect, test } from "vitest"
import { createOutcomes } from "../../src/spool/outcomes.ts"
import { createFakeClock } from "../support/fake-clock.ts"

const WAIT = 10_000
const PART = 2 ** 45

function open() {
  const clock = createFakeClock()
  return { clock, outcomes: createOutcomes(clock) }
}

test("a use waits for its outcome, and no longer than it is told to", () => {
  const { clock, outcomes } = open()
  const { finished } = outcomes.open(1)
  expect(outcomes.outcomeOf(1, WAIT)).toBeUndefined()
  clock.advance(7)
  finished(204)
  finished(500)
  expect(outcomes.outcomeOf(1, WAIT)).toBe(',"status":204,"duration_ms":7')
  outcomes.open(2)
  clock.advance(WAIT)
  expect(outcomes.outcomeOf(2, WAIT)).toBe("")
})

test.each([0, 99, 1000, Number.NaN, 200.5])("a status of %s is none", (status) => {
  const { outcomes } = open()
  outcomes.open(1).finished(status)
  expect(outcomes.outcomeOf(1, WAIT)).toBe(',"duration_ms":0')
})

test("what is told of a use that is forgotten changes no other that has its place by now", () => {
  const { outcomes } = open()
  const late = outcomes.open(PART + 1)
  outcomes.forget(PART + 1)
  outcomes.open(PART + 1025)
  late.finished(500)
  outcomes.forget(PART + 1)
  expect(outcomes.outcomeOf(PART + 1025, WAIT)).toBeUndefined()
  expect(outcomes.outcomeOf(PART + 1, WAIT)).toBe("")
  expect(outcomes.count()).toBe(1)
})

const step = fc.record({
  act: fc.constantFrom("open", "open", "open", "finish", "forget"),
  ahead: fc.constantFrom(1, 2, 1023, 1024, 2048), // as many as there are places, and twice as many
  which: fc.nat(),
})

test("whatever is opened, finished and forgotten, each use has its own outcome", () => {
  fc.assert(
    fc.property(fc.constantFrom(0, PART * 3), fc.array(step, { maxLength: 80 }), (from, steps) => {
      const { outcomes } = open()
      const model = new Map<number, number>()
      const finish = new Map<number, (status: number) => void>()
      let seq = from
      for (const { act, ahead, which } of steps) {
        const known = [...finish.keys()][which % Math.max(1, finish.size)] ?? -1
        if (act === "open") {
          seq += ahead
          model.set(seq, 0)
          finish.set(seq, outcomes.open(seq).finished)
        } else if (act === "finish") {
          finish.get(known)?.(200 + (which % 300))
          if (model.get(known) === 0) model.set(known, 200 + (which % 300))
        } else {
          outcomes.forget(known)
          model.delete(known)
        }
        expect(outcomes.count()).toBe(model.size)
      }
      for (const one of finish.keys()) {
        const status = model.get(one)
        const joined = `,"status":${status},"duration_ms":0`
        const expected = status === undefined ? "" : status === 0 ? undefined : joined
        expect(outcomes.outcomeOf(one, WAIT)).toBe(expected)
      }
    }),
  )
})
