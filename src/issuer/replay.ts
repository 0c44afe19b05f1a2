// What may be used once: a client assertion, a workload's, and a DPoP proof. One insert under a unique key is the
// verdict, so it holds over restarts and replicas. It decides nothing about what was wrong with the thing itself.
import { hash } from "node:crypto"
import { Duplicate, type Engine, type Step } from "../database/database.ts"
import { type Refusal, refuse } from "../errors.ts"
import { type Clock, SKEW_SECONDS } from "../time.ts"
import { MAX_PROOF_AGE_SECONDS, MAX_PROOF_AHEAD_SECONDS } from "../token/proof.ts"
import { pruneSpent, spend } from "./statements.ts"

/** Longest that a proof is taken: as old as it may be, made as far ahead as it may be. */
const PROOF_SECONDS = MAX_PROOF_AGE_SECONDS + MAX_PROOF_AHEAD_SECONDS

/** As a JSON array the members can't run into each other. Only the digest is kept. */
const digestOf = (...members: readonly string[]): Uint8Array =>
  hash("sha256", JSON.stringify(members), "buffer")

/** `expires`: the assertion's `exp` in epoch seconds; it is remembered until no clock takes it any more. */
export const spendAssertion = (clientId: string, jti: string, expires: number): Step => ({
  statement: spend,
  values: { digest: digestOf("assertion", clientId, jti), until: (expires + 2 * SKEW_SECONDS) * 1000 },
  rows: 1,
})

/** The same for a workload assertion: by its issuer and what makes it that one. */
export const spendIdentity = (issuer: string, once: string, expires: number): Step => ({
  statement: spend,
  values: { digest: digestOf("identity", issuer, once), until: (expires + 2 * SKEW_SECONDS) * 1000 },
  rows: 1,
})

/** RFC 9449 section 11.1: by key and `jti`, for as long as the proof would be taken again. */
export const spendProof = (jkt: string, jti: string, now: number): Step => ({
  statement: spend,
  values: { digest: digestOf("proof", jkt, jti), until: now + PROOF_SECONDS * 1000 },
  rows: 1,
})

/** Spends a proof by itself: undefined, or the refusal of one that was used before. Throws Unavailable. */
export async function spendOnce(engine: Engine, step: Step): Promise<Refusal | undefined> {
  try {
    await engine.atomically([step])
    return undefined
  } catch (error) {
    if (error instanceof Duplicate) return refuse("proof_invalid", "[replay] this proof was used before")
    throw error
  }
}

/** How much longer than needed things are remembered, so that a clock that is set back can't bring them to life again. */
const MARGIN_MILLISECONDS = 3_600_000

/** Forgets what is long past its time; called on a timer. */
export const forgetSpent = (engine: Engine, clock: Clock): Promise<void> =>
  engine.atomically([{ statement: pruneSpent, values: { now: clock.now() - MARGIN_MILLISECONDS } }])
