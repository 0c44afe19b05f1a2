// A time line drawn to scale: lanes with bars over their times, marks and columns, and the same as a table. It decides how
// things stand on the page; what stands in which lane is timeline-lanes.ts's. Every lane is an SVG of its own with widths in
// percent, so that it fits a phone and text is never scaled.
import { html } from "hono/html"
import { toInstant } from "../time.ts"
import { table } from "./parts.ts"
import { type Fragment, spanOf } from "./values.ts"

export type Ink = "allowed" | "observed" | "refused" | "quiet" | "agreed"

/** Epoch milliseconds, as all times here. */
export interface Bar {
  readonly from: number
  readonly to: number
  readonly ink: Ink
  readonly what: string
}

export interface Mark {
  readonly at: number
  readonly ink: Ink
  readonly what: string
  /** How many it stands for; default 1. */
  readonly count?: number
}

/** How much there was in a step of time, as a column. */
export interface Step {
  readonly from: number
  readonly to: number
  readonly shares: readonly { readonly ink: Ink; readonly count: number }[]
  readonly what: string
}

export interface Lane {
  readonly name: string
  /** In a few words, for a screen reader. */
  readonly summary: string
  readonly bars?: readonly Bar[]
  readonly marks?: readonly Mark[]
  readonly steps?: readonly Step[]
}

export interface TimeLine {
  readonly from: number
  readonly to: number
  /** An instant to draw through all lanes, such as now. */
  readonly line?: number
  readonly lanes: readonly Lane[]
}

const DAY = 86_400_000

export function timeline(shown: TimeLine): Fragment {
  const { from, to, lanes } = shown
  const ticks = [from, (from + to) / 2, to]
  return html`<div class="lanes">
${lanes.map((lane) => laneOf(shown, lane))}
<div class="lane axis"><span></span><div>${ticks.map((tick) => html`<span>${shortOf(tick, shown)}</span>`)}</div></div>
</div>
<p class="note">${spanOf(Math.round((to - from) / 1000) * 1000)} from left to right, times in UTC.</p>
<details><summary>The same as a table</summary>
${table(
  "The time line as a table",
  [{ title: "From (UTC)" }, { title: "For" }, { title: "Where" }, { title: "What" }],
  rowsOf(shown).map(({ at, to: until, where, what }) => [
    shortOf(at, shown),
    until === undefined ? "" : spanOf(until - at),
    where,
    what,
  ]),
)}</details>`
}

function laneOf(shown: TimeLine, { name, summary, bars = [], marks = [], steps = [] }: Lane): Fragment {
  const x = (instant: number) => percent((instant - shown.from) / (shown.to - shown.from))
  const wide = (from: number, to: number) => percent(Math.max(0.004, (to - from) / (shown.to - shown.from)))
  const most = Math.max(1, ...steps.map(sumOf))
  return html`<div class="lane"><span><span>${name}</span> <span class="note" aria-hidden="true">${summary}</span></span>
<svg role="img" aria-label="${name}: ${summary}"${steps.length > 0 ? html` class="tall"` : ""}>${
    shown.line === undefined ? "" : html`<rect class="now" x="${x(shown.line)}" width="1" height="100%"/>`
  }${bars.map(
    ({ from, to, ink, what }) =>
      html`<rect class="${ink}" x="${x(from)}" width="${wide(from, to)}" y="18%" height="64%" rx="2"><title>${what}, ${shortOf(from, shown)}, for ${spanOf(to - from)}</title></rect>`,
  )}${steps.map(
    (step) =>
      html`<g><title>${step.what}, ${shortOf(step.from, shown)}</title>${columnOf(step, most, x(step.from), wide(step.from, step.to))}</g>`,
  )}${marks.map(
    ({ at, ink, what, count = 1 }) =>
      html`<circle class="${ink}" cx="${x(at)}" cy="50%" r="${Math.min(9, 4 + Math.log10(count) * 1.6).toFixed(1)}"><title>${what}, ${shortOf(at, shown)}</title></circle>`,
  )}</svg></div>
`
}

/** Its shares above each other; what there is at all can be seen. */
function columnOf(step: Step, most: number, x: string, width: string): Fragment[] {
  let below = 0
  return step.shares
    .filter(({ count }) => count > 0)
    .map(({ ink, count }) => {
      const height = Math.max(0.08, count / most)
      below += height
      return html`<rect class="${ink}" x="${x}" width="${width}" y="${percent(Math.max(0, 1 - below))}" height="${percent(height)}"/>`
    })
}

const sumOf = ({ shares }: Step): number => shares.reduce((sum, { count }) => sum + count, 0)

const percent = (share: number): string => `${Math.round(share * 10_000) / 100}%`

interface Row {
  readonly at: number
  readonly to?: number
  readonly where: string
  readonly what: string
}

const rowsOf = ({ lanes }: TimeLine): readonly Row[] =>
  lanes
    .flatMap(({ name: where, bars = [], marks = [], steps = [] }): Row[] => [
      ...bars.map(({ from: at, to, what }) => ({ at, to, where, what })),
      ...marks.map(({ at, what }) => ({ at, where, what })),
      ...steps.map(({ from: at, to, what }) => ({ at, to, where, what })),
    ])
    .sort((one, other) => one.at - other.at)

/** The day only where there is more than one. */
function shortOf(instant: number, { from, to }: TimeLine): string {
  const text = toInstant(Math.round(instant))
  const time = text.slice(11, 19)
  return Math.floor(from / DAY) === Math.floor(to / DAY) ? time : `${text.slice(5, 10)} ${time.slice(0, 5)}`
}
