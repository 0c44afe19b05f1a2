// The reader of JWTs that other issuers sign: as strict about form and JSON as jwt.ts, wider in algorithms and in what a
// header may hold. It decides no claim, looks at no clock and checks no signature: the key is found by `iss` and `kid` first.
import { type ForeignAlgorithm, isForeignKid } from "./foreign-key.ts"
import type { JsonObject } from "./json.ts"
import { decodePart, readObject, Unreadable } from "./jwt.ts"

/** Claimed, not proven, until a key of the issuer has verified it. */
export interface ForeignJwt {
  readonly typ: string | undefined
  readonly alg: ForeignAlgorithm
  readonly kid: string
  /** Not checked to be an issuer that anybody trusts. */
  readonly iss: string
  readonly payload: JsonObject
  readonly signingInput: Uint8Array
  readonly signature: Uint8Array
}

const MAX_LENGTH = 16 * 1024
const HEADER_LENGTH = 1024
const ALGORITHMS: readonly string[] = ["RS256", "PS256", "ES256", "EdDSA"] satisfies ForeignAlgorithm[]
/** Thumbprints of certificates are let by and never looked at; whatever could bring a key or an address is not. */
const HEADER_MEMBERS = new Set(["typ", "alg", "kid", "x5t", "x5t#S256"])

const isForeignAlgorithm = (value: unknown): value is ForeignAlgorithm =>
  typeof value === "string" && ALGORITHMS.includes(value)

/** Reads a compact JWS (RFC 7515 section 7.1) of at most 16 KiB, with a `kid`, whose payload is a JSON object with `iss`. */
export function readForeignJwt(text: string): ForeignJwt | Unreadable {
  if (text.length > MAX_LENGTH) return new Unreadable("size")
  const parts = text.split(".", 4)
  const [head, body, tail] = parts.map(decodePart)
  if (parts.length !== 3 || !head || !body || !tail) return new Unreadable("format")
  const header = readObject(head, HEADER_LENGTH)
  if (header instanceof Unreadable) return header
  const { typ, alg, kid } = header
  if (!isForeignAlgorithm(alg)) return new Unreadable("alg")
  if (Object.keys(header).some((name) => !HEADER_MEMBERS.has(name))) return new Unreadable("header")
  if (typ !== undefined && typeof typ !== "string") return new Unreadable("typ")
  if (!isForeignKid(kid)) return new Unreadable("kid")
  const payload = readObject(body, MAX_LENGTH)
  if (payload instanceof Unreadable) return payload
  const { iss } = payload
  if (typeof iss !== "string") return new Unreadable("claims", "iss")
  const signingInput = Buffer.from(text.slice(0, text.lastIndexOf(".")), "latin1")
  return { typ, alg, kid, iss, payload, signingInput, signature: tail }
}
