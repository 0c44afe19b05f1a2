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
  /** Sends a request with its API's token; ClientError `url_not_granted` where there is none. Follows no redirect. */
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
  const headersOf: TokenHeaders = (held, method, url) =>
    held.tokenType === "DPoP" && signer ? proven(held, method, url, signer, clock) : bearer(held, method, url)
  const holderOf = (target: URL) => {
    const held = tokenFor(tokens, target)
    if (!held) throw notGranted(tokens, target)
    return held
  }
  return Object.freeze({
    tokens,
    async fetch(url: string | URL, init?: RequestInit) {
      const target = readTarget(url, init)
      return sendWithToken(holderOf(target), target, init, headersOf)
    },
    async headers(method: string, url: string | URL) {
      const target = readTarget(url, undefined)
      return headersOf(holderOf(target), method.toUpperCase(), target)
    },
  })
}

/** RFC 9449 section 4.2: a fresh proof for this method, URL and token. */
function proven(held: TaskTokenHeld, method: string, url: URL, key: SigningKey, clock: Clock) {
  const accessToken = held.token.reveal()
  const proof = { method, url: url.href, accessToken, now: toEpochSeconds(clock.now()) }
  return { authorization: `DPoP ${accessToken}`, dpop: signProof(proof, key) }
}
