// The agent's side of a task whose tokens were handed over: it uses them, with proofs of possession where they are
// bound to the agent's key. It does not renew, and it decides nothing about rights.
import { type Clock, toEpochSeconds } from "../time.ts"
import { signProof } from "../token/proof.ts"
import { importSigningKey, type SigningKey } from "../token/signature.ts"
import {
  bearer,
  notGranted,
  readTarget,
  sendWithToken,
  type TaskFetch,
  type TokenHeaders,
  tokenFor,
} from "./fetch.ts"
import { type HandedToken, type TaskTokenHeld, takeOver } from "./held-token.ts"

export interface Session {
  readonly tokens: readonly TaskTokenHeld[]
  /**
   * Sends a request with its API's token; ClientError `url_not_granted` where there is none. Follows no redirect. Where the
   * API wants another nonce in the proof, sends it once more, unless its body is a stream.
   */
  readonly fetch: TaskFetch
  /** The headers for one request that something else sends: `authorization`, and `dpop` for a bound token. */
  headers(method: string, url: string | URL): Promise<Readonly<Record<string, string>>>
}

/** A private JWK: EC P-256 or Ed25519. */
export type SessionKey = object

export function openSession(
  handed: readonly HandedToken[],
  key: SessionKey | undefined,
  clock: Clock,
): Session {
  const tokens = Object.freeze(handed.map((one) => Object.freeze(takeOver(one))))
  const signer = key === undefined ? undefined : importSigningKey(key)
  const bound = tokens.find((held) => held.tokenType === "DPoP")
  if (bound && !signer)
    throw new TypeError(`The token for ${bound.resource} is bound to a key; give it as key`)
  const nonces = new Map<string, string>()
  const prove = signer && createProver(signer, nonces, clock)
  const headersOf: TokenHeaders = (held, method, url) =>
    held.tokenType === "DPoP" && prove ? prove(held, method, url) : bearer(held, method, url)
  const holderOf = (target: URL) => {
    const held = tokenFor(tokens, target)
    if (!held) throw notGranted(tokens, target)
    return held
  }
  return Object.freeze({
    tokens,
    async fetch(url: string | URL, init?: RequestInit) {
      const target = readTarget(url, init)
      const answer = await sendWithToken(holderOf(target), target, init, headersOf)
      if (!noteNonce(nonces, target, answer) || !isRepeatable(init)) return answer
      await answer.body?.cancel()
      const second = await sendWithToken(holderOf(target), target, init, headersOf)
      noteNonce(nonces, target, second)
      return second
    },
    async headers(method: string, url: string | URL) {
      const target = readTarget(url, undefined)
      return headersOf(holderOf(target), method.toUpperCase(), target)
    },
  })
}

/** RFC 9449 section 4.2: a fresh proof for this method, URL and token, with the nonce that its API wants, if it does. */
function createProver(key: SigningKey, nonces: ReadonlyMap<string, string>, clock: Clock): TokenHeaders {
  return ({ token }, method, url) => {
    const accessToken = token.reveal()
    const nonce = nonces.get(url.origin)
    const proof = { method, url: url.href, accessToken, nonce, now: toEpochSeconds(clock.now()) }
    return { authorization: `DPoP ${accessToken}`, dpop: signProof(proof, key) }
  }
}

/** Keeps the nonce that an API has named (RFC 9449 section 8.2). True: it refused for want of that very nonce. */
function noteNonce(nonces: Map<string, string>, { origin }: URL, { status, headers }: Response): boolean {
  const nonce = headers.get("dpop-nonce")
  if (nonce === null || !NONCE.test(nonce)) return false
  const wanted = status === 401 && /error="use_dpop_nonce"/.test(headers.get("www-authenticate") ?? "")
  const isNew = nonces.get(origin) !== nonce
  nonces.set(origin, nonce)
  return wanted && isNew
}

/** RFC 9449 section 8.1: NQCHAR, and of a sensible length. */
const NONCE = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/

/** A stream is gone once it was sent. */
const isRepeatable = (init: RequestInit | undefined): boolean =>
  !(init?.body instanceof ReadableStream || (init?.body && Symbol.asyncIterator in Object(init.body)))
