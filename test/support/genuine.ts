// Tokens opened as verifiers open them, and outcomes that a test takes for granted.
import { Refusal } from "../../src/errors.ts"
import type { VerificationKey } from "../../src/token/signature.ts"
import { type GenuineToken, openTaskToken } from "../../src/token/verify.ts"

export function allowed<T>(outcome: T | Refusal): T {
  if (outcome instanceof Refusal) throw new Error(`refused: ${outcome.code} ${outcome.reason}`)
  return outcome
}

/** Opens tokens as verifiers do, who know a key for a while after it went. Throws on one that is not genuine. */
export function createOpener(
  keyOf: (kid: string) => VerificationKey | undefined,
): (text: string) => GenuineToken {
  const remembered = new Map<string, VerificationKey>()
  const find = (kid: string) => {
    const key = keyOf(kid) ?? remembered.get(kid)
    if (key) remembered.set(kid, key)
    return key
  }
  return (text) => {
    const opened = openTaskToken(text, find)
    if (!("token" in opened)) throw new Error(opened.tag)
    return opened
  }
}
