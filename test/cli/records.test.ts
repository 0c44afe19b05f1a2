// Counting an export as it goes by gives what a reader of the whole would count, however it was cut into pieces.
import fc from "fast-check"
import { expect, test } from "vitest"
import { createRecords } from "../../src/cli/records.ts"
import { EXPORT_FORMATS, headOf, linesOf } from "../../src/ledger/export.ts"

const text = fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", "\r", "=", "é", "1", "{") })
const entries = fc.array(fc.record({ sub: text, resource: text }), { maxLength: 8 })

test.each(EXPORT_FORMATS)("of %s", (format) => {
  fc.assert(
    fc.property(entries, fc.integer({ min: 1, max: 40 }), (values, cut) => {
      const whole = values.map((one, index) => ({
        seq: 7 + index,
        at: "now",
        kind: "use.allowed" as const,
        ...one,
      }))
      const bytes = Buffer.from(headOf(format) + linesOf(whole, format))
      const records = createRecords(format)
      for (let at = 0; at < bytes.length; at += cut) records.take(bytes.subarray(at, at + cut))
      expect(records.counted()).toEqual({
        entries: whole.length,
        first: whole[0]?.seq,
        last: whole.at(-1)?.seq,
      })
    }),
  )
})
