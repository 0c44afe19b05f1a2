// The one strict reader of JWTs, whoever wrote them: compact form in its single spelling, a header with nothing but the
// members allowed at that place, JSON without traps. It decides no claim and looks at no clock; it does not check the
// signature either, because the key is chosen by the caller.
import { isUtf8 } from "node:buffer"
import { hash } from "node:crypto"
import { isJsonObject, JsonFault, type JsonFaultTag, type JsonObject, parseJson } from "./json.ts"
import { type Algorithm, type IssuingKey, isKid, type SigningKey } from "./signature.ts"

export type UnreadableTag =
  | JsonFaultTag
  | "format"
  | "header"
  | "typ"
  | "alg"
  | "kid"
  | "key"
  | "claims"
  | "signature"
  | "iss"
  | "aud"
  | "expired"
  | "not_yet"

/** Why a JWT was not taken. Carries no piece of it; the tag is for the side that refused, never for the wire. */
export class Unreadable {
  readonly tag: UnreadableTag
  /** The claim or member that is wrong, by name, where it is one. */
  readonly member: string | undefined

  constructor(tag: UnreadableTag, member?: string) {
    this.tag = tag
    this.member = member
  }
}

export interface JwtHeader {
  readonly typ?: string
  readonly alg: Algorithm
  readonly kid?: string
  readonly jwk?: JsonObject
}

export interface Jwt {
  readonly header: JwtHeader
  readonly payload: JsonObject
  readonly signingInput: Uint8Array
  readonly signature: Uint8Array
}

export interface JwtRules {
  /** The `typ` values taken, byte for byte; undefined among them allows none. */
  readonly typ: readonly (string | undefined)[]
  /** The header members allowed. `alg` must be there whatever is listed. */
  readonly header: readonly string[]
  /** In bytes of the compact form. */
  readonly maxLength: number
}

const HEADER_LENGTH = 1024
const SIGNATURE_BYTES = 64

/**
 * Reads a compact JWS (RFC 7515 section 7.1) whose payload is a JSON object. Guaranteed: three non-empty parts in the
 * one base64url spelling of their bytes, `alg` ES256 or EdDSA, 64 bytes of signature, payload as `parseJson` reads it.
 * Does NOT check the signature or any claim.
 */
export function readJwt(text: string, rules: JwtRules): Jwt | Unreadable {
  if (text.length > rules.maxLength) return new Unreadable("size")
  const first = text.indexOf(".")
  const second = text.indexOf(".", first + 1)
  if (first < 1 || second < first + 2 || second === text.length - 1) return new Unreadable("format")
  const header = headerIn(text.slice(0, first), rules)
  const body = decodePart(text.slice(first + 1, second))
  const signature = decodePart(text.slice(second + 1))
  if (!body || !signature) return new Unreadable("format")
  if (header instanceof Unreadable) return header
  if (signature.length !== SIGNATURE_BYTES) return new Unreadable("signature")
  const payload = readObject(body, rules.maxLength)
  if (payload instanceof Unreadable) return payload
  return { header, payload, signingInput: Buffer.from(text.slice(0, second), "latin1"), signature }
}

/**
 * Signs a JWT: `alg` comes from the key, the other members as given. Does NOT check the payload: what is signed has
 * been stored before, exactly so.
 */
export function signJwt(header: HeaderToSign, payload: object, key: SigningKey): string
export function signJwt(header: HeaderToSign, payload: object, key: IssuingKey): string | Promise<string>
export function signJwt(header: HeaderToSign, payload: object, key: IssuingKey): string | Promise<string> {
  return signText(header, JSON.stringify(payload), key)
}

/** The same for a payload that is JSON text already, and stays as it is to the byte. */
export function signText(header: HeaderToSign, payload: string, key: SigningKey): string
export function signText(header: HeaderToSign, payload: string, key: IssuingKey): string | Promise<string>
export function signText(header: HeaderToSign, payload: string, key: IssuingKey): string | Promise<string> {
  const input = `${encodeHeader(header, key.alg)}.${encodePart(payload)}`
  const signature = key.sign(Buffer.from(input, "latin1"))
  if (signature instanceof Promise) return signature.then((bytes) => compact(input, bytes))
  return compact(input, signature)
}

const compact = (input: string, signature: Uint8Array): string =>
  `${input}.${Buffer.from(signature).toString("base64url")}`

/**
 * The same for a long payload in pieces of JSON text, as bytes: its compact form in ASCII. Pieces are neither joined nor
 * copied more often than they must.
 */
export function signPieces(
  header: HeaderToSign,
  pieces: readonly string[],
  key: SigningKey,
): Uint8Array<ArrayBuffer> {
  const sign = (input: Uint8Array) => Buffer.from(key.sign(input)).toString("base64url")
  return joinPieces(encodeHeader(header, key.alg), pieces, sign)
}

