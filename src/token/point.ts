// The public half of a key as a point of its curve: P-256 or Ed25519, each in its one spelling. It decides that a point which is
// none, or lets anybody sign, is not taken; what a key is for, signature.ts says.
import { createPublicKey, hash, type KeyObject } from "node:crypto"
import { createRemembered } from "./remembered.ts"

export interface Curve {
  readonly alg: "ES256" | "EdDSA"
  readonly kty: "EC" | "OKP"
  readonly crv: "P-256" | "Ed25519"
  readonly coordinates: readonly ("x" | "y")[]
  readonly digest: "sha256" | null
  /** What stands before the coordinates in a SubjectPublicKeyInfo (RFC 5480, RFC 8410), in base64: whole groups of it. */
  readonly info: string
}

export const CURVES: readonly Curve[] = [
  {
    alg: "ES256",
    kty: "EC",
    crv: "P-256",
    coordinates: ["x", "y"],
    digest: "sha256",
    info: "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE",
  },
  { alg: "EdDSA", kty: "OKP", crv: "Ed25519", coordinates: ["x"], digest: null, info: "MCowBQYDK2VwAyEA" },
]
/** Points of Ed25519 whose order is at most 8: for them anybody can make a signature that holds. Sign bit cleared. */
const SMALL_ORDER = new Set([
  "00".repeat(32),
  `01${"00".repeat(31)}`,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  `ec${"ff".repeat(30)}7f`,
  `ed${"ff".repeat(30)}7f`,
  `ee${"ff".repeat(30)}7f`,
])

export interface Point {
  readonly key: KeyObject
  readonly thumbprint: string
}

/** At 3 KB each. The holder of a bound token shows its key with every proof, and the import costs a third of the check. */
const points = createRemembered<Point>(4096)

/** Undefined where there is no such point. Those that are remembered have only coordinates in their one spelling. */
export function pointOf(curve: Curve, members: Readonly<Record<string, unknown>>): Point | undefined {
  const parts = [curve.crv, ...curve.coordinates.map((name) => members[name])]
  const name = parts.every((one) => typeof one === "string") ? parts.join(".") : undefined
  const known = name === undefined ? undefined : points.get(name)
  if (known) return known
  const key = importPoint(curve, members)
  if (!key || name === undefined) return undefined
  const point = { key, thumbprint: thumbprintOf(curve, members) }
  points.set(name, point)
  return point
}

/** RFC 7638: the hash of the required members in their one order. */
function thumbprintOf(curve: Curve, members: Readonly<Record<string, unknown>>): string {
  const required: Record<string, unknown> = { crv: curve.crv, kty: curve.kty }
  for (const name of curve.coordinates) required[name] = members[name]
  return hash("sha256", JSON.stringify(required), "base64url")
}

/** As PEM: what node:crypto does to tell another form from a key object costs twice as much as the import. */
function importPoint(curve: Curve, members: Readonly<Record<string, unknown>>): KeyObject | undefined {
  const point: Buffer[] = []
  for (const name of curve.coordinates) {
    const coordinate = members[name]
    if (typeof coordinate !== "string" || coordinate.length !== 43) return undefined
    const bytes = Buffer.from(coordinate, "base64url")
    if (bytes.length !== 32 || bytes.toString("base64url") !== coordinate) return undefined
    if (curve.kty === "OKP" && isOfSmallOrder(bytes)) return undefined
    point.push(bytes)
  }
  const info = curve.info + Buffer.concat(point).toString("base64")
  try {
    return createPublicKey(`-----BEGIN PUBLIC KEY-----\n${info}\n-----END PUBLIC KEY-----`)
  } catch {
    return undefined // node:crypto throws different errors for a point that is not on the curve; all mean that
  }
}

function isOfSmallOrder(encoded: Buffer): boolean {
  const unsigned = Buffer.from(encoded)
  unsigned.writeUInt8(unsigned.readUInt8(31) & 0x7f, 31)
  return SMALL_ORDER.has(unsigned.toString("hex"))
}
