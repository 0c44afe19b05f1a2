// A batch of uses, as a verifier instance signs it and the issuer takes it in. It decides shape and signature; whether
// the sequence continues, the tokens were ever minted and the times make sense is decided where the ledger is.
import { parseInstant } from "../time.ts"
import { isEpoch, isText, onlyMembers } from "./claims.ts"
import { isId, isUuid } from "./id.ts"
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts"
import { digestOf, joinPieces, readJwt, signPieces, Unreadable } from "./jwt.ts"
import { isDigest, isName, parseHolder } from "./name.ts"
import { isSegment, joinSegments, MAX_SEGMENTS, MAX_UNITS } from "./resource.ts"
import { type SigningKey, type VerificationKey, verifySignature } from "./signature.ts"

const USE_BATCH_TYP = "use-batch+jwt"
/** Of the compact form. */
const MAX_BATCH_BYTES = 1_048_576
/** UTF-16 units of a segment that is not data: 32 of them, percent-encoded, still fit into an entry of the ledger. */
const MAX_STRANGE_UNITS = 128
/** Of a resource as one text: what else a use tells has room beside it in an entry. */
const MAX_RESOURCE_BYTES = 48 * 1024

/** An empty batch says that the instance is there. */
export const HEARTBEAT_MILLISECONDS = 10_000
/** An instance of which nothing was heard for three heartbeats is silent. */
export const QUIET_MILLISECONDS = 3 * HEARTBEAT_MILLISECONDS

/** One request that a verifier decided with a genuine token. Members as on the wire. */
export interface UseRecord {
  readonly id: string
  /** RFC 3339, UTC: when it was decided. */
  readonly at: string
  /** The task's id, `txn`. */
  readonly task: string
  readonly jti: string
  /** `act.sub` of the holder: `agent/instance`. */
  readonly actor: string
  /** The token's `client_id`. */
  readonly client: string
  /** The resource URL of the API that decided. */
  readonly api: string
  readonly operation: string
  /** Segments as the request had them, data or not; absent where they could not be told. See `recordedResource`. */
  readonly resource?: readonly string[] | undefined
  readonly method?: string | undefined
  readonly route?: string | undefined
  readonly decision: "allowed" | "refused" | "observed"
  /** Of a refusal; of what was observed, the code it would have had. */
  readonly code?: string | undefined
  /** Absent, with the duration, where the process died before it answered. */
  readonly status?: number | undefined
  readonly duration_ms?: number | undefined
  readonly trace_id?: string | undefined
  /** How many like it this one stands for; absent: 1. */
  readonly count?: number | undefined
}

/** A batch without its uses. */
export interface BatchFrame {
  /** The API's client id. */
  readonly iss: string
  /** The issuer. */
  readonly aud: string
  /** Epoch seconds. */
  readonly iat: number
  /** The verifier instance: a UUIDv7. */
  readonly instance: string
  /** From 1, without gaps, for each instance. */
  readonly sequence: number
  /** Digest of the batch before; null for the first. */
  readonly previous: string | null
  /** How far the feed of revocations is applied. */
  readonly cursor: number
  /** RFC 3339: when it was last known to be; null before the first time. */
  readonly applied_at: string | null
  /** The newest checkpoint of the ledger it has seen, as text; null without. */
  readonly checkpoint: string | null
  /** The instance closes: silence after this one is normal. */
  readonly final: boolean
}

export interface UseBatch extends BatchFrame {
  readonly uses: readonly UseRecord[]
}

/**
 * Signs a batch with the instance's key: its compact form, in bytes. `uses`: each a UseRecord as JSON text, put in as it is.
 * Does NOT check anything: `readUseBatch` at the other end does.
 */
export function signUseBatch(
  frame: BatchFrame,
  uses: readonly string[],
  key: SigningKey,
): Uint8Array<ArrayBuffer> {
  return signPieces({ typ: USE_BATCH_TYP, kid: key.kid }, piecesOf(writeFrame(frame), uses), key)
}