/** The same of an encoded header and an encoded signature, for what was signed before, too. */
export function joinPieces(
  header: string,
  pieces: readonly string[],
  signatureOf: (input: Uint8Array) => string,
): Uint8Array<ArrayBuffer> {
  const length = layOut(pieces)
  const head = `${header}.`
  const inputLength = head.length + Math.ceil((length * 4) / 3)
  const bytes = Buffer.from(new ArrayBuffer(inputLength + 1 + ENCODED_SIGNATURE))
  let at = bytes.write(head, "latin1")
  for (let from = 0; from < length; from += STRETCH_BYTES)
    at += bytes.write(
      layout.toString("base64url", from, Math.min(length, from + STRETCH_BYTES)),
      at,
      "latin1",
    )
  bytes.write(`.${signatureOf(bytes.subarray(0, inputLength))}`, at, "latin1")
  return bytes
}

/** A multiple of three, so that stretches encoded apart are one text; short enough to be a young string. */
const STRETCH_BYTES = 48 * 1024
/** Where payloads in pieces are laid out before they are encoded, one at a time. */
let layout = Buffer.alloc(64 * 1024)

/** Answers how many bytes they take. */
function layOut(pieces: readonly string[]): number {
  const most = 3 * pieces.reduce((sum, piece) => sum + piece.length, 0)
  if (layout.length < most) layout = Buffer.alloc(most)
  return pieces.reduce((at, piece) => at + layout.write(piece, at, "utf8"), 0)
}

/** How many bytes `signText` would answer. */
export const signedLength = (
  header: { readonly typ: string; readonly kid?: string },
  payload: string,
): number => encodeHeader(header, "ES256").length + encodedLength(payload) + ENCODED_SIGNATURE + 2

/** Of base64url without padding. */
const encodedLength = (text: string): number => Math.ceil((Buffer.byteLength(text) * 4) / 3)
const ENCODED_SIGNATURE = Math.ceil((SIGNATURE_BYTES * 4) / 3)

/** `sha-256:` and the base64url of the hash of a text, or of its bytes. */
export const digestOf = (text: string | Uint8Array): string => `sha-256:${hash("sha256", text, "base64url")}`

interface HeaderToSign {
  readonly typ: string
  readonly kid?: string
  readonly jwk?: object
}

/** The last header without a key in it: an issuer's tokens have the same one until its key changes. */
let latestHeader = { typ: "", kid: "", alg: "", encoded: "" }

function encodeHeader({ typ, kid, jwk }: HeaderToSign, alg: Algorithm): string {
  if (kid === undefined || jwk) return encodePart(JSON.stringify({ typ, alg, kid, jwk }))
  if (latestHeader.kid !== kid || latestHeader.typ !== typ || latestHeader.alg !== alg)
    latestHeader = { typ, kid, alg, encoded: encodePart(JSON.stringify({ typ, alg, kid })) }
  return latestHeader.encoded
}

const encodePart = (text: string): string => Buffer.from(text, "utf8").toString("base64url")

/** Node's decoder takes padding, white space and either alphabet; encoding again finds all of that. */
export function decodePart(part: string): Buffer | undefined {
  const bytes = Buffer.from(part, "base64url")
  return bytes.length > 0 && bytes.toString("base64url") === part ? bytes : undefined
}

/** A JSON object of at most so many units, strictly. */
export function readObject(bytes: Buffer, maxLength: number): JsonObject | Unreadable {
  if (!isUtf8(bytes)) return new Unreadable("json")
  const value = parseJson(bytes.toString("utf8"), { maxLength })
  if (value instanceof JsonFault) return new Unreadable(value.tag)
  return isJsonObject(value) ? value : new Unreadable("json")
}

/** What was read last by some rules: the tokens that one key signs begin alike. */
const latest = new WeakMap<JwtRules, { readonly part: string; readonly header: JwtHeader }>()

function headerIn(part: string, rules: JwtRules): JwtHeader | Unreadable {
  const known = latest.get(rules)
  if (known?.part === part) return known.header
  const bytes = decodePart(part)
  if (!bytes) return new Unreadable("format")
  const header = readHeader(bytes, rules)
  // Not `part`: a slice would keep the whole token.
  if (!(header instanceof Unreadable)) latest.set(rules, { part: bytes.toString("base64url"), header })
  return header
}

function readHeader(bytes: Buffer, rules: JwtRules): JwtHeader | Unreadable {
  const members = readObject(bytes, HEADER_LENGTH)
  if (members instanceof Unreadable) return members
  const { typ, alg, kid, jwk } = members
  if (alg !== "ES256" && alg !== "EdDSA") return new Unreadable("alg")
  const unknown = Object.keys(members).find((name) => name !== "alg" && !rules.header.includes(name))
  if (unknown !== undefined) return new Unreadable("header")
  if ((typ !== undefined && typeof typ !== "string") || !rules.typ.includes(typ)) return new Unreadable("typ")
  if (kid !== undefined && !isKid(kid)) return new Unreadable("kid")
  if (jwk !== undefined && !isJsonObject(jwk)) return new Unreadable("key")
  return {
    alg,
    ...(typ !== undefined && { typ }),
    ...(kid !== undefined && { kid }),
    ...(jwk !== undefined && { jwk }),
  }
}
