// Which cases of the catalogue have a test by name. A case without one needs a line in README.md that says why.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { listSources, ROOT } from "../support/source.ts"

const range = (area: string, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_each, index) => `${area}${String(from + index).padStart(2, "0")}`)

/** Grows with the product. */
const CASES = [
  ...range("A", 1, 30),
  ...range("B", 1, 20),
  ...range("C", 1, 36),
  ...range("D", 1, 23),
  ...range("E", 1, 28),
  ...range("F", 1, 16),
  ...range("G", 1, 13),
  ...range("H", 1, 20),
  ...range("L", 1, 24),
  ...[
    "01",
    "03",
    "04",
    "05",
    "06",
    "07",
    "08",
    "09",
    "10",
    "11",
    "12",
    "13",
    "14",
    "15",
    "16",
    "17",
    "18",
    "19",
    "20",
    "21",
    "22",
    "23",
    "24",
    "25",
    "26",
  ].map((n) => `I${n}`),
  ...["J01", "J04", "J13"],
  ...range("K", 1, 24),
]

const tests = listSources("test")
  .filter((path) => /\.(test|contract)\.ts$/.test(path) && !path.endsWith("coverage.test.ts"))
  .map((path) => readFileSync(join(ROOT, path), "utf8"))
  .join("\n")
const reasons = readFileSync(join(ROOT, "test/attacks/README.md"), "utf8")

const isTested = (id: string) => new RegExp(`["'\`][^"'\`\\n]*\\b${id}\\b`).test(tests)
const isExplained = (id: string) => new RegExp(`^\\| ${id} \\| .{20,} \\|$`, "m").test(reasons)

test("every case is tested by its name, or the README says why not", () => {
  expect(CASES.filter((id) => !isTested(id) && !isExplained(id))).toEqual([])
})

test("no case is excused that is tested", () => {
  expect(CASES.filter((id) => isTested(id) && isExplained(id))).toEqual([])
})
