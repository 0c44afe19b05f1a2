// What the log of `guard` says of what its verifier lacks: each reason once, and its end.
import { Writable } from "node:stream"
import { expect, test } from "vitest"
import { createReasonLog } from "../../src/cli/guard-log.ts"
import { createLog } from "../../src/cli/log.ts"

function told(...looks: readonly (readonly [ready: boolean, ...reasons: string[]])[]): string[] {
  const lines: string[] = []
  const to = new Writable({
    write(chunk, _encoding, done) {
      const { level, reason, msg } = JSON.parse(String(chunk))
      lines.push(`${level} ${msg}: ${reason}`)
      done()
    },
  })
  const tell = createReasonLog(createLog(to))
  for (const [ready, ...reasons] of looks) tell({ ready, reasons })
  return lines
}

test.each([
  ["nothing while all is well", [[true], [true]], []],
  [
    "a reason once, and its end",
    [[false, "a"], [false, "a"], [true]],
    ["error not ready: a", "info over: a"],
  ],
  ["what is bearable as a warning", [[true, "a"]], ["warn not all is well: a"]],
  [
    "each by itself",
    [
      [false, "a"],
      [false, "a", "b"],
      [false, "b"],
    ],
    ["error not ready: a", "error not ready: b", "info over: a"],
  ],
  [
    "again when it comes again",
    [[true, "a"], [true], [true, "a"]],
    ["warn not all is well: a", "info over: a", "warn not all is well: a"],
  ],
  [
    "a count that grows once",
    [
      [true, "3 uses lost"],
      [true, "14 uses lost"],
    ],
    ["warn not all is well: 3 uses lost"],
  ],
] as [string, [boolean, ...string[]][], string[]][])("%s", (_what, looks, lines) => {
  expect(told(...looks)).toEqual(lines)
})
