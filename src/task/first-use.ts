// The first use under a signing key that is new: it finishes the rotation. It decides whether a batch holds one.
import type { Step } from "../database/database.ts"
import { confirmSteps, unconfirmedKey } from "../keys/replacement.ts"
import type { UseBatch } from "../token/batch.ts"
import type { Parts } from "./parts.ts"
import { keyOfToken } from "./use-statements.ts"

/** A batch holds up to 1,000 uses; those that came last are the likeliest to be under the new key. */
const LOOKED_AT = 50

/** The first use under the current key that is recorded finishes the rotation. */
export async function firstUseSteps(parts: Parts, batch: UseBatch): Promise<Step[]> {
  const kid = unconfirmedKey(parts.keyring)
  if (kid === undefined) return []
  const tokens = [...new Set(batch.uses.map(({ jti }) => jti).reverse())].slice(0, LOOKED_AT)
  for (const jti of tokens) {
    const [row] = await parts.engine.query(keyOfToken, { jti })
    if (row?.kid === kid) return confirmSteps(parts.ledger, kid, batch.instance)
  }
  return []
}
