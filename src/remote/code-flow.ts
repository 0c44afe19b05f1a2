// Signing in at an OpenID provider with the authorization code flow (OpenID Connect Core 1.0 section 3.1), always with PKCE
// (RFC 7636), state and nonce, by openid-client; its requests keep the rules of outward.ts. It decides whether the provider's
// answer is the one that was asked for. Whether the ID token is genuine and whom it lets in is decided by whoever gets it:
// here its signature is NOT checked.
import * as client from "openid-client"
import type { Clock } from "../time.ts"
import { Unreachable } from "./exchange.ts"
import { converse, NotAllowed, type Outward, urlFault } from "./outward.ts"

export interface CodeFlowOptions {
  /** The provider's `issuer`. */
  readonly issuer: string
  readonly clientId: string
  /** Of a confidential client; absent: a public one. */
  readonly clientSecret?: string | undefined
  /** Where the provider sends people back to, byte for byte as it was registered. */
  readonly redirectUri: string
  /** Space-separated, with `openid`. */
  readonly scope: string
  readonly outward: Outward
  readonly clock: Clock
}

/** What makes a sign-in this one and no other; known to the browser that began it. */
export interface SignInSecrets {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
}

/** The provider said no, or what came back is not what was asked for; `tag` is a code, never the provider's words. */
export class NotTaken {
  readonly tag: string

  constructor(tag: string) {
    this.tag = tag
  }
}

export interface CodeFlow {
  /** The provider's page, where a person shows who they are now unless they did within `maxAgeSeconds`. Throws Unreachable. */
  begin(secrets: SignInSecrets, maxAgeSeconds: number): Promise<string>
  /** The ID token, for what the provider sent back in the query of the redirect URI. Throws Unreachable. */
  finish(query: string, secrets: SignInSecrets): Promise<string | NotTaken>
}

/** Behind this, where a provider's endpoints are is found out again. */
const KNOWN_MILLISECONDS = 300_000
const MAX_URL = 2048

export function createCodeFlow(options: CodeFlowOptions): CodeFlow {
  const { redirectUri, scope, clock } = options
  let known: { readonly at: number; readonly found: Promise<client.Configuration> } | undefined
  const provider = (): Promise<client.Configuration> => {
    const now = clock.monotonic()
    if (known && now - known.at < KNOWN_MILLISECONDS) return known.found
    const asked = { at: now, found: discover(options) }
    known = asked
    asked.found.catch(() => {
      if (known === asked) known = undefined
    })
    return asked.found
  }
  return {
    async begin({ state, nonce, verifier }, maxAgeSeconds) {
      const asked = client.buildAuthorizationUrl(await provider(), {
        redirect_uri: redirectUri,
        scope,
        state,
        nonce,
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: "S256",
        max_age: String(maxAgeSeconds),
      })
      return asked.href
    },
    async finish(query, { state, nonce, verifier }) {
      const at = await provider()
      const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier }
      try {
        const arrived = new URL(`${redirectUri}?${query}`)
        const answer = await client.authorizationCodeGrant(at, arrived, { ...checks, idTokenExpected: true })
        return answer.id_token ?? new NotTaken("no_id_token")
      } catch (error) {
        return judge(error, options)
      }
    },
  }
}

async function discover(options: CodeFlowOptions): Promise<client.Configuration> {
  const { issuer, clientId, clientSecret, outward } = options
  const url = new URL(issuer)
  const authentication = clientSecret === undefined ? client.None() : bySecret(clientSecret)
  try {
    const found = await client.discovery(url, clientId, undefined, authentication, {
      [client.customFetch]: (address, asked) => fetchOutward(address, asked, outward),
      execute: url.protocol === "http:" ? [client.allowInsecureRequests] : [],
    })
    const { authorization_endpoint: page = "" } = found.serverMetadata()
    const wrong = page.length <= MAX_URL && URL.canParse(page) ? urlFault(new URL(page), outward) : "no page"
    if (wrong !== undefined) throw new NotAllowed(`${url.host} does not say where people sign in: ${wrong}`)
    return found
  } catch (error) {
    throw unreachable(error) ?? new NotAllowed(`${url.host} is no OpenID provider that can be used`)
  }
}

/** As OpenID Connect has it where a provider says nothing: in the header; in the form where that is all it takes. */
function bySecret(secret: string): client.ClientAuth {
  const [inHeader, inForm] = [client.ClientSecretBasic(secret), client.ClientSecretPost(secret)]
  return (server, ...rest) => {
    const taken = server.token_endpoint_auth_methods_supported ?? ["client_secret_basic"]
    return (taken.includes("client_secret_basic") ? inHeader : inForm)(server, ...rest)
  }
}

async function fetchOutward(
  address: string,
  { method, headers, body, signal }: client.CustomFetchOptions,
  outward: Outward,
): Promise<Response> {
  const text = body instanceof URLSearchParams ? body.toString() : undefined
  if ((method !== "GET" && method !== "POST") || (body !== undefined && body !== null && text === undefined))
    throw new TypeError("nothing else is asked for")
  const sent = text === undefined ? undefined : Buffer.from(text, "utf8")
  const said = await converse(address, outward, {
    method,
    headers: { ...headers, ...(sent && { "content-length": sent.length }) },
    ...(sent && { body: sent }),
    ...(signal && { signal }),
  })
  const isEmpty = said.status === 204 || said.status === 304
  return new Response(isEmpty ? null : said.text, {
    status: said.status,
    headers: { "content-type": said.type },
  })
}

/** What was asked for and did not come is a no; a provider that is away, or says so, is none. */
function judge(error: unknown, { issuer }: CodeFlowOptions): NotTaken {
  const away = unreachable(error)
  if (away) throw away
  const tag = tagOf(error)
  if (/^(server_error|temporarily_unavailable)$/.test(tag) || statusOf(error) >= 500)
    throw new Unreachable(`${new URL(issuer).host} can't say now (${tag})`)
  return new NotTaken(tag)
}

function unreachable(error: unknown): Unreachable | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof Unreachable) return at
  return undefined
}

/** A code of the standard or of openid-client; never what a provider wrote, nor a token. */
function tagOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown"
  const codes = ["error" in error && error.error, "code" in error && error.code]
  return (
    codes.filter((one) => typeof one === "string").find((one) => /^[A-Za-z_]{1,64}$/.test(one)) ?? error.name
  )
}

function statusOf(error: unknown): number {
  if (!(error instanceof Error)) return 0
  if ("status" in error && typeof error.status === "number") return error.status
  return error.cause instanceof Response ? error.cause.status : 0
}
