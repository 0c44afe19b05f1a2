// A checkpoint: the ledger's size and root as a note that the ledger's key signed (C2SP tlog-checkpoint, signed-note), and
// the text of that key (vkey). It decides shape and signature; whether one checkpoint continues another merkle.ts tells.
import { hash } from "node:crypto"
import { KeyFault, readPublicJwk, type VerificationKey, verifySignature } from "../token/signature.ts"
import { HASH_BYTES, type TreeHead } from "./merkle.ts"

/** The ledger's size and root, of the log that `origin` names. */
export interface Checkpoint extends TreeHead {
  readonly origin: string
}

/** Who signs, as readers know it. */
export interface NoteVerifier {
  readonly name: string
  /** The first four bytes of the key's hash, as hexadecimal text. */
  readonly id: string
  readonly key: VerificationKey
  /** `name+id+base64(0x01, public key)`: what readers are given once. */
  readonly vkey: string
}

/** Who signs, with the private half. */
export interface NoteSigner extends NoteVerifier {
  sign(bytes: Uint8Array): Uint8Array
}

/** Why a checkpoint was not taken. */
export type CheckpointFault = "format" | "origin" | "unsigned" | "signature"

export class NoCheckpoint {
  readonly tag: CheckpointFault

  constructor(tag: CheckpointFault) {
    this.tag = tag
  }
}

/** Of a whole note; ours have one or two signatures. */
const MAX_NOTE_LENGTH = 4096
const MAX_SIGNATURES = 16
const ED25519 = 1
const KEY_ID_BYTES = 4
const SIGNATURE_BYTES = 64
const SIGNATURE_LINE = /^\u2014 (\S+) (\S+)$/
const NAME = /^[^\s+]{1,255}$/u

const decode = (text: string): Buffer | undefined => {
  const bytes = Buffer.from(text, "base64")
  return bytes.toString("base64") === text ? bytes : undefined
}

/** Throws TypeError where the key is not Ed25519 or the name can't be one of a key (white space, plus). */
export function noteVerifier(name: string, key: VerificationKey): NoteVerifier {
  if (key.alg !== "EdDSA" || !NAME.test(name))
    throw new TypeError("a ledger's key is Ed25519 and has a plain name")
  const point = Buffer.concat([Buffer.of(ED25519), Buffer.from(key.jwk.x, "base64url")])
  const id = hash("sha256", Buffer.concat([Buffer.from(`${name}\n`), point]), "hex").slice(
    0,
    2 * KEY_ID_BYTES,
  )
  return { name, id, key, vkey: `${name}+${id}+${point.toString("base64")}` }
}

/** Reads a vkey; undefined where it is not one of an Ed25519 key, or its id is another's. */
export function readVkey(text: string): NoteVerifier | undefined {
  const match = /^([^+]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text)
  const point = match?.[3] === undefined ? undefined : decode(match[3])
  if (!match?.[1] || !NAME.test(match[1]) || point?.length !== 1 + HASH_BYTES || point[0] !== ED25519)
    return undefined
  const key = readPublicJwk({ kty: "OKP", crv: "Ed25519", x: point.subarray(1).toString("base64url") })
  if (key instanceof KeyFault) return undefined
  const verifier = noteVerifier(match[1], key)
  return verifier.vkey === text ? verifier : undefined
}

/** The signed note: three lines, an empty one, and a line for each signer, in their order. */
export function signCheckpoint(checkpoint: Checkpoint, signers: readonly NoteSigner[]): string {
  const { origin, size, root } = checkpoint
  const body = `${origin}\n${size}\n${Buffer.from(root).toString("base64")}\n`
  const lines = signers.map(({ name, id, sign }) => {
    const signature = Buffer.concat([Buffer.from(id, "hex"), sign(Buffer.from(body))])
    return `\u2014 ${name} ${signature.toString("base64")}\n`
  })
  return `${body}\n${lines.join("")}`
}

/** Whether the text is a checkpoint of some log, to the byte. Does NOT check who signed it. */
export const isCheckpoint = (text: string): boolean => readNote(text) !== undefined

/**
 * Reads a checkpoint of the log `origin` that one of these keys signed. Guaranteed: the format to the byte, no extension
 * lines (ours have none), one signature of a known key that holds, and none of a known key that does not. Does NOT check
 * that it continues any other.
 */
export function openCheckpoint(
  text: string,
  origin: string,
  verifiers: readonly NoteVerifier[],
): Checkpoint | NoCheckpoint {
  const read = readNote(text)
  if (!read) return new NoCheckpoint("format")
  if (read.checkpoint.origin !== origin) return new NoCheckpoint("origin")
  let signed = false
  for (const { name, id, signature } of read.signatures) {
    const known = verifiers.find((one) => one.name === name && one.id === id)
    if (!known) continue
    if (!verifySignature(known.key, read.body, signature)) return new NoCheckpoint("signature")
    signed = true
  }
  return signed ? read.checkpoint : new NoCheckpoint("unsigned")
}

interface Signature {
  readonly name: string
  readonly id: string
  readonly signature: Buffer
}

interface Note {
  readonly checkpoint: Checkpoint
  /** What is signed. */
  readonly body: Buffer
  readonly signatures: readonly Signature[]
}

function readNote(text: string): Note | undefined {
  if (text.length > MAX_NOTE_LENGTH || !text.isWellFormed() || hasControls(text)) return undefined
  const blank = text.indexOf("\n\n")
  if (blank < 0 || !text.endsWith("\n")) return undefined
  const body = text.slice(0, blank + 1)
  const lines = text.slice(blank + 2, -1).split("\n")
  const checkpoint = readBody(body)
  const signatures = lines.map(readSignature)
  if (!checkpoint || lines.length > MAX_SIGNATURES || !signatures.every((one) => one !== undefined))
    return undefined
  return { checkpoint, body: Buffer.from(body), signatures }
}

/** Signed notes hold no control character but the line feed. */
const hasControls = (text: string): boolean => /[^\n\P{Cc}]/u.test(text)

function readBody(body: string): Checkpoint | undefined {
  const match = /^([^\n]+)\n(0|[1-9]\d{0,15})\n([^\n]+)\n$/.exec(body)
  if (!match?.[1] || !match[3]) return undefined
  const size = Number(match[2])
  const root = decode(match[3])
  if (!Number.isSafeInteger(size) || root?.length !== HASH_BYTES) return undefined
  return { origin: match[1], size, root }
}

/** A line by a key of any kind: one that is none of ours may be longer or shorter. */
function readSignature(line: string): Signature | undefined {
  const match = SIGNATURE_LINE.exec(line)
  const bytes = match?.[2] === undefined ? undefined : decode(match[2])
  if (!match?.[1] || !NAME.test(match[1]) || !bytes || bytes.length <= KEY_ID_BYTES) return undefined
  const id = bytes.subarray(0, KEY_ID_BYTES).toString("hex")
  const signature = bytes.subarray(KEY_ID_BYTES)
  return { name: match[1], id, signature: signature.length === SIGNATURE_BYTES ? signature : Buffer.alloc(0) }
}
