// What a person sees instead of a page: what is wrong, what to do now, and the id to quote.
import { html } from "hono/html"
import { consolePage } from "./page.ts"

export interface Refused {
  readonly title: string
  readonly code: string
  /** In words: what the reader can do. */
  readonly next: string
  /** What was expected instead, where that can be said. */
  readonly expected: readonly string[]
  readonly requestId: string
  /** Where the reader goes on. */
  readonly onward: { readonly href: string; readonly text: string }
}

export const refusedPage = ({ title, code, next, expected, requestId, onward }: Refused): string =>
  consolePage({
    title,
    lead: next,
    body: html`<section aria-label="Details">${expected.map((one) => html`<p>Expected: ${one}</p>`)}<p class="note">Code <code>${code}</code>, request <code>${requestId}</code>: quote both to whoever
runs this taskmint.</p><p><a href="${onward.href}">${onward.text}</a></p></section>`,
  })
