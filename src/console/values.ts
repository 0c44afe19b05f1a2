// How single values stand on every page: instants, spans and counts, for people.
import { html } from "hono/html"

/** Escaped HTML. */
export type Fragment = ReturnType<typeof html>
/** Text is escaped where it stands. */
export type Content = Fragment | string

/** To the second: for people. */
export const timeOf = (instant: string): Fragment =>
  html`<time datetime="${instant}">${instant.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC")}</time>`

/** A path that may go on in the next line after each of its slashes. */
export const breaking = (text: string): Fragment =>
  html`${text.split("/").map((part, at) => (at === 0 ? part : html`/<wbr>${part}`))}`

export const numberOf = (count: number): string => count.toLocaleString("en")

/** `token` or `tokens`. */
export const wordFor = (count: number, one: string, many = `${one}s`): string => (count === 1 ? one : many)

/** `12 tokens`, `1 token`. */
export const countOf = (count: number, one: string, many?: string): string =>
  `${numberOf(count)} ${wordFor(count, one, many)}`

const SPANS = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1000, "s"],
] as const

/** `3 min`: the two largest units where the first is a day or an hour, so that a deadline is told from the next. */
export function spanOf(milliseconds: number): string {
  const at = SPANS.findIndex(([size]) => milliseconds >= size)
  if (at < 0) return "0 s"
  const [size, unit] = SPANS[at] ?? [1000, "s"]
  const whole = Math.floor(milliseconds / size)
  const [below, belowUnit] = SPANS[at + 1] ?? [1000, "s"]
  const rest = Math.floor((milliseconds - whole * size) / below)
  return at < 2 && rest > 0 ? `${whole} ${unit} ${rest} ${belowUnit}` : `${whole} ${unit}`
}

/** `3 min ago` or `in 3 min`, with the instant for whoever points at it. */
export function agoOf(instant: string, now: number): Fragment {
  const away = Date.parse(instant) - now
  const span = spanOf(Math.abs(away))
  const text = Math.abs(away) < 1000 ? "now" : away > 0 ? `in ${span}` : `${span} ago`
  return html`<time datetime="${instant}" title="${instant.replace("T", " ")}">${text}</time>`
}

/** Our own sentences, with what is to be typed between backticks. */
export const withCode = (text: string): Fragment =>
  html`${text.split("`").map((part, at) => (at % 2 === 1 ? html`<code>${part}</code>` : part))}`
