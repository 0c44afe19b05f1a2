// The service token with which we use the issuer's HTTP surface: fetched when it is needed, kept until it ages, proven
// with a key where one was given. It decides nothing about what is asked with it.
import { readFile } from "node:fs/promises"
import { type Clock, toEpochSeconds } from "../time.ts"
import { signClientAssertion } from "../token/assertion.ts"
import { newUuid } from "../token/id.ts"
import { signProof } from "../token/proof.ts"
import { generatePrivateJwk, importSigningKey, type SigningKey } from "../token/signature.ts"
import { type Answered, exchange, readRetryAfter, Unreachable } from "./exchange.ts"

/**
 * The caller's name in the policy, and its private key: the JWK, or a file read anew for every token. Or no key of its own:
 * a file in which its platform keeps a JWT for the issuer (a projected service account token), read anew for every token.
 */
export type ServiceCredential =
  | { readonly clientId: string; readonly privateJwk: object }
  | { readonly clientId: string; readonly privateJwkFile: string }
  | { readonly clientId: string; readonly assertionFile: string }
  | SignedIn

/** A person of staff, by the ID token that they signed in for just now: it makes one service token. */
export interface SignedIn {
  readonly clientId: string
  readonly idToken: string
}

type KeyCredential = Exclude<ServiceCredential, { readonly assertionFile: string } | SignedIn>

export interface ServiceTokenOptions {
  /** The issuer's name: the audience of assertions and the URL in proofs. */
  readonly issuer: string
  /** Where it is reached, when that is not its name. */
  readonly issuerAddress?: string
  readonly credential: ServiceCredential
  /**
   * Binds the token to this key (RFC 9449): every call then carries a proof by it. A platform's JWT and a person's always need one: where
   * none is given, a key is made that never leaves this process.
   */
  readonly proofKey?: SigningKey
  readonly clock: Clock
}

export interface ServiceTokens {
  /** A token that is good for a while. One request at a time; renewed in the background at 75 % of its life. */
  get(): Promise<string>
  /**
   * The headers of one call: Authorization, and DPoP with a proof key. `url` is the address as the issuer names it,
   * without query. Every call needs headers of its own.
   */
  headers(method: string, url: string): Promise<Record<string, string>>
  /** Forgets the token: the issuer would not have it. */
  drop(): void
}

/** The issuer answered that we are not who we say, or not in a way that makes sense. Carries its error code only. */
export class NotAuthenticated extends Error {
  override readonly name = "NotAuthenticated"
}

/** The issuer answered, but only that it can't say now: it is starting, busy, or asked too often. */
export class NotNow extends Unreachable {
  override readonly name = "NotNow"
  readonly status: number
  /** What Retry-After said. */
  readonly retryAfterSeconds: number | undefined

  constructor({ status, headers }: Answered) {
    super(`the issuer answered ${status} at /token`)
    this.status = status
    this.retryAfterSeconds = readRetryAfter(headers)
  }
}

interface Held {
  readonly token: string
  readonly renewAt: number
  readonly endsAt: number
}

const LIMITS = { maxBytes: 64 * 1024, timeoutMilliseconds: 10_000 }
const MAX_ASSERTION = 16 * 1024
const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/** Gets and keeps service tokens by private_key_jwt or a workload assertion (RFC 7523). Sends nothing until asked. */
export function createServiceTokens(given: ServiceTokenOptions): ServiceTokens {
  const { credential } = given
  const isOthers = "assertionFile" in credential || "idToken" in credential
  const options = isOthers ? { proofKey: newProofKey(), ...given } : given
  const { clock, proofKey } = options
  let held: Held | undefined
  let pending: Promise<Held> | undefined

  const fetchOne = async () => {
    held = await requestToken(options)
    return held
  }
  const renew = () => {
    pending ??= fetchOne().finally(() => {
      pending = undefined
    })
    return pending
  }
  const get = async () => {
    const now = clock.monotonic()
    if (held && now < held.renewAt) return held.token
    const renewal = renew()
    if (!held || now >= held.endsAt) return (await renewal).token
    renewal.catch(() => undefined) // the token held is still good; the next call tries again
    return held.token
  }
  return {
    get,
    async headers(method, url) {
      const token = await get()
      if (!proofKey) return { authorization: `Bearer ${token}` }
      const now = toEpochSeconds(clock.now())
      const dpop = signProof({ method, url, accessToken: token, now }, proofKey)
      return { authorization: `DPoP ${token}`, dpop }
    },
    drop() {
      held = undefined
    },
  }
}

async function requestToken(options: ServiceTokenOptions): Promise<Held> {
  const { issuer, issuerAddress = issuer, proofKey, clock } = options
  const asked = clock.monotonic()
  const now = toEpochSeconds(clock.now())
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: options.credential.clientId,
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: await createAssertion(options, now),
  })
  const headers: Record<string, string> = { "content-type": "application/x-www-form-urlencoded" }
  if (proofKey) headers.dpop = signProof({ method: "POST", url: join(issuer, "/token"), now }, proofKey)
  const init = { method: "POST", headers, body: form.toString() }
  const { token, lifeSeconds } = readAnswer(await exchange(join(issuerAddress, "/token"), init, LIMITS))
  const life = lifeSeconds * 1000
  return { token, renewAt: asked + life * 0.75, endsAt: asked + Math.max(life - 10_000, life * 0.75) }
}

const newProofKey = () => importSigningKey(generatePrivateJwk("ES256"))

async function createAssertion({ issuer, credential }: ServiceTokenOptions, now: number): Promise<string> {
  if ("idToken" in credential) return credential.idToken
  if ("assertionFile" in credential) return readAssertion(credential.assertionFile)
  const key = importSigningKey(await readPrivateJwk(credential))
  return signClientAssertion({ clientId: credential.clientId, issuer, jti: newUuid(), now }, key)
}

async function readAssertion(path: string): Promise<string> {
  const text = (await readFile(path, "utf8")).trim()
  if (text.length <= MAX_ASSERTION && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) return text
  throw new TypeError(`${path} does not hold a JWT`)
}

async function readPrivateJwk(credential: KeyCredential): Promise<unknown> {
  if ("privateJwk" in credential) return credential.privateJwk
  const text = await readFile(credential.privateJwkFile, "utf8")
  try {
    return JSON.parse(text)
  } catch {
    throw new TypeError(`${credential.privateJwkFile} does not hold a private JWK`) // the parser's message quotes it
  }
}

function readAnswer(answered: Answered): { token: string; lifeSeconds: number } {
  const { status, text } = answered
  const answer = readObject(text)
  if (status !== 200) {
    const error = typeof answer.error === "string" && /^[a-z_]{1,64}$/.test(answer.error) ? answer.error : ""
    if (status >= 500 || status === 429) throw new NotNow(answered)
    throw new NotAuthenticated(`the issuer answered ${status} ${error} at /token`.replace("  ", " "))
  }
  const { access_token: token, expires_in: lifeSeconds } = answer
  if (typeof token !== "string" || !/^[A-Za-z0-9._~+/=-]{1,16384}$/.test(token))
    throw new NotAuthenticated("the answer of /token holds no access token")
  if (typeof lifeSeconds !== "number" || !(lifeSeconds >= 1 && lifeSeconds <= 86_400))
    throw new NotAuthenticated("the answer of /token does not say how long the token lives")
  return { token, lifeSeconds }
}

function readObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

const join = (base: string, path: string) => `${base.replace(/\/$/, "")}${path}`
