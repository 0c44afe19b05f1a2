// An OpenID provider that knows nothing of us (oidc-provider, as its package ships it) on loopback, and a browser in which
// somebody signs in there. Ana and lea are leads, whoever else signs in is not.
import { createServer } from "node:http"
import { type Configuration, Provider } from "oidc-provider"
import { foreignSigner } from "./foreign-issuer.ts"

export const CLIENT = "taskmint-cli"
/** The console's, public and confidential; both are sent back to this address. */
export const CONSOLE = {
  clientId: "taskmint-console",
  confidential: "taskmint-console-2",
  secret: "a secret:of the client's",
}
const CONSOLE_CALLBACK = "https://taskmint.internal/console/callback"

export type OpenIdProvider = Awaited<ReturnType<typeof startOpenIdProvider>>

export const startOpenIdProvider = () =>
  startProvider({
    clients: [
      {
        client_id: CLIENT,
        application_type: "native",
        token_endpoint_auth_method: "none",
        redirect_uris: ["http://127.0.0.1/callback"],
      },
      { client_id: CONSOLE.clientId, token_endpoint_auth_method: "none", redirect_uris: [CONSOLE_CALLBACK] },
      { client_id: CONSOLE.confidential, client_secret: CONSOLE.secret, redirect_uris: [CONSOLE_CALLBACK] },
    ],
    ...peopleOf({ ana: "leads", lea: "leads" }),
  })

/** A provider with these settings; it listens first, because its name holds the port. */
export async function startProvider(settings: Configuration) {
  let answer: ReturnType<Provider["callback"]> | undefined
  const server = createServer((request, response) => answer?.(request, response))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const at = server.address()
  const issuer = `http://127.0.0.1:${typeof at === "object" && at ? at.port : 0}`
  const signer = foreignSigner("theirs", "RS256")
  const jwk = { ...signer.key.export({ format: "jwk" }), kid: signer.kid, alg: "RS256", use: "sig" }
  answer = new Provider(issuer, {
    jwks: { keys: [jwk] },
    cookies: { keys: [signer.kid] },
    ...settings,
  }).callback()
  return {
    issuer,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** Whoever signs in is somebody: these, by name, are in a group besides. */
export const peopleOf = (
  groups: Readonly<Record<string, string>>,
): Pick<Configuration, "claims" | "conformIdTokenClaims" | "findAccount"> => ({
  claims: { openid: ["sub"], staff: ["email", "email_verified", "groups"] },
  conformIdTokenClaims: false,
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: async () => ({
      sub: id,
      email: `${id}@example.com`,
      email_verified: true,
      groups: ["everybody", ...(groups[id] === undefined ? [] : [groups[id]])],
    }),
  }),
})

/** As far as it is needed: it follows redirects, keeps cookies and sends the forms it is shown. Answers where it ends up. */
export async function browse(page: string, name: string): Promise<URL> {
  const { origin } = new URL(page)
  const cookies = new Map<string, string>()
  const visit = async (url: string, form?: Record<string, string>) => {
    const cookie = [...cookies].map(([key, value]) => `${key}=${value}`).join("; ")
    const init = { redirect: "manual" as const, headers: { cookie } }
    const answer = await fetch(url, {
      ...init,
      ...(form && { method: "POST", body: new URLSearchParams(form) }),
    })
    for (const set of answer.headers.getSetCookie()) {
      const [pair = ""] = set.split(";")
      cookies.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1))
    }
    return answer
  }
  let answer = await visit(page)
  for (let step = 0; step < 12; step++) {
    const location = answer.headers.get("location")
    const to = location === null ? undefined : new URL(location, origin)
    if (to && to.origin !== origin) return to
    if (to) {
      answer = await visit(to.href)
      continue
    }
    const text = await answer.text()
    const action = /action="([^"]+)"/.exec(text)?.[1] ?? ""
    const prompt = /name="prompt" value="([a-z]+)"/.exec(text)?.[1] ?? ""
    const filled: Record<string, string> = prompt === "login" ? { login: name, password: "x" } : {}
    answer = await visit(new URL(action, origin).href, { prompt, ...filled })
  }
  throw new Error("nobody was signed in")
}
