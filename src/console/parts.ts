// What the console's pages are made of. Plain data into escaped HTML without style attributes or script, which the console's
// Content-Security-Policy forbids.
import { html } from "hono/html"
import type { Content, Fragment } from "./values.ts"

export type Tone = "good" | "bad" | "warn" | "plain"

export const section = (title: string, ...body: readonly Content[]): Fragment =>
  html`<section aria-label="${title}"><h2>${title}</h2>${body}</section>`

export const tag = (text: string, tone: Tone = "plain"): Fragment =>
  html`<span class="tag${tone === "plain" ? "" : ` ${tone}`}">${text}</span>`

/** What stands where nothing is: what is not there, and what would bring it. */
export const empty = (what: string, next: Content = ""): Fragment =>
  html`<div class="empty"><p>${what}</p>${next === "" ? "" : html`<p class="note">${next}</p>`}</div>`

export interface Column {
  readonly title: string
  /** Set to the right, digits of one width. */
  readonly count?: boolean
}

/** So many columns fit beside each other on a phone; of wider tables each row is a list there, with the columns' titles. */
const MOST_BESIDE = 2

/** `caption` says to a screen reader what the table holds. Rows are as wide as `columns`. */
export function table(
  caption: string,
  columns: readonly Column[],
  rows: readonly (readonly Content[])[],
): Fragment {
  const isWide = columns.length > MOST_BESIDE
  const heads = columns.map(
    ({ title, count }) => html`<th scope="col"${count ? html` class="count"` : ""}>${title}</th>`,
  )
  const cellOf = (cell: Content, at: number) => {
    const { title = "", count } = columns[at] ?? {}
    return html`<td${isWide ? html` data-of="${title}"` : ""}${count ? html` class="count"` : ""}>${cell}</td>`
  }
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table${isWide ? html` class="wide"` : ""}><caption>${caption}</caption>
<thead><tr>${heads}</tr></thead>
<tbody>${rows.map((cells) => html`<tr>${cells.map(cellOf)}</tr>\n`)}</tbody></table></div>`
}

/** Names and values; those without a value are left out. */
export const facts = (pairs: readonly (readonly [string, Content | undefined])[]): Fragment =>
  html`<dl>${pairs.map(([name, value]) => (value === undefined ? "" : html`<dt>${name}</dt><dd>${value}</dd>`))}</dl>`

export interface Tile {
  readonly value: string
  readonly what: string
  /** Where it is told at length. */
  readonly href?: string
  readonly tone?: Tone
}

/** Numbers that are seen first. */
export const tiles = (shown: readonly Tile[]): Fragment =>
  html`<ul class="tiles">${shown.map(({ value, what, href, tone = "plain" }) => {
    const inside = html`<strong${tone === "plain" ? "" : html` class="${tone}"`}>${value}</strong><span class="what">${what}</span>`
    return html`<li>${href === undefined ? inside : html`<a href="${href}">${inside}</a>`}</li>`
  })}</ul>`

export interface Share {
  readonly value: number
  readonly class: "allowed" | "observed" | "refused" | "quiet"
  /** For a screen reader: `3 allowed`. */
  readonly what: string
}

/** One labelled line with a bar, `most` being its full width. */
export function bar(label: Content, shares: readonly Share[], most: number, count: string): Fragment {
  let from = 0
  const rectangles = shares.map((share) => {
    const x = percent(from, most)
    from += share.value
    return html`<rect class="${share.class}" height="100%" x="${x}" width="${percent(share.value, most)}"/>`
  })
  return html`<div class="row"><span>${label}</span>
<svg role="img" aria-label="${shares.map(({ what }) => what).join(", ")}" preserveAspectRatio="none">${rectangles}</svg>
<span class="count${from === 0 ? " none" : ""}">${count}</span></div>`
}

const percent = (part: number, whole: number): string =>
  `${whole <= 0 ? 0 : Math.round((1000 * part) / whole) / 10}%`

export interface Field {
  readonly name: string
  readonly label: string
  readonly value?: string
  /** Absent: text is typed. The first is what stands for "any", with an empty value. */
  readonly choices?: readonly (readonly [value: string, text: string])[]
  readonly type?: "text" | "search" | "datetime-local"
  readonly hint?: string
}

/** A question by address: whoever gets the address sees the same. */
export const searchForm = (action: string, fields: readonly Field[], submit = "Show"): Fragment =>
  html`<form class="search" method="get" action="${action}" role="search">
${fields.map((field) => html`<label>${field.label} ${fieldOf(field)}</label>`)}
<button class="main">${submit}</button></form>`

const fieldOf = ({ name, value = "", choices, type = "text", hint = "" }: Field): Fragment =>
  choices
    ? html`<select name="${name}">${choices.map(
        ([one, text]) => html`<option value="${one}"${one === value ? html` selected` : ""}>${text}</option>`,
      )}</select>`
    : html`<input type="${type}" name="${name}" value="${value}" placeholder="${hint}" autocomplete="off" spellcheck="false">`

/** Onwards and back, by address. */
export const pages = (address: { readonly first?: string; readonly next?: string }): Fragment =>
  address.first === undefined && address.next === undefined
    ? html``
    : html`<nav class="pages" aria-label="Pages"><span>${address.first === undefined ? "" : html`<a href="${address.first}">First page</a>`}</span>
<span>${address.next === undefined ? "" : html`<a href="${address.next}" rel="next">Next page</a>`}</span></nav>`

/** `path` with what is asked of it; empty and absent members are left out. */
export function addressOf(
  path: string,
  query: Readonly<Record<string, string | number | undefined>> = {},
): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "")
  const asked = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)]))
  return given.length === 0 ? path : `${path}?${asked}`
}
