// The ledger's Merkle tree (RFC 6962, RFC 9162): how a leaf is hashed. It knows nothing of entries, files or keys.
import { hash } from "node:crypto"

const LEAF_PREFIX = Buffer.of(0)

/** SHA-256 over 0x00 and the entry's bytes (RFC 6962 section 2.1). */
export const leafHash = (bytes: Uint8Array): Buffer =>
  // By way of text: a hash asked for as bytes costs three times as much.
  Buffer.from(hash("sha256", Buffer.concat([LEAF_PREFIX, bytes]), "binary"), "latin1")
