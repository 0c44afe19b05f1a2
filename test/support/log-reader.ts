// A reader of transparency logs, written from the C2SP texts (tlog-tiles, tlog-checkpoint, signed-note) and RFC 6962 alone:
// it imports nothing of ours. It takes a whole log apart and recomputes the root that the checkpoint signs.
import { createHash, createPublicKey, verify } from "node:crypto"

/** Fetches below the log's prefix; throws where the answer is not 200. */
export type Fetch = (path: string) => Promise<Buffer>

export interface ReadLog {
  readonly origin: string
  readonly size: number
  readonly entries: readonly Buffer[]
}

const sha256 = (...parts: Buffer[]): Buffer => createHash("sha256").update(Buffer.concat(parts)).digest()

/** Throws an Error that says what does not fit. */
export async function readLog(fetch: Fetch, vkey: string): Promise<ReadLog> {
  const { origin, size, root } = openNote((await fetch("checkpoint")).toString("utf8"), vkey)
  const entries: Buffer[] = []
  const leaves: Buffer[] = []
  for (let tile = 0; tile * 256 < size; tile++) {
    const width = Math.min(256, size - tile * 256)
    const path = `${inThrees(tile)}${width < 256 ? `.p/${width}` : ""}`
    const bundle = split(await fetch(`tile/entries/${path}`))
    if (bundle.length !== width) throw new Error(`bundle ${path} has ${bundle.length} entries`)
    const hashes = bundle.map((entry) => sha256(Buffer.of(0), entry))
    if (!Buffer.concat(hashes).equals(await fetch(`tile/0/${path}`)))
      throw new Error(`tile 0/${path} differs`)
    entries.push(...bundle)
    leaves.push(...hashes)
  }
  await checkUpperTiles(fetch, leaves)
  if (!mth(leaves).equals(root)) throw new Error("the root is another")
  return { origin, size, entries }
}

/** Every hash of an upper tile is the root of a full tile below it. */
async function checkUpperTiles(fetch: Fetch, leaves: readonly Buffer[]): Promise<void> {
  let below = leaves
  for (let level = 1; below.length >= 256; level++) {
    const roots = Array.from({ length: Math.floor(below.length / 256) }, (_each, at) =>
      mth(below.slice(at * 256, (at + 1) * 256)),
    )
    for (let tile = 0; tile * 256 < roots.length; tile++) {
      const hashes = roots.slice(tile * 256, (tile + 1) * 256)
      const path = `${level}/${inThrees(tile)}${hashes.length < 256 ? `.p/${hashes.length}` : ""}`
      if (!Buffer.concat(hashes).equals(await fetch(`tile/${path}`))) throw new Error(`tile ${path} differs`)
    }
    below = roots
  }
}

function mth(hashes: readonly Buffer[]): Buffer {
  if (hashes.length === 0) return sha256()
  if (hashes.length === 1) return hashes[0] ?? sha256()
  const k = 2 ** Math.ceil(Math.log2(hashes.length) - 1)
  return sha256(Buffer.of(1), mth(hashes.slice(0, k)), mth(hashes.slice(k)))
}

function inThrees(n: number): string {
  const last = String(n % 1000).padStart(3, "0")
  const rest = Math.floor(n / 1000)
  return rest === 0 ? last : `${inThrees(rest).replace(/(\d{3})$/, "x$1")}/${last}`
}

function split(bundle: Buffer): Buffer[] {
  const entries: Buffer[] = []
  for (let at = 0; at < bundle.length; ) {
    const length = bundle.readUInt16BE(at)
    entries.push(bundle.subarray(at + 2, at + 2 + length))
    at += 2 + length
  }
  return entries
}

function openNote(note: string, vkey: string): { origin: string; size: number; root: Buffer } {
  const [, name = "", id = "", encoded = ""] = /^([^+]+)\+([^+]+)\+(.+)$/.exec(vkey) ?? []
  const key = Buffer.from(encoded, "base64")
  const expected = sha256(Buffer.from(`${name}\n`), key)
    .subarray(0, 4)
    .toString("hex")
  if (id !== expected || key[0] !== 1 || key.length !== 33) throw new Error("the vkey is none")
  const point = { kty: "OKP", crv: "Ed25519", x: key.subarray(1).toString("base64url") }
  const end = note.lastIndexOf("\n\n") + 1
  const text = note.slice(0, end)
  const signed = note
    .slice(end + 1)
    .split("\n")
    .filter((line) => line.startsWith(`\u2014 ${name} `))
    .map((line) => Buffer.from(line.split(" ")[2] ?? "", "base64"))
    .find((bytes) => bytes.subarray(0, 4).toString("hex") === id)
  if (!signed) throw new Error("no signature of that key")
  if (!verify(null, Buffer.from(text), createPublicKey({ key: point, format: "jwk" }), signed.subarray(4)))
    throw new Error("the signature does not hold")
  const [origin = "", size = "", root = ""] = text.split("\n")
  return { origin, size: Number(size), root: Buffer.from(root, "base64") }
}