/** A signed batch without its uses. */
export interface BatchEnvelope {
  /** The encoded header. */
  readonly head: string
  /** JSON of the frame. */
  readonly frame: string
  /** The encoded signature. */
  readonly signature: string
}

/** Of what `signUseBatch` answered for that frame. */
export function envelopeOf(frame: BatchFrame, batch: Uint8Array): BatchEnvelope {
  const text = (from: number, to: number) => Buffer.from(batch.subarray(from, to)).toString("latin1")
  const head = text(0, batch.indexOf(DOT))
  return { head, frame: writeFrame(frame), signature: text(batch.lastIndexOf(DOT) + 1, batch.length) }
}

/** The batch once more, to the byte, from its envelope and the same texts of uses. */
export const rebuildUseBatch = (
  { head, frame, signature }: BatchEnvelope,
  uses: readonly string[],
): Uint8Array<ArrayBuffer> => joinPieces(head, piecesOf(frame, uses), () => signature)

function writeFrame(frame: BatchFrame): string {
  const { iss, aud, iat, instance, sequence, previous, cursor, applied_at, checkpoint, final } = frame
  return JSON.stringify({
    iss,
    aud,
    iat,
    instance,
    sequence,
    previous,
    cursor,
    applied_at,
    checkpoint,
    final,
  })
}

/** Uses in one piece: what is joined at once is copied once, and not so long that the collector takes it for old. */
const USES_IN_PIECE = 64

function piecesOf(frame: string, uses: readonly string[]): string[] {
  const pieces = [`${frame.slice(0, -1)},"uses":[`]
  for (let at = 0; at < uses.length; at += USES_IN_PIECE) {
    if (at > 0) pieces.push(",")
    pieces.push(uses.slice(at, at + USES_IN_PIECE).join(","))
  }
  pieces.push("]}")
  return pieces
}

/** What `previous` of the next batch says: the digest of header and payload, so that signing again changes nothing. */
export const batchDigest = (batch: string | Uint8Array): string =>
  digestOf(
    typeof batch === "string"
      ? batch.slice(0, batch.lastIndexOf("."))
      : batch.subarray(0, batch.lastIndexOf(DOT)),
  )

const DOT = ".".charCodeAt(0)

/** Segments of any request in a form that every batch can carry: 32 at most; what is data as it is, the rest cut and well-formed. */
export const recordedResource = (segments: readonly string[]): readonly string[] =>
  segments
    .slice(0, MAX_SEGMENTS)
    .map((one) => (isSegment(one) ? one : one.slice(0, MAX_STRANGE_UNITS).toWellFormed()))

const RULES = { typ: [USE_BATCH_TYP], header: ["typ", "alg", "kid"], maxLength: MAX_BATCH_BYTES } as const

/**
 * Reads a batch signed by the instance's key. Guaranteed: the signature, and each member of the batch and of each use
 * known and of its shape. Does NOT check audience, sequence, times, or that the tokens exist.
 */
export function readUseBatch(
  text: string,
  key: VerificationKey,
): { readonly batch: UseBatch; readonly digest: string } | Unreadable {
  const jwt = readJwt(text, RULES)
  if (jwt instanceof Unreadable) return jwt
  if (jwt.header.kid !== undefined && jwt.header.kid !== key.kid && jwt.header.kid !== key.thumbprint)
    return new Unreadable("kid")
  if (key.alg !== jwt.header.alg) return new Unreadable("alg")
  if (!verifySignature(key, jwt.signingInput, jwt.signature)) return new Unreadable("signature")
  const { payload } = jwt
  const wrong = wrongMember(payload, BATCH) ?? wrongUse(payload.uses)
  if (wrong !== undefined) return new Unreadable("claims", wrong)
  return isBatch(payload) ? { batch: payload, digest: batchDigest(text) } : new Unreadable("claims")
}

