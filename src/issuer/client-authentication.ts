// How a caller proves itself at /token: private_key_jwt, each assertion once. The unique key, the entry of the caller's
// first appearance in the hour and, when a DPoP proof came along, its own unique key are one transaction. It decides who
// the caller is and nothing about scopes.
import { Duplicate, type Step } from "../database/database.ts"
import { type Refusal, refuse } from "../errors.ts"
import { type Caller, caller as callerOf } from "../policy/callers.ts"
import { toEpochSeconds } from "../time.ts"
import { type ClientAssertion, judgeAssertion, readClientAssertion } from "../token/assertion.ts"
import { Unreadable } from "../token/jwt.ts"
import type { Proof } from "../token/proof.ts"
import { type JsonWebKeySet, KeyFault, readKeySet, type VerificationKey } from "../token/signature.ts"
import { limitPerMinute } from "./rate.ts"
import { spendAssertion, spendProof } from "./replay.ts"
import type { Rooms } from "./rooms.ts"
import { insertClientHour, spend } from "./statements.ts"

const HOUR_MILLISECONDS = 3_600_000

/** Assertions of one caller per minute: far more than any fleet needs, far less than fills a disk. */
const MOST_PER_MINUTE = 1200

export interface Authenticated {
  readonly caller: Caller
  readonly assertion: ClientAssertion
}

export interface ClientAuthentication {
  /** Everything about an assertion but its single use. `invalid_client` whatever fails, `too_many_requests`. */
  judge(text: string, clientId: string | undefined): Authenticated | Refusal
  /** Spends the assertion and the proof, durably. `invalid_client` or `proof_invalid` for one that was used before. */
  spend(who: Authenticated, proof: Proof | undefined): Promise<Refusal | undefined>
}

type Needed = Pick<Rooms, "issuer" | "clock" | "engine" | "names" | "ledger" | "policies">

export function createClientAuthentication(rooms: Needed): ClientAuthentication {
  const { issuer, clock, engine, policies } = rooms
  const crowded = limitPerMinute(MOST_PER_MINUTE)
  // Which hour a caller was last recorded in; as many as the policy has callers.
  const recorded = new Map<string, number>()

  const commit = async (who: Authenticated, proof: Proof | undefined): Promise<Refusal | undefined> => {
    const { caller, assertion } = who
    const now = clock.now()
    const hour = Math.floor(now / HOUR_MILLISECONDS)
    const once = [
      spendAssertion(caller.name, assertion.jti, assertion.exp),
      ...(proof ? [spendProof(proof.jkt, proof.jti, now)] : []),
    ]
    const first = recorded.get(caller.name) === hour ? [] : firstOfHour(rooms, who, hour)
    try {
      await engine.atomically([...once, ...first])
    } catch (error) {
      if (!(error instanceof Duplicate)) throw error
      if (error.statement === spend.name) return replayed(error.step)
      if (error.statement !== insertClientHour.name) throw error
      // Recorded this hour already, before a restart or by a request beside this one: only the spending is left to do.
      recorded.set(caller.name, hour)
      return commit(who, proof)
    }
    recorded.set(caller.name, hour)
    return undefined
  }

  return {
    judge(text, clientId) {
      const assertion = readClientAssertion(text)
      if (assertion instanceof Unreadable)
        return refuse("invalid_client", `[${assertion.tag}] client assertion`)
      const caller = callerOf(policies.inForce(), assertion.clientId)
      const wrong = judgeAssertion(assertion, {
        issuer,
        now: toEpochSeconds(clock.now()),
        keySets: caller?.keySets.map(keysOf) ?? [],
        clientId,
      })
      if (wrong || !caller) return wrong ?? refuse("invalid_client", "[caller] not in the policy in force")
      if (crowded(caller.name, clock.now()))
        return refuse("too_many_requests", "[rate] service tokens", { retryAfterSeconds: 60 })
      return { caller, assertion }
    },
    spend: commit,
  }
}

const replayed = (step: number): Refusal =>
  step === 0
    ? refuse("invalid_client", "[replay] this assertion was used before")
    : refuse("proof_invalid", "[replay] this proof was used before")

function firstOfHour(rooms: Needed, { caller, assertion }: Authenticated, hour: number): Step[] {
  const kid = assertion.jwt.header.kid
  return [
    ...rooms.names.steps([caller.name]),
    { statement: insertClientHour, values: { client: caller.name, hour }, rows: 1 },
    ...rooms.ledger.steps({
      kind: "client.authenticated",
      at: rooms.ledger.at(),
      outcome: "allowed",
      ...(caller.kind === "orchestrator" && { orchestrator: caller.name }),
      ...(caller.kind === "api" && { api: caller.name }),
      body: { client: caller.name, by: "private_key_jwt", ...(kid !== undefined && { kid }) },
    }),
  ]
}

const keys = new WeakMap<JsonWebKeySet, ReadonlyMap<string, VerificationKey>>()

/** Key sets of a policy never change, and were found good when it was loaded. */
function keysOf(set: JsonWebKeySet): ReadonlyMap<string, VerificationKey> {
  const known = keys.get(set)
  if (known) return known
  const read = readKeySet(set)
  if (read instanceof KeyFault) throw new TypeError("a key set of the policy in force can't be read")
  keys.set(set, read)
  return read
}
