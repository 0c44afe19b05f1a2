// Whether the sender holds the key that its token is bound to (RFC 9449 section 7): never downgraded, never twice with one
// proof. It decides nothing about the token itself.
import { hash } from "node:crypto"
import { type Refusal, refuse } from "../errors.ts"
import type { Spool } from "../spool/spool.ts"
import { type Clock, toEpochSeconds } from "../time.ts"
import { Unreadable } from "../token/jwt.ts"
import { judgeProof, MAX_PROOF_AGE_SECONDS, readProof } from "../token/proof.ts"
import type { TaskToken } from "../token/token.ts"
import type { Credential } from "./credential.ts"
import { NONCE_LIFE_SECONDS, type Nonces } from "./nonce.ts"

export interface Possession {
  /** `target` as received. Throws Unavailable when it can't be remembered that the proof was used. */
  check(
    token: TaskToken,
    presented: { readonly credential: Credential; readonly proof: string | undefined },
    request: { readonly method: string; readonly target: string },
  ): Promise<Refusal | undefined>
}

/** `origin` is the API's public one, from configuration: Host and forwarding headers are never asked. */
export function createPossession(options: {
  readonly origin: string
  readonly spool: Pick<Spool, "claimProof">
  readonly clock: Clock
  /** Wanted in each proof, where there are any. */
  readonly nonces: Nonces | undefined
}): Possession {
  const { origin, spool, clock, nonces } = options
  return {
    async check(token, { credential, proof: text }, { method, target }) {
      const { scheme, token: accessToken } = credential
      if (token.jkt === undefined) return scheme === "DPoP" ? refuse("token_invalid", "not_bound") : undefined
      if (scheme === "Bearer") return refuse("token_invalid", "bound_as_bearer")
      if (text === undefined) return refuse("proof_invalid", "missing")
      const proof = readProof(text)
      if (proof instanceof Unreadable) return refuse("proof_invalid", proof.tag)
      if (nonces && !nonces.accepts(proof.nonce)) return refuse("proof_nonce_wanted", "nonce")
      const url = `${origin}${pathOf(target)}`
      const now = toEpochSeconds(clock.now())
      const wrong = judgeProof(proof, { method, url, accessToken, jkt: token.jkt, now, timed: !nonces })
      if (wrong) return wrong
      const digest = hash("sha256", `${proof.jkt}\0${proof.jti}`, "base64url")
      const life = nonces ? now + NONCE_LIFE_SECONDS : proof.iat + MAX_PROOF_AGE_SECONDS
      const fresh = await spool.claimProof(digest, life + 1)
      return fresh ? undefined : refuse("proof_invalid", "replayed")
    },
  }
}

/** The received path: of an absolute-form target (RFC 9112 section 3.2.2) what follows the authority. */
function pathOf(target: string): string {
  const path = target.startsWith("/") ? target : target.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*/, "")
  return path === "" ? "/" : path
}
