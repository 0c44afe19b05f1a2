// G07: what a verifier remembers of revocations, against the plain map that it stands for, and at the size that it is for.
import fc from "fast-check"
import { expect, test } from "vitest"
import { newId } from "../../src/token/id.ts"
import type { RevocationItem } from "../../src/token/revocation.ts"
import { createEnded } from "../../src/verifier/ended.ts"
import { createIdTable, type IdKey, readIdKey } from "../../src/verifier/id-table.ts"

const CODES = ["token_revoked", "task_paused", "task_ended"] as const
const order = fc.record({
  before: fc.nat(100),
  until: fc.nat(100),
  code: fc.constantFrom(...CODES),
  cursor: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
})
/** Few ids that fall into few slots: what collides is what can go wrong. */
const key = fc.tuple(fc.nat(2), fc.constantFrom(0, 256), fc.nat(1), fc.constantFrom(0, 1, 256, 0xffffffff))
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ set: key, order }) },
  { weight: 1, arbitrary: fc.record({ forget: fc.nat(100) }) },
)

test("G07 the table answers as a map does, whatever is set, replaced and forgotten", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const table = createIdTable()
      const model = new Map<string, { key: IdKey; order: { until: number } }>()
      for (const one of steps) {
        if ("set" in one) {
          table.set(one.set, one.order)
          model.set(one.set.join(), { key: one.set, order: one.order })
        } else {
          const over = [...model].filter(
            ([
              ,
              {
                order: { until },
              },
            ]) => until < one.forget,
          )
          const latest = Math.max(
            0,
            ...over.map(
              ([
                ,
                {
                  order: { until },
                },
              ]) => until,
            ),
          )
          expect(table.forget(one.forget)).toBe(latest)
          for (const [name] of over) model.delete(name)
        }
        expect(table.size()).toBe(model.size)
        for (const { key: id, order: last } of model.values()) expect(table.find(id)).toEqual(last)
      }
      expect(table.find([7, 7, 7, 7])).toBeUndefined()
    }),
    { numRuns: 300, seed: 7 },
  )
})

test("only ids of a UUID in its one spelling are kept as bits", () => {
  expect(readIdKey("tok_01234567-89ab-7cde-8f01-23456789abcd")).toEqual([
    0x01234567, 0x89ab7cde, 0x8f012345, 0x6789abcd,
  ])
  for (const text of [
    "tok_1",
    "triage-bot",
    "tok_01234567-89AB-7cde-8f01-23456789abcd",
    "tok_0123456789ab7cde8f0123456789abcd",
    "",
  ])
    expect(readIdKey(text)).toBeUndefined()
})

test("G07 100,000 ids beside names: each is found, none is mistaken for another, all are forgotten", () => {
  const ended = createEnded()
  const ids = Array.from({ length: 100_000 }, () => newId("tok"))
  const item = (value: string, at: number): RevocationItem => ({
    kind: "token",
    value,
    before: at,
    until: at + 1800,
    code: "token_revoked",
    cursor: at,
  })
  for (const [at, id] of ids.entries()) ended.remember(item(id, at))
  ended.remember(item("by-name", 1))
  expect(ids.every((id, at) => ended.find("token", id)?.before === at)).toBe(true)
  expect(ids.some((id) => ended.find("task", id.replace("tok_", "task_")))).toBe(false)
  expect(Array.from({ length: 10_000 }, () => newId("tok")).some((id) => ended.find("token", id))).toBe(false)
  expect(ended.find("token", "by-name")).toMatchObject({ before: 1 })
  expect(ended.forget(51_800)).toBe(51_799)
  expect(ids.findIndex((id) => ended.find("token", id))).toBe(50_000)
  expect(ended.forget(1_000_000)).toBe(101_799)
  expect(ended.find("token", "by-name")).toBeUndefined()
})
