// What an approved token's `parameters` say: the digest of a request's parameters in canonical JSON. One function for the
// issuer, which shows the parameters to a person, and for verifiers, which compare what comes. It decides no rights.
import { hash } from "node:crypto"
import { canonicalJson, type JsonMembers } from "./canonical.ts"

/** Of the canonical JSON, in bytes of UTF-8: more than a person reads before deciding. */
const MAX_PARAMETERS_BYTES = 8192

export interface CanonicalParameters {
  readonly text: string
  /** `sha-256:` + base64url of SHA-256 over the text. */
  readonly digest: string
}

/** Parameters that are absent are bound too, as `null`: what was not shown was not approved. */
export const NO_PARAMETERS: CanonicalParameters = canonical("null")

/**
 * The canonical form of parameters as a request handler holds them; undefined stands for none. Answers undefined where
 * they are not JSON, too deep to be read, or over 8 KiB.
 */
export function canonicalParameters(value: unknown): CanonicalParameters | undefined {
  if (value === undefined) return NO_PARAMETERS
  try {
    const text = canonicalJson(value as JsonMembers) // throws TypeError where it is not
    return Buffer.byteLength(text) > MAX_PARAMETERS_BYTES ? undefined : canonical(text)
  } catch (fault) {
    if (fault instanceof TypeError || fault instanceof RangeError) return undefined
    throw fault
  }
}

function canonical(text: string): CanonicalParameters {
  return { text, digest: `sha-256:${hash("sha256", text, "base64url")}` }
}
