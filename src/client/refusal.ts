// What an API's guard said when it refused: read from a copy of the answer, so that an answer of the API itself is left as
// it came. It decides what counts as a guard's refusal; what is done about it is session-call.ts's.
import { REFUSALS } from "../errors.ts"
import { readRetryAfter } from "../remote/exchange.ts"
import type { ClientError } from "./error.ts"
import { refusalOf } from "./issuer-call.ts"

const MAX_BYTES = 64 * 1024

/**
 * The refusal that a guard answered: problem+json (RFC 9457) with a code of taskmint's. Undefined for everything else,
 * whatever its status; the body can then still be read.
 */
export async function readRefusal(answer: Response): Promise<ClientError | undefined> {
  const type = answer.headers.get("content-type") ?? ""
  if (answer.status < 400 || !/^application\/problem\+json\b/i.test(type)) return undefined
  const text = await readStart(answer.clone())
  const { status, headers } = answer
  const refusal = refusalOf({ status, headers, text })
  return Object.hasOwn(REFUSALS, refusal.code) ? refusal : undefined
}

/** An API that can't be asked now, and says so in its own words. */
export const isBusy = ({ status }: Response): boolean => status === 503

export const retryAfterOf = ({ headers }: Response): number | undefined => readRetryAfter(headers)

async function readStart({ body }: Response): Promise<string> {
  if (!body) return ""
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of body) {
    size += part.byteLength
    if (size > MAX_BYTES) return ""
    parts.push(part)
  }
  return Buffer.concat(parts).toString("utf8")
}
