// Calls to the issuer with our service token: one renewal when it would not have the token, and its answer as it came. It
// decides nothing about what an answer means, save that 5xx and 429 are no answer.
import { type Answered, exchange, type Limits, Unreachable } from "./exchange.ts"
import type { ServiceTokens } from "./service-token.ts"
import { openStream, type StreamLimits } from "./stream.ts"

export interface IssuerCall {
  readonly method: "GET" | "POST"
  /** Path below the issuer, query included. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array<ArrayBuffer>
}

/** Answers any status below 500 but 429. Throws Unreachable for the rest, NotAuthenticated when no token is to be had. */
export type IssuerCalls = (call: IssuerCall, limits: Limits) => Promise<Answered>

/** The same, and a 200 as it comes. */
export type IssuerStreams = (call: IssuerCall, limits: StreamLimits) => ReturnType<typeof openStream>

/** `issuer` is the name that proofs carry, `issuerAddress` where it is reached. */
export const createIssuerCalls = (
  issuer: string,
  issuerAddress: string,
  tokens: ServiceTokens,
): IssuerCalls => askWith(issuer, issuerAddress, tokens, exchange)

export const createIssuerStreams = (
  issuer: string,
  issuerAddress: string,
  tokens: ServiceTokens,
): IssuerStreams => askWith(issuer, issuerAddress, tokens, openStream)

/** Of a problem (RFC 9457); undefined where the answer is none. */
function codeIn({ text }: { readonly text?: unknown }): string | undefined {
  try {
    const { code }: { code?: unknown } = Object(JSON.parse(String(text)))
    return typeof code === "string" ? code : undefined
  } catch {
    return undefined // a proxy's page, say
  }
}

function askWith<L, A extends { readonly status: number; readonly text?: unknown }>(
  issuer: string,
  issuerAddress: string,
  tokens: ServiceTokens,
  ask: (address: string, init: RequestInit, limits: L) => Promise<A>,
): (call: IssuerCall, limits: L) => Promise<A> {
  const base = (text: string) => text.replace(/\/$/, "")
  const send = async ({ method, path, headers = {}, body }: IssuerCall, limits: L) => {
    const url = `${base(issuer)}${path.split("?", 1)[0]}`
    const all = { accept: "application/json", ...headers, ...(await tokens.headers(method, url)) }
    const init = body === undefined ? { method, headers: all } : { method, headers: all, body }
    return ask(`${base(issuerAddress)}${path}`, init, limits)
  }
  return async (call, limits) => {
    let answer = await send(call, limits)
    if (answer.status === 401) {
      tokens.drop()
      answer = await send(call, limits)
    }
    if (answer.status >= 500 || answer.status === 429)
      throw new Unreachable(`the issuer answered ${answer.status} at ${call.path.split("?", 1)[0]}`, {
        code: codeIn(answer),
      })
    return answer
  }
}
