// Who signs when a key was revoked, and the first word of a use under a new key: steps of transactions that the task room
// writes, because what such a key signed ends in the same one.
import type { Step } from "../database/database.ts"
import { type Refusal, refuse } from "../errors.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { Keyring } from "./keyring.ts"
import { activateKey, confirmKey, insertKey } from "./statements.ts"
import { asKnown, entry, retireSteps } from "./steps.ts"

export interface Replacement {
  readonly steps: readonly Step[]
  /** The thumbprint of the key that signs from then on. */
  readonly successor: string
}

/**
 * Takes a key out of service at once, because it was revoked. The current one is followed by the next, or by a fresh
 * one, published or not. Undefined: this is no key of ours that stands. `key_signer_missing`.
 */
export async function planReplacement(
  keyring: Keyring,
  ledger: Ledger,
  kid: string,
  told: { readonly by: string; readonly revocation: string },
): Promise<Replacement | Refusal | undefined> {
  const keys = keyring.standing()
  const revoked = keys.find((key) => key.kid === kid)
  const current = keys.find(({ state }) => state === "current")
  if (!revoked || !current) return undefined
  const now = ledger.at()
  const retire = [asKnown(revoked), ...retireSteps(ledger, revoked, told)]
  if (revoked !== current) return { steps: retire, successor: current.verification.thumbprint }
  const next = keys.find(({ state, issuing }) => state === "next" && issuing)
  const activated = (one: { readonly kid: string; readonly alg: string }) =>
    entry(ledger, "key.activated", now, { kid: one.kid, alg: one.alg, previous: kid, ...told })
  if (next) {
    const activate = { statement: activateKey, values: { kid: next.kid, now }, rows: 1 }
    return { steps: [...retire, activate, ...activated(next.verification)], successor: next.kid }
  }
  const fresh = await keyring.make()
  if (!fresh) return refuse("key_signer_missing", "[signer] every signer has had its turn")
  const insert = { ...fresh, state: "current", now, activatedAt: now }
  const created = entry(ledger, "key.created", now, { kid: fresh.kid, alg: fresh.alg, ...told })
  return {
    steps: [...retire, { statement: insertKey, values: insert, rows: 1 }, ...created, ...activated(fresh)],
    successor: fresh.kid,
  }
}

/**
 * Takes every key out of service at once; a fresh one signs, published or not. `revocations` has an order for each of
 * them, by its id. `key_signer_missing`.
 */
export async function planReplacingAll(
  keyring: Keyring,
  ledger: Ledger,
  by: string,
  revocations: ReadonlyMap<string, string>,
): Promise<Replacement | Refusal> {
  const fresh = await keyring.make()
  if (!fresh) return refuse("key_signer_missing", "[signer] every signer has had its turn")
  const now = ledger.at()
  const retired = keyring.standing().flatMap((key) => {
    const revocation = revocations.get(key.kid)
    return [asKnown(key), ...retireSteps(ledger, key, revocation === undefined ? { by } : { by, revocation })]
  })
  const body = { kid: fresh.kid, alg: fresh.alg, by }
  return {
    steps: [
      ...retired,
      { statement: insertKey, values: { ...fresh, state: "current", now, activatedAt: now }, rows: 1 },
      ...entry(ledger, "key.created", now, body),
      ...entry(ledger, "key.activated", now, body),
    ],
    successor: fresh.kid,
  }
}

/** The current key while no use under it has been recorded: its rotation is not finished. */
export const unconfirmedKey = (keyring: Keyring): string | undefined =>
  keyring.standing().find(({ state, usedAt }) => state === "current" && usedAt === undefined)?.kid

/** A use under the current key was recorded for the first time: everything works with it. */
export function confirmSteps(ledger: Ledger, kid: string, verifier: string): Step[] {
  const now = ledger.at()
  return [
    { statement: confirmKey, values: { kid, now }, rows: 1 },
    ...entry(ledger, "key.confirmed", now, { kid, verifier }),
  ]
}
