// Puts other items in the place of one item of a YAML list, in its own layout, and leaves every other byte as it is. What
// stands there afterwards is for who asks; taking items out is cut.ts's.
import { isScalar, isSeq, parseDocument } from "yaml"

/** The text with these texts, one at least, where one item stood; undefined where no text stands alone there. */
export function replaceItem(
  text: string,
  path: readonly (string | number)[],
  values: readonly string[],
): string | undefined {
  const document = parseDocument(text, { schema: "core", version: "1.2", merge: false, prettyErrors: false })
  const parent = document.getIn(path.slice(0, -1))
  const item: unknown = isSeq(parent) ? parent.items[Number(path.at(-1))] : undefined
  if (!isSeq(parent) || !isScalar(item) || !item.range || document.errors.length > 0) return undefined
  const [from, to] = item.range
  const single = text[from] === "'"
  const [first, ...others] = values.map((value) => quoted(value, single))
  if (first === undefined) return undefined
  if (parent.flow) return text.slice(0, from) + [first, ...others].join(", ") + text.slice(to)
  const begin = text.lastIndexOf("\n", from - 1) + 1
  const newline = text.indexOf("\n", to)
  const end = newline < 0 ? text.length : newline
  const dash = text.slice(begin, from)
  if (!/^\s*-\s+$/.test(dash)) return undefined
  const more = others.map((other) => `\n${dash}${other}`).join("")
  return text.slice(0, from) + first + text.slice(to, end) + more + text.slice(end)
}

/** A text in single quotes stays in them; any other gets double ones, for `{` and `*` mean something without. */
const quoted = (value: string, single: boolean): string =>
  single ? `'${value.replaceAll("'", "''")}'` : JSON.stringify(value)
