// A person signs in through their browser (authorization code with PKCE, RFC 8252) and gets the ID token that the issuer
// asks for. openid-client decides whether the provider's answer is the one that was asked for; whether the issuer takes it is
// the issuer's. The token is in memory alone, and never printed.
import * as client from "openid-client"
import { readServiceUrl } from "../client/address.ts"
import { awaitBrowser, openPage } from "./browser.ts"
import { answerIsNo, cannotTell, Stop } from "./exit.ts"
import type { Terminal } from "./terminal.ts"

/** The issuer wants a sign-in of the last 15 minutes, and its token lives for five of them. */
const MAX_AGE_SECONDS = 600
const PATIENCE_MILLISECONDS = 300_000

export interface SignInOptions {
  /** The OpenID provider's `issuer`. */
  readonly provider: string
  /** What the provider knows taskmint's command line by: a public client. */
  readonly clientId: string
  /** Whether to try to open a browser; the URL is printed anyway. */
  readonly browser: boolean
  readonly plainHttp?: boolean
  readonly scope?: string
  readonly patienceMilliseconds?: number
}

/** Asks the person who they are; answers the ID token. Stop: 1 the provider's no, 3 it is away or nobody came. */
export async function signIn(options: SignInOptions, terminal: Pick<Terminal, "note">): Promise<string> {
  const url = readServiceUrl(options.provider, "--sign-in-issuer", options.plainHttp ?? false)
  const execute = url.protocol === "http:" ? [client.allowInsecureRequests] : []
  const found = client.discovery(url, options.clientId, undefined, client.None(), { execute, timeout: 10 })
  const provider = await found.catch((error: unknown) => {
    throw cannotTell(`The provider at ${url.href} can't be asked (${tagOf(error)})`, "Try again in a minute")
  })
  const [state, nonce] = [client.randomState(), client.randomNonce()]
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const back = await awaitBrowser(state, options.patienceMilliseconds ?? PATIENCE_MILLISECONDS)
  try {
    const page = client.buildAuthorizationUrl(provider, {
      redirect_uri: back.redirectUri,
      scope: options.scope ?? "openid",
      state,
      nonce,
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: "S256",
      max_age: String(MAX_AGE_SECONDS),
    })
    terminal.note(`Sign in here, on this computer:\n${page.href}`)
    if (options.browser) openPage(page.href)
    const arrived = await back.arrival()
    if (!arrived) throw cannotTell("Nobody signed in in time", "Run the command again")
    const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier, maxAge: MAX_AGE_SECONDS }
    const answer = await client.authorizationCodeGrant(provider, arrived, {
      ...checks,
      idTokenExpected: true,
    })
    if (answer.id_token === undefined) throw answerIsNo("The provider answered no ID token")
    return answer.id_token
  } catch (error) {
    throw error instanceof Stop ? error : endOfSignIn(error)
  } finally {
    await back.close()
  }
}

/** What was asked for and did not come is a no; a provider that is away, or says so, is none. */
function endOfSignIn(error: unknown): Stop {
  const tag = tagOf(error)
  const isAway =
    /^(OAUTH_TIMEOUT|fetch failed|server_error|temporarily_unavailable)$/.test(tag) || statusOf(error) >= 500
  if (isAway) return cannotTell(`The provider can't be asked (${tag})`, "Try again in a minute")
  return answerIsNo(`The sign-in is not taken (${tag})`, "Sign in again, as a person whom the policy names")
}

/** A code of the standard or of openid-client; never what a provider wrote, nor a token. */
function tagOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown"
  const codes = ["error" in error && error.error, "code" in error && error.code, error.message]
  return (
    codes.filter((one) => typeof one === "string").find((one) => /^[A-Za-z_ ]{1,64}$/.test(one)) ?? error.name
  )
}

function statusOf(error: unknown): number {
  if (!(error instanceof Error)) return 0
  if ("status" in error && typeof error.status === "number") return error.status
  return error.cause instanceof Response ? error.cause.status : 0
}
