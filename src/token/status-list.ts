// A status list as other people's verifiers read it (draft-ietf-oauth-status-list, sections 4 and 5.1): two bits for each
// place, deflated, in a JWT of our own. It decides the encoding and how long a list may be kept; which token has which
// status is decided where tasks live.
import { deflateSync } from "node:zlib"
import { signJwt } from "./jwt.ts"
import type { IssuingKey, SigningKey } from "./signature.ts"
import { LIST_PLACES } from "./status.ts"

export const STATUS_LIST_TYPE = "application/statuslist+jwt"
const STATUS_LIST_TYP = "statuslist+jwt"

/** Section 7.1. */
export const STATUS = { valid: 0, invalid: 1, suspended: 2 } as const

const BITS = 2
const PER_BYTE = 8 / BITS

/** How long a reader keeps a list before it asks again. */
export const STATUS_TTL_SECONDS = 5
/** After that nobody may rely on a list: what lets verifiers go on while the issuer is away. */
export const STATUS_LIST_SECONDS = 300

export interface PlaceStatus {
  readonly idx: number
  readonly status: (typeof STATUS)[keyof typeof STATUS]
}

/** Two bits for each place, the first place in the lowest bits of the first byte. Places that are not named are valid. */
export function packStatuses(told: Iterable<PlaceStatus>, places: number = LIST_PLACES): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(places / PER_BYTE))
  for (const { idx, status } of told) {
    const at = Math.floor(idx / PER_BYTE)
    const byte = bytes[at]
    if (byte === undefined) throw new TypeError(`A list of ${places} places has none numbered ${idx}`)
    bytes[at] = byte | (status << ((idx % PER_BYTE) * BITS))
  }
  return bytes
}

/** `lst`: ZLIB (RFC 1950) of the bytes, in base64url. */
export const compressStatuses = (bytes: Uint8Array): string =>
  deflateSync(bytes, { level: 9 }).toString("base64url")

interface ListToSign {
  readonly issuer: string
  readonly uri: string
  readonly iat: number
  readonly bytes: Uint8Array
}

/** Signs a list. `iat` in epoch seconds: what was committed before it is in `bytes`, which is the caller's to see to. */
export function signStatusList(list: ListToSign, key: SigningKey): string
export function signStatusList(list: ListToSign, key: IssuingKey): string | Promise<string>
export function signStatusList(list: ListToSign, key: IssuingKey): string | Promise<string> {
  const { issuer, uri, iat, bytes } = list
  const payload = {
    iss: issuer,
    sub: uri,
    iat,
    exp: iat + STATUS_LIST_SECONDS,
    ttl: STATUS_TTL_SECONDS,
    status_list: { bits: BITS, lst: compressStatuses(bytes) },
  }
  return signJwt({ typ: STATUS_LIST_TYP, kid: key.kid }, payload, key)
}
