// What to search bytes for: the beginning that all our tokens have, as it stands in a log, in base64 and in UTF-16. It
// decides how a hit becomes text again; what the text is, form.ts says.
import { TASK_TOKEN_TYP } from "../token/token.ts"

export interface Needle {
  readonly bytes: Buffer
  /** The text of what begins with the needle, of at most so many bytes as `MOST_BYTES`. */
  readonly read: (found: Buffer) => string
}

/**
 * The header's part that is in all of them, as base64url without a last sextet that depends on what follows. It is signed,
 * so a token that begins in another way is none of ours.
 */
export const BEGINNING = encoded(`{"typ":"${TASK_TOKEN_TYP}","alg":"`, "base64url")

/** What a needle needs behind it to know its token: twice the largest (`MAX_TOKEN_BYTES`), and escapes. */
export const MOST_BYTES = 13 * 1024

function encoded(text: string, alphabet: "base64" | "base64url"): string {
  const whole = Buffer.from(text, "latin1").toString(alphabet).replace(/=+$/, "")
  return whole.slice(0, Math.floor((Buffer.byteLength(text) * 8) / 6))
}

const plain: Needle = {
  bytes: Buffer.from(BEGINNING, "latin1"),
  read: (found) => found.toString("latin1"),
}

const wide: Needle = {
  bytes: Buffer.from(BEGINNING, "utf16le"),
  read: (found) => found.toString("utf16le"),
}

/** Base64 has three spellings of a text, by how many bytes stand before it. The characters that depend on those are left out. */
function inBase64(before: 0 | 1 | 2): Needle {
  const text = encoded("\0".repeat(before) + BEGINNING, "base64")
  const shared = Math.ceil((before * 8) / 6)
  return {
    bytes: Buffer.from(text.slice(shared), "latin1"),
    read(found) {
      const run = /^[\w+/-]*/.exec(found.toString("latin1"))?.[0] ?? ""
      return Buffer.from(text.slice(0, shared) + run, "base64").toString("latin1", before)
    },
  }
}

export const NEEDLES: readonly Needle[] = [plain, wide, inBase64(0), inBase64(1), inBase64(2)]
