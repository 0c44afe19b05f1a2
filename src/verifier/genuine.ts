// Whether a token is genuine: our signature and our shape, each text of it read once while it stays in a bounded cache. It
// decides nothing about time, audience, possession or revocation: those are asked for every request.
import { LRUCache } from "lru-cache"
import { Refusal, refuse } from "../errors.ts"
import type { KeySet } from "../remote/key-set.ts"
import { Unreadable } from "../token/jwt.ts"
import { type GenuineToken, openTaskToken } from "../token/verify.ts"
import { type Credential, readAuthorization } from "./credential.ts"

/** A credential, and whether the token in it is genuine: "cannot tell" (503) while its key can be neither found nor asked for. */
export interface Opened {
  readonly credential: Credential
  readonly genuine: GenuineToken | Refusal
}

/** Opens the token of an Authorization. Answers at once unless its key must be asked for. */
export type OpenCredential = (authorization: string) => Promise<Opened> | Opened | Refusal | "absent"

const MAX_TOKENS = 10_000
const MAX_CHARACTERS = 16 * 1024 * 1024
/** Of the end of a credential, which is its signature's: hashing all of it would cost more than everything else here. */
const KEY_CHARACTERS = 40

interface Kept {
  readonly authorization: string
  readonly opened: { readonly credential: Credential; readonly genuine: GenuineToken }
}

/**
 * The cache is found by the end of the signature and compared by the exact bytes, holds positive results only, and a result
 * counts only while its key is known and believed: a signature's twin, or one more padding, is another text and is judged
 * anew.
 */
export function createCredentialOpener(keys: Pick<KeySet, "keyOf" | "seek">): OpenCredential {
  const kept = new LRUCache<string, Kept>({
    max: MAX_TOKENS,
    maxSize: MAX_CHARACTERS,
    sizeCalculation: ({ authorization }) => authorization.length,
  })
  const open = (authorization: string, credential: Credential) => {
    let missing: string | undefined
    const genuine = openTaskToken(credential.token, (kid) => {
      const key = keys.keyOf(kid)
      if (!key) missing = kid
      return key
    })
    if (genuine instanceof Unreadable)
      return { credential, genuine: refuse("token_invalid", genuine.tag), missing }
    const opened = { credential, genuine }
    kept.set(authorization.slice(-KEY_CHARACTERS), { authorization, opened })
    return opened
  }
  const seekAndOpen = async (authorization: string, refused: Opened, kid: string): Promise<Opened> => {
    const { credential } = refused
    const key = await keys.seek(kid)
    if (key === "unknown") return refused
    if (key === "unavailable") return { credential, genuine: refuse("keys_unavailable", "kid") }
    return open(authorization, credential)
  }
  return (authorization) => {
    const known = kept.get(authorization.slice(-KEY_CHARACTERS))
    if (known?.authorization === authorization && keys.keyOf(known.opened.genuine.kid)) return known.opened
    const credential = readAuthorization(authorization)
    if (credential === "absent" || credential instanceof Refusal) return credential
    const opened = open(authorization, credential)
    const missing = "missing" in opened ? opened.missing : undefined
    return missing === undefined ? opened : seekAndOpen(authorization, opened, missing)
  }
}
