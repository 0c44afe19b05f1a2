// Revoking a signing key: what it signed ends, the key goes, and another signs, all in one transaction. Every API is told,
// whether or not a token of it lives: whoever stole the key makes tokens for all of them.
import type { Step } from "../database/database.ts"
import { type Refusal, Refusal as Refused } from "../errors.ts"
import { planReplacement } from "../keys/replacement.ts"
import { commitDecision } from "./commit.ts"
import type { Parts } from "./parts.ts"
import { feedKey } from "./revocation-statements.ts"

/**
 * Verifiers are told that everything by this key has ended which is dated up to so long from now, and remember it for as
 * long and an hour more. By then none of them believes a key set that has it: sets are believed for an hour.
 */
export const KEY_REVOKED_SECONDS = 7200

export interface KeyOrder {
  readonly by: string
  /** Of the revocation. */
  readonly id: string
  readonly kid: string
  /** Epoch seconds. */
  readonly before: number
}

/** `order`: the steps of the revocation itself. A key that is none of ours, or was retired, is revoked and that is all. */
export async function commitKeyOrder(
  parts: Parts,
  { by, id, kid, before }: KeyOrder,
  order: readonly Step[],
): Promise<Refusal | undefined> {
  const { keyring, ledger, names, policies } = parts
  const done = await commitDecision<true>(parts, async () => {
    await keyring.refresh()
    const replaced = await planReplacement(keyring, ledger, kid, { by, revocation: id })
    if (replaced instanceof Refused) return replaced
    const apis = [...policies.inForce().apis.keys()]
    const told = { id, kid, before, successor: replaced?.successor ?? null }
    return {
      steps: [
        // An API of another policy would not be told.
        policies.guard(),
        ...names.steps(apis),
        ...order,
        ...apis.map((api) => ({ statement: feedKey, values: { ...told, api }, rows: 1 })),
        ...(replaced?.steps ?? []),
      ],
      answer: () => keyring.refresh().then(() => true as const),
    }
  })
  return done instanceof Refused ? done : undefined
}
