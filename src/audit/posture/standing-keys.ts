// Keys whose turn is over or does not come: what the schedule owes, and what a key waits for longer than it should. Pure.
import type { KeyView } from "../../keys/rotation.ts"
import type { StandingFacts, StandingSpot } from "./standing-facts.ts"

const HOUR_MILLISECONDS = 3_600_000
const DAY_MILLISECONDS = 86_400_000
/** An issuer that runs does what is due within seconds; after so long something is in its way. */
const PATIENCE_MILLISECONDS = HOUR_MILLISECONDS
const UNCONFIRMED_DAYS = 2
const LEDGER_KEY_DAYS = 365

export function* findKeys(facts: StandingFacts): Generator<StandingSpot> {
  const { now, keys, nextKeyAt, signerMissing, ledgerKeyAt } = facts
  if (signerMissing)
    yield { rule: "signer-missing", message: "another signing key is wanted, and there is no signer for it" }
  else if (nextKeyAt !== undefined && now - nextKeyAt > PATIENCE_MILLISECONDS)
    yield {
      rule: "rotation-overdue",
      message: `the next signing key was to be published on ${dateOf(nextKeyAt)}, and was not`,
    }
  for (const key of keys) yield* findKey(key, now)
  if (ledgerKeyAt !== undefined && now - ledgerKeyAt > LEDGER_KEY_DAYS * DAY_MILLISECONDS)
    yield { rule: "ledger-key-old", message: `the ledger's key signs since ${dateOf(ledgerKeyAt)}` }
}

function* findKey({ kid, state, waitsFor, activatedAt }: KeyView, now: number): Generator<StandingSpot> {
  const { what, until = now } = waitsFor ?? {}
  if (state === "next" && what === "publication" && now - until > PATIENCE_MILLISECONDS)
    yield {
      rule: "rotation-waits",
      message: `the key ${kid} was to sign from ${dateOf(until)} on, and is still only published`,
    }
  if (
    what === "first_use" &&
    activatedAt !== undefined &&
    now - activatedAt > UNCONFIRMED_DAYS * DAY_MILLISECONDS
  )
    yield {
      rule: "key-unconfirmed",
      message: `the key ${kid} signs since ${dateOf(activatedAt)}, and no use under it is known`,
    }
}

const dateOf = (at: number): string => new Date(at).toISOString().slice(0, 10)
