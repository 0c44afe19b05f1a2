import pc from "picocolors"
import { expect, test } from "vitest"
import { layOut } from "../../src/cli/terminal.ts"

const plain = pc.createColors(false)

test("a table is aligned, without lines, colours or trailing spaces where nobody looks on", () => {
  expect(
    layOut(
      ["A", "LONGER"],
      [
        ["one", ""],
        ["x", "y"],
      ],
      plain,
    ),
  ).toBe("A    LONGER\none\nx    y")
})

test("a cell of others stays in its place", () => {
  const text = layOut(["A", "B"], [["\u001b[31mred\nnext", "b"]], plain)
  expect(text.split("\n")).toHaveLength(2)
  expect(text).toContain("\\u{1b}[31mred\\u{a}next  b")
})
