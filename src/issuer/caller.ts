// Who asks: the service token of a request, its proof of possession, and whether the policy in force still knows the
// caller. It decides who the caller is and which scopes it has; what it may do with them is each endpoint's.
import { LRUCache } from "lru-cache"
import type { Engine } from "../database/database.ts"
import { Refusal, refuse } from "../errors.ts"
import type { Keyring } from "../keys/keyring.ts"
import type { Ledger } from "../ledger/ledger.ts"
import { type CallerKind, type CallerScope, caller as callerOf, canAuthenticate } from "../policy/callers.ts"
import type { PolicyStore } from "../policy/in-force.ts"
import type { Policy } from "../policy/policy.ts"
import type { Canaries } from "../task/canary.ts"
import { type Clock, SKEW_SECONDS, toEpochSeconds } from "../time.ts"
import { Unreadable } from "../token/jwt.ts"
import { judgeProof, type Proof, readProof } from "../token/proof.ts"
import { openServiceToken, type ServiceToken } from "../token/service-token.ts"
import type { VerificationKey } from "../token/signature.ts"
import { spendOnce, spendProof } from "./replay.ts"
import { locksOnPerson } from "./statements.ts"

/**
 * Scopes of service tokens: one plain name per role. `orchestrator` starts and changes its tasks; `api` records uses,
 * reads revocations and the catalogue; of staff, `auditor` reads tasks and the ledger, `operator` revokes and changes
 * the policy in force, `approver` decides approvals.
 */
export type Scope = CallerScope

export interface Caller {
  /** The name in the policy. */
  readonly clientId: string
  readonly kind: CallerKind
  readonly scopes: ReadonlySet<Scope>
  /** The key that the token is bound to and that this request proved; absent for bearer tokens. */
  readonly proofKey?: VerificationKey
  /** Epoch seconds by the caller's clock, when it made the proof; there with the key. */
  readonly proofAt?: number
  /** Who signed in as the caller, `provider/subject`; absent for whoever has a key or is a workload. */
  readonly person?: string
  /**
   * Whether it would still be let in, for an answer that takes its time: the token has not expired and the policy in
   * force gives the caller what it had.
   */
  readonly stands: () => boolean
}

export interface CallerOptions {
  readonly issuer: string
  readonly engine: Engine
  readonly ledger: Ledger
  readonly keyring: Keyring
  readonly policies: PolicyStore
  readonly clock: Clock
  readonly canaries: Pick<Canaries, "shown">
}

export interface Callers {
  /**
   * The caller of a request, or why there is none: `service_token_missing`, `service_token_invalid`, `proof_invalid`
   * (RFC 9449), `credential_ambiguous`, `locked` where a lock stands against the person who signed in. `path` is the
   * request's own, for `htu`.
   */
  identify(request: Request, path: string): Promise<Caller | Refusal>
}

/** A token is at most a few hundred bytes; this bounds the cache to a few megabytes. */
const CACHED_TOKENS = 4096
/** Of the end of a header, which is its signature's: V8 hashes a string from its first character to its last. */
const KEY_CHARACTERS = 40
const CREDENTIAL = /^(bearer|dpop) ([A-Za-z0-9._~+/-]{1,8192}=*)$/i

interface Credential {
  readonly scheme: "bearer" | "dpop"
  readonly text: string
}

type Known = Pick<Caller, "clientId" | "kind" | "scopes" | "person">

/** What a header was found to be. */
interface Opened {
  readonly header: string | null
  readonly credential: Credential
  readonly token: ServiceToken
  /** Of the key that signed it: it goes when the key goes. */
  readonly kid: string
  /** By the policy that was in force when it was last asked. */
  known: { readonly policy: Policy; readonly caller: Known | undefined } | undefined
}

