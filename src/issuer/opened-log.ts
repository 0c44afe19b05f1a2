// The log and its keys, opened for an issuer. It decides what `acceptRollback` is refused for; what it does, task/rollback.ts
// decides.
import { Refusal } from "../errors.ts"
import { type LedgerKeys, openLedgerKeys } from "../keys/ledger-key.ts"
import { beginLog, createSequence, type Sequence } from "../ledger/sequence.ts"
import type { TaskOptions } from "../task/parts.ts"
import { acceptRollback } from "../task/rollback.ts"

export interface OpenedLog {
  readonly sequence: Sequence
  readonly ledgerKeys: LedgerKeys
}

type Known = Omit<TaskOptions, keyof OpenedLog>

/**
 * One that was stopped, or has lost entries, is known as such before anything is minted; with `accept` another is begun.
 * Answers a text where that can't be. Throws Unavailable, KeysLocked.
 */
export async function openLog(known: Known, accept = false): Promise<OpenedLog | string> {
  const log = await open(known)
  if (!accept) return log
  if (log.sequence.stopped() === undefined)
    return "There is no rollback to accept: the ledger continues everything that is known to be signed of it. Start without --accept-rollback."
  const begun = await acceptRollback({ ...known, ...log })
  if (begun instanceof Refusal)
    return `The rollback was not accepted, and nothing has changed: ${begun.reason}`
  return open(known)
}

async function open({ engine, ledger, clock, issuer, keyring: { wrapping } }: Known): Promise<OpenedLog> {
  const name = await beginLog(engine, new URL(issuer).host)
  const ledgerKeys = await openLedgerKeys({ engine, ledger, wrapping, clock, name })
  const sequence = createSequence({ engine, clock, origin: name, signing: ledgerKeys.signing })
  await sequence.look()
  return { ledgerKeys, sequence }
}
