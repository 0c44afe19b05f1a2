// Whether a token is genuine: our signature and our shape, each text of it read once while it stays in a bounded cache. It
// decides nothing about time, audience, possession or revocation: those are asked for every request.
import { LRUCache } from "lru-cache"
import { type Refusal, refuse } from "../errors.ts"
import type { KeySet } from "../remote/key-set.ts"
import { Unreadable } from "../token/jwt.ts"
import { type GenuineToken, openTaskToken } from "../token/verify.ts"

/** Opens one token: genuine, or why not. "Cannot tell" (503) while its key can be neither found nor asked for. */
export type OpenToken = (text: string) => Promise<GenuineToken | Refusal> | GenuineToken | Refusal

const MAX_TOKENS = 10_000
const MAX_CHARACTERS = 16 * 1024 * 1024

/**
 * The cache is keyed by the exact bytes, holds positive results only, and a result counts only while its key is known
 * and believed: a signature's twin, or one more padding, is another text and is judged anew.
 */
export function createTokenOpener(keys: KeySet): OpenToken {
  const opened = new LRUCache<string, GenuineToken>({
    max: MAX_TOKENS,
    maxSize: MAX_CHARACTERS,
    sizeCalculation: (_, text) => text.length,
  })
  const open = (text: string) => {
    let missing: string | undefined
    const result = openTaskToken(text, (kid) => {
      const key = keys.keyOf(kid)
      if (!key) missing = kid
      return key
    })
    if (result instanceof Unreadable) return { refused: refuse("token_invalid", result.tag), missing }
    opened.set(text, result)
    return result
  }
  const seekAndOpen = async (text: string, kid: string, refused: Refusal) => {
    const key = await keys.seek(kid)
    if (key === "unknown") return refused
    if (key === "unavailable") return refuse("keys_unavailable", "kid")
    const again = open(text)
    return "refused" in again ? again.refused : again
  }
  return (text) => {
    const known = opened.get(text)
    if (known && keys.keyOf(known.kid)) return known
    const result = open(text)
    if (!("refused" in result)) return result
    return result.missing === undefined ? result.refused : seekAndOpen(text, result.missing, result.refused)
  }
}