export function createCallers(options: CallerOptions): Callers {
  const { issuer, ledger, keyring, policies, canaries } = options
  // Found by the end of the header and compared by its exact bytes: only what was verified is found. Time, policy and proof
  // are checked at every use.
  const verified = new LRUCache<string, Opened>({ max: CACHED_TOKENS })

  const openToken = (request: Request, now: number): Opened | Refusal => {
    const header = request.headers.get("authorization")
    const known = header === null ? undefined : verified.get(header.slice(-KEY_CHARACTERS))
    if (known?.header === header)
      return isOver(known, now, keyring) ? refuse("service_token_invalid", "[expired] service token") : known
    const credential = readCredential(header)
    if (credential instanceof Refusal) return credential
    let signedBy = ""
    const keyOf = (kid: string) => {
      signedBy = kid
      return keyring.keyOf(kid)
    }
    const token = openServiceToken(credential.text, keyOf, { issuer, now })
    if (token instanceof Unreadable) {
      // Signed by us, and for something else.
      if (token.tag === "claims") canaries.shown(credential.text, "service")
      return refuse("service_token_invalid", `[${token.tag}] service token`)
    }
    const opened = { header, credential, token, kid: signedBy, known: undefined }
    if (header !== null) verified.set(header.slice(-KEY_CHARACTERS), opened)
    return opened
  }

  return {
    async identify(request, path) {
      // Our own tokens by the ledger's time, which dated them; what callers date is judged by the clock.
      const opened = openToken(request, toEpochSeconds(ledger.at()))
      if (opened instanceof Refusal) return opened
      const { credential, token } = opened
      const found = knownIn(policies.inForce(), opened)
      if (!found) return refuse("service_token_invalid", "[caller] not in the policy in force")
      const caller = {
        ...found,
        stands: () =>
          !isOver(opened, toEpochSeconds(ledger.at()), keyring) &&
          hasAll(knownIn(policies.inForce(), opened), found.scopes),
      }
      if ((token.jkt === undefined) !== (credential.scheme === "bearer"))
        return refuse("service_token_invalid", "[binding] bound tokens come as DPoP, others as Bearer")
      if (token.jkt === undefined) return (await lockOn(options, caller)) ?? caller
      const proof = await prove(options, request, path, { text: credential.text, jkt: token.jkt })
      if (proof instanceof Refusal) return proof
      return (await lockOn(options, caller)) ?? { ...caller, proofKey: proof.key, proofAt: proof.iat }
    },
  }
}

/** Spends the request's proof of the key that its token is bound to. */
async function prove(
  { issuer, engine, clock }: CallerOptions,
  request: Request,
  path: string,
  { text, jkt }: { readonly text: string; readonly jkt: string },
): Promise<Proof | Refusal> {
  const proof = readProofOf(request)
  if (proof instanceof Refusal) return proof
  const asked = { method: request.method, url: `${issuer}${path}`, accessToken: text, jkt }
  const wrong = judgeProof(proof, { ...asked, now: toEpochSeconds(clock.now()) })
  if (wrong) return wrong
  return (await spendOnce(engine, spendProof(jkt, proof.jti, clock.now()))) ?? proof
}

/** Asked at every request of people, and of nobody else: what they were given before is theirs no more. */
async function lockOn({ engine, ledger }: CallerOptions, { person }: Known): Promise<Refusal | undefined> {
  if (person === undefined) return undefined
  const [lock] = await engine.query(locksOnPerson, { person, now: ledger.at() })
  return lock && refuse("locked", "[lock] stands against the person")
}

const isOver = ({ token, kid }: Opened, now: number, keyring: Keyring): boolean =>
  token.exp + SKEW_SECONDS <= now || keyring.keyOf(kid) === undefined

const hasAll = (known: Known | undefined, scopes: ReadonlySet<Scope>): boolean =>
  known !== undefined && [...scopes].every((scope) => known.scopes.has(scope))

/** Who the policy says the token's client is; found out once for each policy, which never changes. */
function knownIn(policy: Policy, opened: Opened): Known | undefined {
  if (opened.known?.policy !== policy) {
    opened.known = { policy, caller: foundIn(policy, opened.token) }
  }
  return opened.known.caller
}

function foundIn(policy: Policy, { clientId, scope, person }: ServiceToken): Known | undefined {
  const known = callerOf(policy, clientId)
  // Whose every key and provider is gone could not have got it now.
  if (!known || !canAuthenticate(known)) return undefined
  const { name, kind } = known
  const found = { clientId: name, kind, scopes: new Set(known.scopes.filter((one) => scope.includes(one))) }
  if (person === undefined) return found
  // What else the rules ask of a person was seen when they signed in, minutes ago.
  const isLetIn = known.people.some(({ provider }) => person.startsWith(`${provider}/`))
  return isLetIn ? { ...found, person } : undefined
}

/** Two Authorization headers arrive joined by a comma, which no credential holds. */
function readCredential(header: string | null): Credential | Refusal {
  if (header === null) return refuse("service_token_missing", "[credential] none")
  if (header.includes(",")) return refuse("credential_ambiguous", "[credential] more than one")
  const match = CREDENTIAL.exec(header)
  if (!match?.[1] || !match[2]) return refuse("service_token_invalid", "[credential] malformed")
  return { scheme: match[1].toLowerCase() === "dpop" ? "dpop" : "bearer", text: match[2] }
}

/** RFC 9449 section 4.3, check 1: exactly one DPoP header. `invalid_request` for several. */
export function readProofOf(request: Request): Proof | Refusal {
  const header = request.headers.get("dpop")
  if (header === null) return refuse("proof_invalid", "[missing] no DPoP header")
  if (header.includes(",")) return refuse("invalid_request", "[duplicate] more than one DPoP header")
  const proof = readProof(header)
  return proof instanceof Unreadable ? refuse("proof_invalid", `[${proof.tag}] DPoP proof`) : proof
}
