// What each change of a signing key writes: the guarded statement, and the entry that tells of it. When it is due is
// decided elsewhere.
import type { Step } from "../database/database.ts"
import type { Event } from "../ledger/event.ts"
import type { Ledger } from "../ledger/ledger.ts"
import { toEpochSeconds } from "../time.ts"
import type { Change } from "./due.ts"
import type { NewKey, StandingKey } from "./held.ts"
import { activateKey, confirmKey, insertKey, keyRests, retireKey, supersedeKey } from "./statements.ts"

/** Service tokens and status lists are not in the database: the longest that either lives, and time to spare. */
const UNRECORDED_SECONDS = 360

export const entry = (ledger: Ledger, kind: Event["kind"], at: number, body: Event["body"]): Step[] =>
  body ? ledger.steps({ kind, at, body }) : []

/** The current key rests as this process knows it: what is sealed here opens with what opens the others. */
export const asKnown = ({ kid, state, wrapped }: StandingKey): Step => ({
  statement: keyRests,
  values: { kid, state, wrapped },
  rows: 1,
})

export function publishSteps(ledger: Ledger, current: StandingKey, key: NewKey, by: string): Step[] {
  const now = ledger.at()
  return [
    asKnown(current),
    { statement: insertKey, values: { ...key, state: "next", now, activatedAt: null }, rows: 1 },
    ...entry(ledger, "key.created", now, { kid: key.kid, alg: key.alg, by }),
  ]
}

export function activateSteps(
  ledger: Ledger,
  { current, next }: Change & { what: "activate" },
  by: string,
): Step[] {
  const now = ledger.at()
  const until = toEpochSeconds(now) + UNRECORDED_SECONDS
  const { kid, verification } = next
  return [
    { statement: supersedeKey, values: { kid: current.kid, now, until }, rows: 1 },
    { statement: activateKey, values: { kid, now }, rows: 1 },
    ...entry(ledger, "key.activated", now, { kid, alg: verification.alg, previous: current.kid, by }),
  ]
}

export function retireSteps(
  ledger: Ledger,
  { kid, state }: StandingKey,
  told: { readonly by: string; readonly revocation?: string },
): Step[] {
  const now = ledger.at()
  return [
    { statement: retireKey, values: { kid, state, now, nothing: new Uint8Array() }, rows: 1 },
    ...entry(ledger, "key.retired", now, { kid, ...told }),
  ]
}

/** Statements that meet another state when a key has changed meanwhile. */
export const KEY_GUARDS: ReadonlySet<string> = new Set(
  [keyRests, insertKey, activateKey, retireKey, confirmKey].map(({ name }) => name),
)
