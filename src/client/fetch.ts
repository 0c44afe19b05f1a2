// A fetch that attaches to a request the token of the API that the URL belongs to, and to nothing else. It decides which
// token, by the longest resource that covers the URL; what the token may do there is the API's decision.
import { ClientError } from "./error.ts"
import type { TaskTokenHeld } from "./held-token.ts"

export type TaskFetch = (url: string | URL, init?: RequestInit) => Promise<Response>

/** The headers that carry a token to one request: `authorization`, and `dpop` when it is bound to a key (RFC 9449). */
export type TokenHeaders = (
  held: TaskTokenHeld,
  method: string,
  url: URL,
) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>

/**
 * The token whose resource covers the URL: the same origin, and the resource's path or below it; the longest wins.
 * Undefined where none does.
 */
export function tokenFor(tokens: readonly TaskTokenHeld[], url: URL): TaskTokenHeld | undefined {
  const fitting = tokens.filter((held) => covers(new URL(held.resource), url))
  return fitting.sort((a, b) => b.resource.length - a.resource.length)[0]
}

function covers(resource: URL, url: URL): boolean {
  const folder = resource.pathname.replace(/\/$/, "")
  return resource.origin === url.origin && (url.pathname === folder || url.pathname.startsWith(`${folder}/`))
}

/** Why a URL gets no token: said with the APIs that would, and without the URL's query. */
export const notGranted = (tokens: readonly TaskTokenHeld[], url: URL): ClientError =>
  new ClientError(
    `This task holds no token for ${url.origin}${url.pathname}; it holds tokens for ${
      tokens.map((held) => held.resource).join(", ") || "no API"
    }`,
    { code: "url_not_granted", next: "stop" },
  )

/**
 * Reads the URL of a request that will carry a token. TypeError for anything but an absolute http(s) URL without
 * user and password, and when the caller brings credentials of its own.
 */
export function readTarget(url: string | URL, init: RequestInit | undefined): URL {
  const text = String(url)
  if (!URL.canParse(text)) throw new TypeError("The URL must be absolute")
  const target = new URL(text)
  if (target.username || target.password) throw new TypeError("The URL must not hold a user or a password")
  const headers = new Headers(init?.headers)
  if (headers.has("authorization") || headers.has("dpop"))
    throw new TypeError("The task's token is the credential; leave out authorization and dpop")
  return target
}

/**
 * Sends one request with its token. A redirect is never followed, whatever `init.redirect` says but "error": the
 * answer with its Location is returned, for the token is no business of the place it names.
 */
export async function sendWithToken(
  held: TaskTokenHeld,
  target: URL,
  init: RequestInit | undefined,
  headersOf: TokenHeaders,
): Promise<Response> {
  return send(target, init, await headersOf(held, init?.method?.toUpperCase() ?? "GET", target))
}

/** The same with headers that were made before. */
export function send(
  target: URL,
  init: RequestInit | undefined,
  carried: Readonly<Record<string, string>>,
): Promise<Response> {
  const headers = new Headers(init?.headers)
  for (const [name, value] of Object.entries(carried)) headers.set(name, value)
  const redirect = init?.redirect === "error" ? "error" : "manual"
  return fetch(target, { ...init, headers, redirect })
}

/** Authorization for a token that anyone who holds it may use (RFC 6750). */
export const bearer: TokenHeaders = (held) => ({ authorization: `Bearer ${held.token.reveal()}` })
