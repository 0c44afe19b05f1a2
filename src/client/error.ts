// What a caller of taskmint catches: one error with a code, a status and what to do next. It never carries a token, a
// key, an assertion or a body that could hold one.
import type { Code, FieldError, Next } from "../errors.ts"

/**
 * Besides the issuer's own codes: nobody answered, the answer could not be read, no held token fits the URL, or the session
 * was closed.
 */
export type ClientCode =
  | Code
  | "issuer_unreachable"
  | "answer_invalid"
  | "url_not_granted"
  | "token_missing"
  | "session_closed"

export interface ClientErrorDetail {
  /** The issuer's code, or one of ClientCode; codes unknown to this version are passed on as they came. */
  readonly code: ClientCode | (string & {})
  /** HTTP status of the answer; undefined where there was none. */
  readonly status?: number | undefined
  readonly next: Next
  /** The issuer's id of the request, for its log. */
  readonly requestId?: string | undefined
  /** Places in the request that do not fit: RFC 6901 pointers and what was expected. */
  readonly errors?: readonly FieldError[] | undefined
  readonly retryAfterSeconds?: number | undefined
  readonly cause?: unknown
}

/**
 * What the calls of "taskmint/client" throw; import it from "taskmint" (it is one class, wherever it was thrown). A
 * refusal of the issuer, or that nothing could be found out: then `next` is `wait` and `status` 503 or undefined.
 */
export class ClientError extends Error {
  override readonly name = "ClientError"
  readonly code: string
  readonly status: number | undefined
  readonly next: Next
  readonly requestId: string | undefined
  readonly errors: readonly FieldError[]
  readonly retryAfterSeconds: number | undefined

  constructor(message: string, detail: ClientErrorDetail) {
    super(message, detail.cause === undefined ? {} : { cause: detail.cause })
    this.code = detail.code
    this.status = detail.status
    this.next = detail.next
    this.requestId = detail.requestId
    this.errors = detail.errors ?? []
    this.retryAfterSeconds = detail.retryAfterSeconds
  }
}
