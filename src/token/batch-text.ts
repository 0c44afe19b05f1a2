// A signed batch as it rests beside the entry that tells of it: header and payload to the byte, packed; the signature stands in
// the entry itself. It decides the form only; what is compared with it, the ledger's readers decide.
import { promisify } from "node:util"
import { deflateRaw, inflateRawSync } from "node:zlib"

const deflate = promisify(deflateRaw)

/** What every batch says, so that one of a single use packs to little more than its ids. NEVER changed: rows rest packed with it. */
const WORDS = Buffer.from(
  '"parameters_not_granted","resource_not_granted","operation_not_granted","revocations_stale","token_revoked","token_expired",' +
    '"trace_id":""count":"method":"POST","route":"decision":"observed","code":"decision":"refused","code":"' +
    '{"typ":"use-batch+jwt","kid":"","alg":"ES256"}{"iss":"","aud":"https://","iat":17"instance":"019' +
    '","sequence":1,"previous":"sha-256:","cursor":0,"applied_at":"2026-T00:00:00.000Z","checkpoint":null' +
    '"checkpoint":"taskmint.\\n\\n\\n\u2014 taskmint. =\\n","final":false,"uses":[{"id":"use_019a","at":"2026-' +
    'Z","task":"task_019a","jti":"tok_019a","actor":"/pod-","client":"-orchestrator","api":"https://",' +
    '"operation":":read","resource":[""],"method":"GET","route":"/:id","decision":"allowed","status":200,"duration_ms":1},',
)
const MOST_BYTES = 1_048_576
const LENGTH_BYTES = 4

/** Of a compact form that was read and found genuine, and so has one spelling. */
export async function packBatch(text: string): Promise<Uint8Array> {
  const [head, payload] = text.split(".", 2).map((part) => Buffer.from(part, "base64url"))
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUInt32BE(head?.length ?? 0)
  return deflate(Buffer.concat([length, head ?? Buffer.of(), payload ?? Buffer.of()]), { dictionary: WORDS })
}

export const signatureOf = (text: string): string => text.slice(text.lastIndexOf(".") + 1)

/** What was packed. */
export interface SignedBatch {
  /** The compact form without its signature. */
  readonly signed: string
  /** What its middle part stands for. */
  readonly payload: string
}

/** Undefined where the bytes are none that were packed. */
export function unpackBatch(packed: Uint8Array): SignedBatch | undefined {
  try {
    const bytes = inflateRawSync(packed, { dictionary: WORDS, maxOutputLength: MOST_BYTES })
    const end = LENGTH_BYTES + bytes.readUInt32BE(0)
    const [head, payload] = [bytes.subarray(LENGTH_BYTES, end), bytes.subarray(end)]
    const signed = `${head.toString("base64url")}.${payload.toString("base64url")}`
    return { signed, payload: payload.toString("utf8") }
  } catch (fault) {
    if (fault instanceof Error && "code" in fault) return undefined // zlib's, or too long
    throw fault
  }
}
