// The alarms that stand, by kind: plain data into a page. What raises and clears them is decided elsewhere.
import { html } from "hono/html"
import { alarmNext, alarmsAddress, alarmTitle, alarmWords, type ShownAlarm } from "./alarm-words.ts"
import type { Page } from "./page.ts"
import { addressOf, empty, pages, section, table } from "./parts.ts"
import { agoOf, type Fragment, numberOf, withCode } from "./values.ts"

export interface Alarms {
  /** Epoch milliseconds. */
  readonly now: number
  /** The kind that is looked at; undefined: all. */
  readonly kind: string | undefined
  /** By kind, all that stand. */
  readonly counts: ReadonlyMap<string, number>
  /** The newest first. */
  readonly alarms: readonly ShownAlarm[]
  /** Whether the page is not the first, and where the next one begins. */
  readonly onwards: boolean
  readonly next: number | undefined
}

export const alarmsPage = (shown: Alarms): Omit<Page, "reader"> => ({
  title: shown.kind === undefined ? "Alarms" : alarmTitle(shown.kind),
  place: "/console/alarms",
  lead: "What stands now, the newest first. An alarm goes by itself once what raised it is over; the ledger keeps both.",
  body: html`${kindsOf(shown)}${section("Alarms", listOf(shown))}`,
})

const kindsOf = ({ counts, kind }: Alarms): Fragment | "" =>
  counts.size === 0
    ? ""
    : html`<ul class="tabs">${[undefined, ...counts.keys()].map((one) => {
        const count = one === undefined ? sumOf(counts) : (counts.get(one) ?? 0)
        const current = one === kind ? html` aria-current="true"` : ""
        return html`<li><a href="${alarmsAddress(one)}"${current}>${one === undefined ? "All" : alarmTitle(one)} <span class="note">${numberOf(count)}</span></a></li>`
      })}</ul>`

const sumOf = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((sum, count) => sum + count, 0)

function listOf({ now, kind, alarms, onwards, next }: Alarms): Fragment {
  if (alarms.length === 0)
    return empty(
      kind === undefined ? "No alarm stands." : "None of these stands.",
      "What is silent, reports less than it should, or is unusual appears here within a minute.",
    )
  const rows = alarms.map((alarm) => [
    agoOf(alarm.since, now),
    html`${alarmWords(alarm)}<span class="note">${withCode(alarmNext(alarm.kind))}</span>`,
    html`<a href="${alarmsAddress(alarm.kind)}">${alarmTitle(alarm.kind)}</a>`,
  ])
  const first = onwards ? { first: alarmsAddress(kind) } : {}
  const onward =
    next === undefined ? {} : { next: addressOf("/console/alarms", { alarm: kind, before: next }) }
  return html`${table("Alarms that stand", [{ title: "Since" }, { title: "What, and what to do" }, { title: "Kind" }], rows)}
${pages({ ...first, ...onward })}`
}
