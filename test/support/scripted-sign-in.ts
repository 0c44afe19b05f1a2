// A house whose people sign in at a provider that says whatever the test wants: of anybody, in a moment.
import { toEpochSeconds } from "../../src/time.ts"
import type { ConsoleBrowser } from "./console-browser.ts"
import { DISCOVERY, foreignJwt, foreignSigner, startForeignIssuer } from "./foreign-issuer.ts"
import { openHouse } from "./issuer-house.ts"

const SIGNER = foreignSigner("theirs", "RS256")

/** `leads` are approvers and auditors. */
const policyOf = (issuer: string) => `version: 1
identity_providers:
  people: { issuer: "${issuer}", private_addresses: true, audience: taskmint }
staff:
  team-leads: { roles: [approver, auditor], authenticate: [{ openid: { provider: people, claims: { groups: leads } } }] }
`

export type ScriptedSignIn = Awaited<ReturnType<typeof openScriptedSignIn>>

/** `more`: policy files beside those of the house and of its people. */
export async function openScriptedSignIn(more: Readonly<Record<string, string>> = {}) {
  const provider = await startForeignIssuer()
  const { issuer } = provider
  const endpoints = { authorization_endpoint: `${issuer}/page`, token_endpoint: `${issuer}/token` }
  provider.publish(SIGNER)
  provider.answer(DISCOVERY, { issuer, jwks_uri: `${issuer}/keys`, ...endpoints })
  const house = await openHouse({ files: { "people.yaml": policyOf(issuer), ...more }, startAt: Date.now() })
  let tokens = 0
  /** Where the provider sends this person back to, from the page that a sign-in began with. */
  const answerOf = (page: URL, person: object): string => {
    const now = toEpochSeconds(house.clock.now())
    tokens += 1
    const who = { iss: issuer, aud: "taskmint", jti: `${tokens}` }
    const claims = { ...who, iat: now, exp: now + 300, auth_time: now, nonce: page.searchParams.get("nonce") }
    const id_token = foreignJwt(SIGNER, { ...claims, ...person })
    provider.answer("/token", { access_token: "x", token_type: "Bearer", id_token })
    const state = page.searchParams.get("state") ?? ""
    return `/console/callback?${new URLSearchParams({ code: "abc", state })}`
  }
  return {
    provider,
    house,
    answerOf,
    signIn: async (browser: ConsoleBrowser, person: object, query = ""): Promise<Response> =>
      browser.get(answerOf(await browser.start(query), person), "cross-site"),
    /** The provider's clock is the computer's: ours goes on with it. */
    keepUp: () => house.clock.advance(Math.max(0, Date.now() - house.clock.now())),
    async remove() {
      await provider.close()
      await house.remove()
    },
  }
}
