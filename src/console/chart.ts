// Small charts of counts over time: bars without script or style attributes. Each says in words what it shows, for whoever can't
// see it, and each bar its own value for whoever points at it.
import { html } from "hono/html"
import { type Content, type Fragment, numberOf } from "./values.ts"

export interface Bar {
  /** Epoch milliseconds at which it begins. */
  readonly from: number
  readonly value: number
}

export interface Chart {
  readonly title: string
  /** What is counted, after a number: `uses`; and after one, where that is said otherwise. */
  readonly what: string
  readonly one?: string
  /** The time that all bars take together: `24 hours`. */
  readonly span: string
  /** In the order of time, one beside the other. */
  readonly bars: readonly Bar[]
  /** Each bar tells how many there were at its end, the last how many there are: they add up to nothing. */
  readonly standing?: boolean
  readonly class?: "allowed" | "observed" | "refused" | "quiet"
  /** Where it is told at length. */
  readonly href?: string | undefined
}

const HIGH = 40
/** Of a bar's place the part that it fills. */
const WIDE = 0.78
/** What happened at all is seen, however much happened at another time. */
const LEAST = 1.5

/** Bars from zero up to the largest of them. */
export function chart(drawn: Chart): Fragment {
  const { title, what, span, bars, standing = false, class: tone = "allowed", href } = drawn
  const most = Math.max(0, ...bars.map(({ value }) => value))
  const name = href === undefined ? title : html`<a href="${href}">${title}</a>`
  return html`<figure class="chart"><figcaption><span>${name}${standing ? "" : html` <span class="note">in ${span}</span>`}</span> <strong>${numberOf(standing ? lastOf(bars) : sumOf(bars))}</strong></figcaption>
<svg role="img" aria-label="${summaryOf(drawn)}" viewBox="0 0 ${bars.length} ${HIGH}" preserveAspectRatio="none">
<rect class="ground" x="0" y="${HIGH - 0.5}" width="${bars.length}" height="0.5"/>${bars.map((bar, at) => rectangle(bar, at, { most, what, tone }))}</svg>
<div class="axis"><span>${hourOf(bars[0])}</span><span>${most === 0 ? "none" : `at most ${numberOf(most)} ${standing ? "at once" : "an hour"}`}</span><span>now</span></div></figure>`
}

function rectangle(
  { from, value }: Bar,
  at: number,
  { most, what, tone }: { readonly most: number; readonly what: string; readonly tone: string },
): Content {
  if (value <= 0) return ""
  const height = rounded(Math.max(LEAST, (HIGH * value) / most))
  const x = rounded(at + (1 - WIDE) / 2)
  return html`<rect class="${tone}" x="${x}" y="${rounded(HIGH - height)}" width="${WIDE}" height="${height}"><title>${hourOf({ from })}: ${numberOf(value)} ${what}</title></rect>`
}

const rounded = (value: number): number => Math.round(100 * value) / 100

const lastOf = (bars: readonly Bar[]): number => bars.at(-1)?.value ?? 0

const sumOf = (bars: readonly Bar[]): number => bars.reduce((sum, { value }) => sum + value, 0)

/** `1,204 uses in 24 hours, the most at 14:00 UTC: 210.` Of what stands: `3 live tasks now, in 24 hours the most at 14:00 UTC: 9.` */
export function summaryOf({
  what,
  one = what,
  span,
  bars,
  standing = false,
}: Pick<Chart, "what" | "one" | "span" | "bars" | "standing">): string {
  const [first, ...rest] = bars
  const top = first && rest.reduce((most, bar) => (bar.value > most.value ? bar : most), first)
  if (!top || top.value === 0) return `No ${what} in ${span}.`
  if (standing)
    return `${numberOf(lastOf(bars))} ${lastOf(bars) === 1 ? one : what} now, in ${span} the most at ${hourOf(top)}: ${numberOf(top.value)}.`
  return `${numberOf(sumOf(bars))} ${what} in ${span}, the most at ${hourOf(top)}: ${numberOf(top.value)}.`
}

const hourOf = (bar: Pick<Bar, "from"> | undefined): string =>
  bar === undefined ? "" : `${new Date(bar.from).toISOString().slice(11, 16)} UTC`

/** How much of something, as a line in a table: `2 of 3`, with a bar beside it. */
export const meter = (part: number, whole: number, what: string): Fragment =>
  html`<span class="meter"><svg aria-hidden="true" viewBox="0 0 100 10" preserveAspectRatio="none"><rect class="quiet" width="100" height="10"/><rect class="allowed" width="${whole <= 0 ? 0 : rounded((100 * part) / whole)}" height="10"/></svg> ${numberOf(part)} of ${numberOf(whole)}<span class="unseen"> ${what}</span></span>`
