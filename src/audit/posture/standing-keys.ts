// Keys whose turn is over or does not come: what the schedule owes, and what a key waits for longer than it should. Pure.
import type { KeyView } from "../../keys/rotation.ts"
import { counted, type StandingFacts, type StandingSpot } from "./standing-facts.ts"

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
  yield* findCanaries(facts)
}

/**
 * Of the last key that canaries went with, as many as it signed are to be known by keys that are published. Whether the same
 * places have one is not known.
 */
function* findCanaries({ keys, retired, canaries }: StandingFacts): Generator<StandingSpot> {
  const signedBy = new Map(canaries.map(({ kid, count }) => [kid, count]))
  const last = retired.findLast(({ kid }) => signedBy.has(kid))
  if (!last) return
  const dead = signedBy.get(last.kid) ?? 0
  const alive = keys.reduce((sum, { kid }) => sum + (signedBy.get(kid) ?? 0), 0)
  if (alive >= dead) return
  const when = last.retiredAt === undefined ? "" : ` on ${dateOf(last.retiredAt)}`
  yield {
    rule: "canary-dead",
    message: `${counted(dead, "canary is", "canaries are")} known for one no more since the key ${last.kid} went${when}, and ${counted(alive, "is", "are")} now`,
  }
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
