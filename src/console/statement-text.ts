// How single values stand on a statement's page.
import { html } from "hono/html"
import type { Clear } from "../audit/opening.ts"
import type { Statement } from "../audit/statement.ts"
import type { Commitment } from "../ledger/commitment.ts"

/** A statement with its values in place of commitments. */
export type Shown = Clear<Statement>
/** Escaped HTML. */
export type Fragment = ReturnType<typeof html>

/** Of a value that is erased, what is left: a part of its commitment. */
export function textOf(value: string | Commitment): Fragment {
  return typeof value === "string"
    ? html`${value}`
    : html`<span class="note">erased (${value.hmac.slice(0, 8)}…)</span>`
}

/** To the second: for people. */
export const timeOf = (instant: string): Fragment =>
  html`<time datetime="${instant}">${instant.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC")}</time>`

export const numberOf = (count: number): string => count.toLocaleString("en")
