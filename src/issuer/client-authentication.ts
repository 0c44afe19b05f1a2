// How a caller proves itself at /token: private_key_jwt, each assertion once, a workload assertion (workload.ts) or a
// person's ID token (person.ts). The
// unique key, the entry of the caller's first appearance in the hour and, when a DPoP proof came along, its own unique key
// are one transaction, in which no lock stands against a person. It decides who the caller is and nothing about scopes.
import { Duplicate, type Step, Unexpected } from "../database/database.ts"
import { Refusal, refuse } from "../errors.ts"
import { type Caller, caller as callerOf } from "../policy/callers.ts"
import { toEpochSeconds } from "../time.ts"
import { judgeAssertion, readClientAssertion } from "../token/assertion.ts"
import { Unreadable } from "../token/jwt.ts"
import type { Proof } from "../token/proof.ts"
import { type JsonWebKeySet, KeyFault, readKeySet, type VerificationKey } from "../token/signature.ts"
import { judgePerson } from "./person.ts"
import { limitPerMinute } from "./rate.ts"
import { spendAssertion, spendIdentity, spendProof } from "./replay.ts"
import type { Rooms } from "./rooms.ts"
import { insertClientHour, locksOnPerson, spend } from "./statements.ts"
import { judgeWorkload } from "./workload.ts"

const HOUR_MILLISECONDS = 3_600_000

/** Assertions of one caller per minute: far more than any fleet needs, far less than fills a disk. */
const MOST_PER_MINUTE = 1200

export interface Authenticated {
  readonly caller: Caller
  /** Spends what it showed; absent where that may be shown again until it ends. */
  readonly once?: Step
  /** How, for the entry: never the thing itself. */
  readonly how: Readonly<Record<string, string>>
  /** Its service token is bound to a key, so a proof has to come along. */
  readonly bound: boolean
  /** A person who signed in: what they are called, and the epoch second at which they would have to sign in again. */
  readonly person?: { readonly name: string; readonly until: number }
}

export interface ClientAuthentication {
  /**
   * Everything about an assertion but its single use. `invalid_client` whatever fails, `too_many_requests`;
   * `temporarily_unavailable` while a workload's identity provider can't be asked.
   */
  judge(text: string, clientId: string | undefined): Promise<Authenticated | Refusal>
  /**
   * Spends the assertion and the proof, durably. `invalid_client` or `proof_invalid` for one that was used before, `locked`
   * where a lock stands against the person; then nothing is spent.
   */
  spend(who: Authenticated, proof: Proof | undefined): Promise<Refusal | undefined>
}

type Needed = Pick<Rooms, "issuer" | "clock" | "engine" | "names" | "ledger" | "policies" | "identities">

export function createClientAuthentication(rooms: Needed): ClientAuthentication {
  const { clock, engine } = rooms
  const crowded = limitPerMinute(MOST_PER_MINUTE)
  // Which hour a caller was last recorded in; as many as the policy has callers.
  const recorded = new Map<string, number>()

  const commit = async (who: Authenticated, proof: Proof | undefined): Promise<Refusal | undefined> => {
    const { caller } = who
    const now = clock.now()
    const hour = Math.floor(now / HOUR_MILLISECONDS)
    const once = [...(who.once ? [who.once] : []), ...(proof ? [spendProof(proof.jkt, proof.jti, now)] : [])]
    const known = who.person === undefined && recorded.get(caller.name) === hour
    const first = known ? [] : appearance(rooms, who, hour)
    try {
      await engine.atomically([...once, ...notLocked(rooms, who), ...first])
    } catch (error) {
      if (error instanceof Unexpected && error.statement === locksOnPerson.name)
        return refuse("locked", "[lock] stands against the person")
      if (!(error instanceof Duplicate)) throw error
      if (error.statement === spend.name) return replayed(who.once !== undefined && error.step === 0)
      if (error.statement !== insertClientHour.name) throw error
      // Recorded this hour already, before a restart or by a request beside this one: only the spending is left to do.
      recorded.set(caller.name, hour)
      return commit(who, proof)
    }
    if (!who.person) recorded.set(caller.name, hour)
    return undefined
  }

  return {
    async judge(text, clientId) {
      const who = byKey(rooms, text, clientId) ?? (await byOthersWord(rooms, text, clientId))
      if (who instanceof Refusal || !crowded(who.caller.name, clock.now())) return who
      return refuse("too_many_requests", "[rate] service tokens", { retryAfterSeconds: 60 })
    },
    spend: commit,
  }
}

/** By a key of its own; undefined where the text is nothing of that kind. */
function byKey(
  { issuer, clock, policies }: Needed,
  text: string,
  clientId: string | undefined,
): Authenticated | Refusal | undefined {
  const assertion = readClientAssertion(text)
  if (assertion instanceof Unreadable) return undefined
  const caller = callerOf(policies.inForce(), assertion.clientId)
  const wrong = judgeAssertion(assertion, {
    issuer,
    now: toEpochSeconds(clock.now()),
    keySets: caller?.keySets.map(keysOf) ?? [],
    clientId,
  })
  if (wrong || !caller) return wrong ?? refuse("invalid_client", "[caller] not in the policy in force")
  const { kid } = assertion.jwt.header
  return {
    caller,
    once: spendAssertion(caller.name, assertion.jti, assertion.exp),
    how: { by: "private_key_jwt", ...(kid !== undefined && { kid }) },
    bound: caller.kind === "api",
  }
}

/** By what another issuer says: that it is a person who signed in, or a workload. */
async function byOthersWord(
  rooms: Needed,
  text: string,
  clientId: string | undefined,
): Promise<Authenticated | Refusal> {
  const person = await judgePerson(rooms, text, clientId)
  if (person instanceof Refusal) return person
  if (person) {
    const { caller, provider, identity, name, until } = person
    const { issuer, once, exp, kid } = identity
    const how = { by: "openid", provider, kid }
    return { caller, how, bound: true, once: spendIdentity(issuer, once, exp), person: { name, until } }
  }
  const workload = await judgeWorkload(rooms, text, clientId)
  if (workload instanceof Refusal) return workload
  const { caller, provider, identity, reusable } = workload
  const { issuer, once, exp, subject, kid } = identity
  const how = { by: "workload", provider, workload: subject, kid }
  return { caller, how, bound: true, ...(!reusable && { once: spendIdentity(issuer, once, exp) }) }
}

const replayed = (assertion: boolean): Refusal =>
  assertion
    ? refuse("invalid_client", "[replay] this assertion was used before")
    : refuse("proof_invalid", "[replay] this proof was used before")

/** People are locked out; of other callers a lock ends what is minted, and they may still ask. */
const notLocked = ({ ledger }: Needed, { person }: Authenticated): Step[] =>
  person ? [{ statement: locksOnPerson, values: { person: person.name, now: ledger.at() }, rows: 0 }] : []

/** The first of a caller in the hour; of people, every one. */
function appearance(rooms: Needed, { caller, how, person }: Authenticated, hour: number): Step[] {
  return [
    ...rooms.names.steps([caller.name]),
    ...(person ? [] : [{ statement: insertClientHour, values: { client: caller.name, hour }, rows: 1 }]),
    ...rooms.ledger.steps({
      kind: "client.authenticated",
      at: rooms.ledger.at(),
      outcome: "allowed",
      ...(caller.kind === "orchestrator" && { orchestrator: caller.name }),
      ...(caller.kind === "api" && { api: caller.name }),
      ...(caller.kind === "agent" && { agent: caller.name }),
      ...(person && { sub: person.name }),
      body: { client: caller.name, ...how },
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
