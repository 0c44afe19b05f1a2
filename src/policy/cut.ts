// Takes one item or member out of a YAML text and leaves every other byte as it is: comments, quotes, order and layout. It
// decides where what is taken out begins and ends; what is to go is narrow.ts's.
import { isCollection, isMap, isNode, isPair, isSeq, parseDocument, type YAMLMap, type YAMLSeq } from "yaml"

/** The text without what stands at the path; undefined where nothing does, or where it can't be taken out by itself. */
export function cut(text: string, path: readonly (string | number)[]): string | undefined {
  const document = parseDocument(text, { schema: "core", version: "1.2", merge: false, prettyErrors: false })
  const parent = document.getIn(path.slice(0, -1))
  const last = path.at(-1)
  if (!(isMap(parent) || isSeq(parent)) || last === undefined || document.errors.length > 0) return undefined
  const at = isSeq(parent)
    ? Number(last)
    : parent.items.findIndex(({ key }) => isNode(key) && String(key) === String(last))
  const spans = spansOf(parent)
  const span = spans?.[at]
  if (!spans || !span) return undefined
  return parent.flow ? cutFlow(text, spans, at) : cutLines(text, span)
}

interface Span {
  readonly from: number
  readonly to: number
}

function spansOf(parent: YAMLMap | YAMLSeq): Span[] | undefined {
  const spans = parent.items.flatMap((item): Span[] => {
    const from = isPair(item) ? startOf(item.key) : startOf(item)
    const to = isPair(item) ? (endOf(item.value) ?? endOf(item.key)) : endOf(item)
    return from === undefined || to === undefined ? [] : [{ from, to }]
  })
  return spans.length === parent.items.length ? spans : undefined
}

const startOf = (node: unknown): number | undefined => (isNode(node) ? node.range?.[0] : undefined)

/** Of a block collection its last leaf's: its own range goes on to what follows. */
function endOf(node: unknown): number | undefined {
  if (!isNode(node)) return undefined
  if (!isCollection(node) || node.flow || node.items.length === 0) return node.range?.[1]
  const last: unknown = node.items.at(-1)
  return isPair(last) ? (endOf(last.value) ?? endOf(last.key)) : endOf(last)
}

/** With the comma that parted it from its neighbour. */
function cutFlow(text: string, spans: readonly Span[], at: number): string | undefined {
  const [span, before, after] = [spans[at], spans[at - 1], spans[at + 1]]
  if (!span) return undefined
  if (before) return text.slice(0, before.to) + text.slice(span.to)
  return after ? text.slice(0, span.from) + text.slice(after.from) : undefined
}

/** Whole lines, with a comment behind the last; undefined where something else stands on one of them. */
function cutLines(text: string, { from, to }: Span): string | undefined {
  const begin = text.lastIndexOf("\n", from - 1) + 1
  const newline = text.indexOf("\n", to)
  const end = newline < 0 ? text.length : newline + 1
  const alone = /^\s*(-\s+)?$/.test(text.slice(begin, from)) && /^\s*(#.*)?\s*$/.test(text.slice(to, end))
  return alone ? text.slice(0, begin) + text.slice(end) : undefined
}
