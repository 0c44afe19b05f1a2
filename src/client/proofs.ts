// The headers that carry a session's tokens: proofs of possession by its key (RFC 9449), with the nonce that each API wants.
// It decides nothing about which token goes where.
import { type Clock, toEpochSeconds } from "../time.ts"
import { signProof } from "../token/proof.ts"
import type { SigningKey } from "../token/signature.ts"
import { bearer, type TokenHeaders } from "./fetch.ts"

export interface Proofs {
  readonly headersOf: TokenHeaders
  /** Keeps the nonce that an API has named (RFC 9449 section 8.2). True: it refused for want of that very nonce. */
  note(target: URL, answer: Pick<Response, "status" | "headers">): boolean
}

/** RFC 9449 section 8.1: NQCHAR, and of a sensible length. */
const NONCE = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/

export function createProofs(key: SigningKey | undefined, clock: Clock): Proofs {
  const nonces = new Map<string, string>()
  /** RFC 9449 section 4.2: a fresh proof for this method, URL and token. */
  const prove = (key: SigningKey): TokenHeaders => {
    return ({ token }, method, url) => {
      const accessToken = token.reveal()
      const nonce = nonces.get(url.origin)
      const proof = { method, url: url.href, accessToken, nonce, now: toEpochSeconds(clock.now()) }
      return { authorization: `DPoP ${accessToken}`, dpop: signProof(proof, key) }
    }
  }
  const proven = key && prove(key)
  return {
    headersOf: (held, ...request) =>
      held.tokenType === "DPoP" && proven ? proven(held, ...request) : bearer(held, ...request),
    note({ origin }, { status, headers }) {
      const nonce = headers.get("dpop-nonce")
      if (nonce === null || !NONCE.test(nonce)) return false
      const wanted = status === 401 && /error="use_dpop_nonce"/.test(headers.get("www-authenticate") ?? "")
      const isNew = nonces.get(origin) !== nonce
      nonces.set(origin, nonce)
      return wanted && isNew
    },
  }
}
