// Somebody else's reader of token status lists, written from draft-ietf-oauth-status-list sections 4, 5.1 and 8.3 alone:
// nothing of ours takes part, so that what it reads is what others read.
import { inflateSync } from "node:zlib"
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose"

export interface StatusList {
  readonly claims: Readonly<Record<string, unknown>>
  readonly bytes: Uint8Array
  /** The status at a place. Throws where the list has no such place. */
  statusAt(idx: number): number
}

/** The list in a token that must be genuine, of this URI, and not expired at that instant (epoch milliseconds). */
export async function readStatusList(
  jwt: string,
  expected: { readonly keys: unknown; readonly uri: string; readonly now: number },
): Promise<StatusList> {
  const { payload } = await jwtVerify(jwt, createLocalJWKSet(expected.keys as JSONWebKeySet), {
    typ: "statuslist+jwt",
    subject: expected.uri,
    currentDate: new Date(expected.now),
    requiredClaims: ["iat", "exp", "status_list"],
  })
  const { bits, lst } = payload.status_list as { bits: number; lst: string }
  if (![1, 2, 4, 8].includes(bits)) throw new Error(`bits: ${bits}`)
  const bytes = inflateSync(Buffer.from(lst, "base64url"))
  const statusAt = (idx: number): number => {
    const bit = idx * bits
    const byte = bytes[Math.floor(bit / 8)]
    if (byte === undefined) throw new Error(`the list has no place ${idx}`)
    return (byte >> (bit % 8)) & (2 ** bits - 1)
  }
  return { claims: payload, bytes, statusAt }
}

/** The claim of a token, read without any check: what a reader does after it has checked the token itself. */
export function statusClaimOf(token: string): { readonly idx: number; readonly uri: string } {
  const { status } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"))
  return status.status_list
}