interface Shape {
  readonly holds: (value: JsonValue | undefined) => boolean
  readonly optional?: true
}
type Shapes = ReadonlyMap<string, Shape>

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0
const isPositive = (value: unknown): boolean => isCount(value) && value !== 0
const isInstant = (value: unknown): boolean => typeof value === "string" && parseInstant(value) !== undefined
const isResource = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length <= MAX_SEGMENTS &&
  value.every((one) => typeof one === "string" && one.length <= MAX_UNITS) &&
  Buffer.byteLength(joinSegments(value)) <= MAX_RESOURCE_BYTES
const fits =
  (pattern: RegExp) =>
  (value: unknown): boolean =>
    typeof value === "string" && pattern.test(value)
const optional = (holds: Shape["holds"]): Shape => ({ holds, optional: true })

const BATCH: Shapes = new Map<string, Shape>([
  ["iss", { holds: isName }],
  ["aud", { holds: (value) => isText(value, 512) }],
  ["iat", { holds: isEpoch }],
  ["instance", { holds: isUuid }],
  ["sequence", { holds: isPositive }],
  ["previous", { holds: (value) => value === null || isDigest(value) }],
  ["cursor", { holds: isCount }],
  ["applied_at", { holds: (value) => value === null || isInstant(value) }],
  ["checkpoint", { holds: (value) => value === null || (typeof value === "string" && value.length <= 4096) }],
  ["final", { holds: (value) => typeof value === "boolean" }],
  ["uses", { holds: Array.isArray }],
])

const USE: Shapes = new Map<string, Shape>([
  ["id", { holds: (value) => isId("use", value) }],
  ["at", { holds: isInstant }],
  ["task", { holds: (value) => isId("task", value) }],
  ["jti", { holds: (value) => isId("tok", value) }],
  ["actor", { holds: (value) => parseHolder(value) !== undefined }],
  ["client", { holds: isName }],
  ["api", { holds: (value) => isText(value, 512) }],
  ["operation", { holds: (value) => isText(value, 128) }],
  ["resource", optional(isResource)],
  ["method", optional(fits(/^[A-Za-z-]{1,32}$/))],
  ["route", optional((value) => isText(value, 512))],
  ["decision", { holds: fits(/^(allowed|refused|observed)$/) }],
  ["code", optional(fits(/^[a-z_]{1,64}$/))],
  ["status", optional((value) => isCount(value) && Number(value) >= 100 && Number(value) <= 999)],
  ["duration_ms", optional(isCount)],
  ["trace_id", optional(fits(/^[0-9a-f]{32}$/))],
  ["count", optional(isPositive)],
])
const MEMBERS_OF = new Map([BATCH, USE].map((shapes) => [shapes, new Set(shapes.keys())]))

function wrongMember(object: JsonObject, shapes: Shapes): string | undefined {
  const unknown = onlyMembers(object, MEMBERS_OF.get(shapes) ?? new Set())
  if (unknown !== undefined) return unknown
  for (const [name, shape] of shapes) {
    const value = object[name]
    if (value === undefined ? !shape.optional : !shape.holds(value)) return name
  }
  return undefined
}

function wrongUse(uses: JsonValue | undefined): string | undefined {
  if (!Array.isArray(uses)) return "uses"
  for (const [index, use] of uses.entries()) {
    const wrong = isJsonObject(use) ? (wrongMember(use, USE) ?? wrongCode(use)) : "use"
    if (wrong !== undefined) return `uses/${index}/${wrong}`
  }
  return undefined
}

/** An allowed use has no code; any other has one. */
const wrongCode = (use: JsonObject): string | undefined =>
  (use.decision === "allowed") === (use.code === undefined) ? undefined : "code"

/** Called when every member was found to have its shape. */
const isBatch = (payload: JsonObject | UseBatch): payload is UseBatch => Array.isArray(payload.uses)
