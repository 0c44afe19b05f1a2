// Texts whose signature is known to be ours, because this process made or checked it: checking it again costs more than all
// else that is asked of a token. It remembers hashes, never the tokens, and decides nothing else about them: key, claims,
// time and revocation are asked every time.
import { hash } from "node:crypto"
import { createRemembered } from "./remembered.ts"

export interface KnownTexts {
  has(text: string): boolean
  add(text: string): void
}

/** Remembers the last `most` texts at least and twice as many at most, at about 100 bytes each. */
export function createKnownTexts(most = 16_384): KnownTexts {
  const known = createRemembered<true>(most)
  return {
    has: (text) => known.get(digestOf(text)) === true,
    add: (text) => known.set(digestOf(text), true),
  }
}

const digestOf = (text: string): string => hash("sha256", text, "base64url")
