// Reading by staff is itself an entry, as at the endpoints for programs: durable before anything is shown.
import type { Rooms } from "../rooms.ts"
import type { Visitor } from "./visitor.ts"

export interface Reading {
  /** What was looked at; absent: entries of the ledger. */
  readonly report?: string
  readonly parameters?: Readonly<Record<string, string | number>>
}

/** Names who looks: the name in the policy, and the person where one signed in. Throws Unavailable. */
export function recordReading(
  { ledger }: Pick<Rooms, "ledger">,
  { caller: { clientId: by, person } }: Visitor,
  reading: Reading,
): Promise<void> {
  const body = { by, ...(person !== undefined && { person }), ...reading }
  return ledger.append([{ kind: "access.read", at: ledger.at(), body }])
}

/** Whether they may look beyond what waits for their decision. */
export const maySeeAll = ({ caller }: Visitor): boolean =>
  caller.scopes.has("auditor") || caller.scopes.has("operator")

/** Whether they may read the ledger, and are led there. */
export const mayRead = ({ caller }: Visitor): boolean => caller.scopes.has("auditor")
