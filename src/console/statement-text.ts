// How a statement's values stand on its page: those that were erased among them.
import { html } from "hono/html"
import type { Clear } from "../audit/opening.ts"
import type { Statement } from "../audit/statement.ts"
import type { Commitment } from "../ledger/commitment.ts"
import type { Fragment } from "./values.ts"

/** A statement with its values in place of commitments. */
export type Shown = Clear<Statement>

/** Of a value that is erased, what is left: a part of its commitment. */
export function textOf(value: string | Commitment): Fragment {
  return typeof value === "string"
    ? html`${value}`
    : html`<span class="note">erased (${value.hmac.slice(0, 8)}…)</span>`
}
