// A house of users in which people of staff sign in, with the key that their service tokens are bound to.
import { toEpochSeconds } from "../../src/time.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { type ForeignSigner, startForeignIssuer } from "./foreign-issuer.ts"
import { ASSERTION_TYPE, ISSUER } from "./issuer-house.ts"
import { openUsers } from "./users.ts"

export const STAFF = `version: 1
identity_providers:
  away: { issuer: "AWAY", private_addresses: true, audience: taskmint }
users:
  owners: { provider: people, claims: { groups: owners } }
staff:
  leaders: { roles: [approver], authenticate: [{ openid: { provider: people, claims: { groups: leads } } }] }
  watchers:
    roles: [auditor, operator]
    authenticate:
      - { openid: { provider: people, claims: { groups: security } } }
      - { openid: { provider: away, claims: { groups: security } } }
tasks:
  close-for-user:
    orchestrators: [support-orchestrator]
    agents: [triage-bot]
    on_behalf_of: [owners]
    deadline: 4h
    grants:
      - { api: tickets, operations: [tickets:close], resources: ["tickets/*"], approval: { by: [leaders], valid: 1h } }
`
export const KEY = importSigningKey(generatePrivateJwk("ES256"))
export const LEA = { email: "lea@example.com", groups: ["everybody", "leads"] }

export type SignIns = Awaited<ReturnType<typeof openSignIns>>

export async function openSignIns() {
  const gone = await startForeignIssuer()
  await gone.close()
  const away = gone.issuer
  const users = await openUsers({ "sign-in.yaml": STAFF.replace("AWAY", away) })
  const now = () => toEpochSeconds(users.house.clock.now())
  const idToken = (
    changes: object = {},
    header: Readonly<Record<string, unknown>> = {},
    signer?: ForeignSigner,
  ) => users.token({ auth_time: now() - 60, ...LEA, ...changes }, header, signer)
  const proofFor = (method: string, url: string, accessToken?: string) =>
    signProof({ method, url, now: now(), ...(accessToken !== undefined && { accessToken }) }, KEY)
  async function present(client_assertion: string, client_id = "leaders", bound = true) {
    const answer = await users.house.form(
      {
        grant_type: "client_credentials",
        client_id,
        client_assertion_type: ASSERTION_TYPE,
        client_assertion,
      },
      bound ? { dpop: proofFor("POST", `${ISSUER}/token`) } : {},
    )
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }
  async function signIn(changes: object = {}, clientId = "leaders"): Promise<string> {
    const { status, body } = await present(idToken(changes), clientId)
    if (status !== 200) throw new Error(`signing in was answered ${status}`)
    return String(body.access_token)
  }
  const askAs = (token: string, method: string, path: string, json?: object) =>
    users.house.ask(method, path, {
      ...(json && { json }),
      headers: {
        authorization: `DPoP ${token}`,
        dpop: proofFor(method, `${ISSUER}${path.split("?")[0]}`, token),
      },
    })
  /** `away`: an issuer that nobody reaches. */
  return { users, away, now, idToken, present, signIn, askAs }
}
