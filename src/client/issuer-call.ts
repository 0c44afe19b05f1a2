// One authenticated call to the issuer's own HTTP surface. It decides what an answer means as an error; what is in a
// good answer is left to those who asked.

import type { FieldError, Next } from "../errors.ts"
import { createServiceTokens } from "../remote/service-token.ts"
import type { Clock } from "../time.ts"
import { readServiceUrl } from "./address.ts"
import { ClientError } from "./error.ts"

/** A caller's name in the policy and its private key: the JWK itself, or a file that holds it (mode 0600). */
export type Credential =
  | { readonly clientId: string; readonly privateJwk: object }
  | { readonly clientId: string; readonly privateJwkFile: string }

export interface IssuerOptions {
  readonly issuer: string
  readonly issuerAddress?: string
  readonly credential: Credential
  readonly timeoutMilliseconds?: number
}

export interface Answer {
  readonly status: number
  readonly body: unknown
}

/** Calls the issuer as one caller. Throws ClientError for every answer that is not 2xx, and for none. */
export interface IssuerCalls {
  call(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<Answer>
}

const MAX_ANSWER_BYTES = 8 * 1024 * 1024

/** Checks the options (TypeError on misuse); sends nothing. */
export function openIssuer(options: IssuerOptions, clock: Clock): IssuerCalls {
  readServiceUrl(options.issuer, "issuer")
  const base = readServiceUrl(options.issuerAddress ?? options.issuer, "issuerAddress").href.replace(
    /\/$/,
    "",
  )
  const { issuer, credential, timeoutMilliseconds = 10_000 } = options
  const tokens = createServiceTokens({ issuer, issuerAddress: base, credential, clock })

  const send = async (method: string, url: string, body: object | undefined) =>
    fetch(url, {
      method,
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMilliseconds),
      headers: {
        accept: "application/json, application/problem+json",
        ...(body && { "content-type": "application/json" }),
        ...(await tokens.headers(method, url)),
      },
      ...(body && { body: JSON.stringify(body) }),
    })

  return {
    async call(method, path, body) {
      const url = `${base}${path}`
      const response = await reach(base, () => send(method, url, body))
      const text = await reach(base, () => readText(response))
      if (!response.ok) throw refusalOf(response, text)
      return { status: response.status, body: readBody(text, response) }
    },
  }
}

/** A fault of the network becomes an error that says which address did not answer, and that asking again may help. */
async function reach<T>(base: string, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt()
  } catch (cause) {
    if (cause instanceof ClientError) throw cause
    throw new ClientError(`The issuer at ${base} can't be reached (${causeOf(cause)})`, {
      code: "issuer_unreachable",
      next: "wait",
      cause,
    })
  }
}

/** The innermost word about what went wrong: fetch hides ECONNREFUSED two causes down. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown cause"
  const inner = error.cause instanceof Error ? error.cause : error
  if ("code" in inner && typeof inner.code === "string") return inner.code
  return error.name === "TimeoutError" ? "no answer in time" : inner.message
}

async function readText(response: Response): Promise<string> {
  const declared = Number(response.headers.get("content-length") ?? 0)
  if (declared > MAX_ANSWER_BYTES) {
    await response.body?.cancel()
    throw unreadable(response, `${declared} bytes`)
  }
  return response.text()
}

function readBody(text: string, response: Response): unknown {
  if (text === "") return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw unreadable(response, "not JSON")
  }
}

const unreadable = (response: Response, what: string) =>
  new ClientError(`The issuer's answer can't be read: ${what}`, {
    code: "answer_invalid",
    status: response.status,
    next: "wait",
  })

const NEXT: readonly Next[] = ["renew", "wait", "ask_approval", "stop"]

/** problem+json (RFC 9457) as the contract has it, or an OAuth error (RFC 6749 section 5.2). */
function refusalOf(response: Response, text: string): ClientError {
  const problem = asRecord(parsed(text))
  const code = textOf(problem.code) ?? textOf(problem.error)
  const title = textOf(problem.title) ?? textOf(problem.error_description)
  const next = NEXT.find((one) => one === problem.next) ?? (response.status >= 500 ? "wait" : "stop")
  return new ClientError(title ?? `The issuer answered ${response.status}`, {
    code: code ?? "answer_invalid",
    status: response.status,
    next,
    requestId: textOf(problem.request_id) ?? response.headers.get("x-request-id") ?? undefined,
    errors: Array.isArray(problem.errors) ? problem.errors.flatMap(fieldError) : [],
    retryAfterSeconds: seconds(response.headers.get("retry-after")),
  })
}

function fieldError(value: unknown): FieldError[] {
  const { pointer, expected } = asRecord(value)
  return typeof pointer === "string" && typeof expected === "string" ? [{ pointer, expected }] : []
}

const seconds = (text: string | null) => (text && /^\d{1,5}$/.test(text) ? Number(text) : undefined)

const textOf = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined)

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The members of a JSON object; none for anything else. */
export const asRecord = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {}
