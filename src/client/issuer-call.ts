// One authenticated call to the issuer's own HTTP surface. It decides what an answer means as an error; what is in a
// good answer is left to those who asked.
import type { FieldError, Next } from "../errors.ts"
import { type Answered, exchange, readRetryAfter, Unreachable } from "../remote/exchange.ts"
import {
  createServiceTokens,
  NotAuthenticated,
  NotNow,
  type ServiceCredential,
} from "../remote/service-token.ts"
import type { Clock } from "../time.ts"
import type { SigningKey } from "../token/signature.ts"
import { readServiceUrl } from "./address.ts"
import { ClientError } from "./error.ts"

export interface IssuerOptions {
  readonly issuer: string
  readonly issuerAddress?: string
  readonly credential: ServiceCredential
  readonly timeoutMilliseconds?: number
  readonly dangerouslyAllowPlainHttp?: boolean
  readonly clock?: Clock
}

const MEMBERS = new Set([
  "issuer",
  "issuerAddress",
  "credential",
  "timeoutMilliseconds",
  "dangerouslyAllowPlainHttp",
  "clock",
])

export interface Answer {
  readonly status: number
  /** Parsed JSON; undefined where the body was empty. */
  readonly body: unknown
}

/** Calls the issuer as one caller. Throws ClientError for every answer that is not 2xx, and for none. */
export interface IssuerCalls {
  /** Its name. */
  readonly issuer: string
  /**
   * `path` below the issuer, query included. A service token that the issuer would not have is replaced once. A call that
   * may be made twice (by default all but POST) is, when an open connection turns out to have been closed meanwhile.
   */
  call(method: "GET" | "POST" | "DELETE", path: string, body?: object, twice?: boolean): Promise<Answer>
  /**
   * For a request that is too long for `call`: the headers that say who asks, with a proof where the token is bound to a key.
   * `path` as there. Every request needs headers of its own.
   */
  headers(method: string, path: string): Promise<Record<string, string>>
  /** The service token as text, for other programs on purpose. */
  serviceToken(): Promise<string>
}

const MAX_ANSWER_BYTES = 8 * 1024 * 1024

/** Checks the options (TypeError on misuse); sends nothing. With `proofKey` the service token is bound to it (RFC 9449). */
export function openIssuer(options: IssuerOptions, clock: Clock, proofKey?: SigningKey): IssuerCalls {
  const unknown = Object.keys(options).find((member) => !MEMBERS.has(member))
  if (unknown !== undefined) throw new TypeError(`There is no option ${unknown}`)
  const { issuer, credential, timeoutMilliseconds = 10_000, dangerouslyAllowPlainHttp = false } = options
  readServiceUrl(issuer, "issuer", dangerouslyAllowPlainHttp)
  const address = readServiceUrl(options.issuerAddress ?? issuer, "issuerAddress", dangerouslyAllowPlainHttp)
  const base = address.href.replace(/\/$/, "")
  if (!credential?.clientId) throw new TypeError("credential must name a clientId")
  const tokens = createServiceTokens({
    issuer,
    issuerAddress: base,
    credential,
    clock,
    ...(proofKey && { proofKey }),
  })
  const limits = { maxBytes: MAX_ANSWER_BYTES, timeoutMilliseconds }

  const carried = (method: string, path: string) =>
    tokens.headers(method, `${issuer.replace(/\/$/, "")}${path.split("?", 1)[0]}`)
  const send = async (method: string, path: string, body: object | undefined) => {
    const headers = {
      accept: "application/json, application/problem+json",
      ...(await carried(method, path)),
    }
    if (!body) return exchange(`${base}${path}`, { method, headers }, limits)
    const json = { ...headers, "content-type": "application/json" }
    return exchange(`${base}${path}`, { method, headers: json, body: JSON.stringify(body) }, limits)
  }

  return {
    issuer,
    async call(method, path, body, twice = method !== "POST") {
      const attempt = () => send(method, path, body)
      const sent = () => (twice ? attempt().catch(againWhenReset(attempt)) : attempt())
      let answer = await reach(base, sent)
      if (answer.status === 401) {
        tokens.drop()
        answer = await reach(base, sent)
      }
      if (answer.status < 200 || answer.status > 299) throw refusalOf(answer)
      return { status: answer.status, body: readBody(answer) }
    },
    headers: (method, path) => reach(base, () => carried(method, path)),
    serviceToken: () => reach(base, () => tokens.get()),
  }
}

/** The server closed an idle connection while we wrote on it: nothing is wrong with either side. */
const RESET = /\((ECONNRESET|EPIPE|UND_ERR_SOCKET)\)/

/** Tries once more where only the connection was at fault. For what may be done twice. */
export const againWhenReset =
  <T>(attempt: () => Promise<T>) =>
  (cause: unknown): Promise<T> => {
    if (cause instanceof Unreachable && RESET.test(codeOf(cause))) return attempt()
    throw cause
  }

/** Faults of the way there become errors that say where it ended and whether asking again may help. */
export async function reach<T>(base: string, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt()
  } catch (cause) {
    if (cause instanceof NotAuthenticated)
      throw new ClientError(`The issuer did not take this credential: ${cause.message}`, {
        code: "invalid_client",
        status: 401,
        next: "stop",
        cause,
      })
    if (cause instanceof NotNow)
      throw new ClientError(`The issuer at ${base} can't answer now`, {
        code: cause.status === 429 ? "too_many_requests" : "temporarily_unavailable",
        status: cause.status,
        next: "wait",
        retryAfterSeconds: cause.retryAfterSeconds,
        cause,
      })
    if (cause instanceof Unreachable)
      throw new ClientError(`The issuer at ${base} can't be asked: ${cause.message}${codeOf(cause)}`, {
        code: "issuer_unreachable",
        next: "wait",
        cause,
      })
    throw cause
  }
}

/** The network's own word (ECONNREFUSED), which fetch hides a few causes down. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return ""
  if ("code" in error && typeof error.code === "string") return ` (${error.code})`
  return codeOf(error.cause)
}

export function readBody(answer: Answered): unknown {
  if (answer.text === "") return undefined
  const value = parsed(answer.text)
  if (value !== undefined) return value
  throw new ClientError("The issuer's answer is not JSON", {
    code: "answer_invalid",
    status: answer.status,
    next: "wait",
  })
}

const NEXT: readonly Next[] = ["renew", "wait", "ask_approval", "stop"]

/** problem+json (RFC 9457) as the contract has it, or an OAuth error (RFC 6749 section 5.2). */
export function refusalOf({ status, headers, text }: Answered): ClientError {
  const problem = asRecord(parsed(text))
  const title = textOf(problem.title) ?? textOf(problem.error_description)
  return new ClientError(title ?? `The issuer answered ${status}`, {
    code: textOf(problem.code) ?? textOf(problem.error) ?? "answer_invalid",
    status,
    next: NEXT.find((one) => one === problem.next) ?? (status >= 500 || status === 429 ? "wait" : "stop"),
    requestId: textOf(problem.request_id),
    errors: Array.isArray(problem.errors) ? problem.errors.flatMap(readFieldError) : [],
    retryAfterSeconds: readRetryAfter(headers),
  })
}

function readFieldError(value: unknown): FieldError[] {
  const { pointer, expected } = asRecord(value)
  return typeof pointer === "string" && typeof expected === "string" ? [{ pointer, expected }] : []
}

const textOf = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined)

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // whatever it was is no answer of ours; the status says the rest
  }
}

/** The members of a JSON object; none for anything else. */
export const asRecord = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {}
