// Reading by staff is itself an entry: one for each query, durable before anything is answered. It decides what such an entry
// says; who may read what is each endpoint's and each page's.
import type { Caller } from "./caller.ts"
import type { Rooms } from "./rooms.ts"

export interface Reading {
  /** What was looked at; absent: entries of the ledger. */
  readonly report?: string
  /** What was asked for, in the query's words. */
  readonly parameters?: Readonly<Record<string, string | number>>
  /** Every entry up to this place, and not a page of them. */
  readonly export?: true
  readonly up_to?: number
}

/** Names who reads: the name in the policy, and the person where one signed in. Throws Unavailable. */
export function recordReading(
  { ledger }: Pick<Rooms, "ledger">,
  { clientId: by, person }: Pick<Caller, "clientId" | "person">,
  reading: Reading,
): Promise<void> {
  const body = { by, ...(person !== undefined && { person }), ...reading }
  return ledger.append([{ kind: "access.read", at: ledger.at(), body }])
}
