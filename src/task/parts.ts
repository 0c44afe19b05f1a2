// What the task room works with, handed in once: the engine, the ledger, the policy in force, the keys, the clock. It
// decides one thing: whether this process may mint at all (not by a clock that stepped, not for a ledger that was rolled
// back).
import type { Engine } from "../database/database.ts"
import type { Names } from "../database/names.ts"
import { type Refusal, refuse } from "../errors.ts"
import type { Keyring } from "../keys/keyring.ts"
import type { LedgerKeys } from "../keys/ledger-key.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { Sequence } from "../ledger/sequence.ts"
import type { PolicyStore } from "../policy/in-force.ts"
import type { Api, Policy } from "../policy/policy.ts"
import { type Clock, createStepWatch, toEpochSeconds } from "../time.ts"
import { createKnownTexts, type KnownTexts } from "../token/known-texts.ts"
import { OWN_API } from "./statements.ts"
import type { StatusPlaces } from "./status-places.ts"
import { createUsageReader, type UsageReader } from "./usage.ts"

export interface TaskOptions {
  readonly engine: Engine
  readonly names: Names
  readonly ledger: Ledger
  readonly policies: PolicyStore
  readonly sequence: Sequence
  readonly ledgerKeys: LedgerKeys
  readonly keyring: Keyring
  /** Where tokens of foreign APIs get their places in status lists. */
  readonly statusPlaces: StatusPlaces
  readonly clock: Clock
  /** `iss` of every token, byte for byte. */
  readonly issuer: string
}

export interface Parts extends TaskOptions {
  /** A refusal while the wall clock stands more than 5 s beside where monotonic time says it should be. */
  readonly steady: () => Refusal | undefined
  /** The same, and a refusal for good once the ledger does not continue what was signed of it: asked before every mint. */
  readonly mayMint: () => Refusal | undefined
  readonly usage: UsageReader
  /** Agents' own tokens that were signed or opened here. */
  readonly ownTokens: KnownTexts
}

export function assembleParts(options: TaskOptions): Parts {
  const step = createStepWatch(options.clock)
  const steady = () => {
    const by = step()
    return by === 0
      ? undefined
      : refuse("clock_stepped", `[clock] the wall clock stepped by ${Math.round(by)} ms`)
  }
  const mayMint = () =>
    options.sequence.stopped() === undefined
      ? steady()
      : refuse("ledger_broken", "[ledger] the log was stopped")
  return Object.freeze({
    ...options,
    steady,
    mayMint,
    usage: createUsageReader(options.engine),
    ownTokens: createKnownTexts(),
  })
}

const interned = new WeakSet<Policy>()

/** Interns every name of a policy once, so that no mint under it has to. */
export async function internPolicy(parts: Parts): Promise<void> {
  const policy = parts.policies.inForce()
  if (interned.has(policy)) return
  const { apis, agents, orchestrators, tasks } = policy
  const operations = [...apis.values()].flatMap((api) => [...api.operations.keys()])
  await parts.names.ensure(
    [apis, agents, orchestrators, tasks].flatMap((named) => [...named.keys()]).concat(operations, OWN_API),
  )
  interned.add(policy)
}

const byResource = new WeakMap<Policy, ReadonlyMap<string, Api>>()

/** The API whose tokens carry this `aud`. Policies are immutable, so the index is made once for each. */
export function apiOf(policy: Policy, resource: string): Api | undefined {
  let index = byResource.get(policy)
  if (!index) {
    index = new Map([...policy.apis.values()].map((api) => [api.resource, api]))
    byResource.set(policy, index)
  }
  return index.get(resource)
}

/**
 * The next instant, in epoch seconds, up to which a holder's tokens end. Tokens minted afterwards get a later `iat`, so
 * that "ends what was issued at or before" never hits what was minted after it in the same second.
 */
export const nextFloor = (now: number, floor: number): number => Math.max(toEpochSeconds(now), floor + 1)
