// What an API's guard said when it refused: read from a copy of the answer, so that an answer of the API itself is left as
// it came. It decides what counts as a guard's refusal; what is done about it is session-call.ts's.
import { REFUSALS } from "../errors.ts"
import type { ClientError } from "./error.ts"
import { refusalOf } from "./issuer-call.ts"

interface Refusing {
  readonly status: number
  readonly headers: Headers
  peek(): Promise<string>
}

/**
 * The refusal that a guard answered: problem+json (RFC 9457) with a code of taskmint's. Undefined for everything else,
 * whatever its status; the body can then still be read.
 */
export async function readRefusal({ status, headers, peek }: Refusing): Promise<ClientError | undefined> {
  const type = headers.get("content-type") ?? ""
  if (status < 400 || !/^application\/problem\+json\b/i.test(type)) return undefined
  const refusal = refusalOf({ status, headers, text: await peek() })
  return Object.hasOwn(REFUSALS, refusal.code) ? refusal : undefined
}

/** An API that can't be asked now, and says so in its own words. */
export const isBusy = ({ status }: { readonly status: number }): boolean => status === 503
