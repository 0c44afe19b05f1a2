// A house whose tasks may run for users: of a foreign issuer on loopback whose key stands in the policy. What its tokens say
// is up to the test.
import { toEpochSeconds } from "../../src/time.ts"
import { foreignJwt, foreignSigner } from "./foreign-issuer.ts"
import { type CallerName, type House, openHouse } from "./issuer-house.ts"

export const PEOPLE = "https://login.example.com"
const SIGNER = foreignSigner("people", "ES256")
const JWKS = JSON.stringify({ keys: [SIGNER.jwk] })

/** As YAML. */
export const PEOPLE_PROVIDER = `{ issuer: "${PEOPLE}", jwks: ${JWKS}, audience: taskmint, name_claim: email }`

/** `leads` may close tickets, `support` may not; nobody may who is in neither. */
export const USER_POLICY = `version: 1
identity_providers:
  people: ${PEOPLE_PROVIDER}
users:
  leads: { provider: people, claims: { groups: leads } }
  support-staff: { provider: people, claims: { groups: support }, at_most: [tickets:read, tickets:comment] }
tasks:
  triage-for-user:
    orchestrators: [support-orchestrator]
    agents: [triage-bot]
    on_behalf_of: [leads, support-staff]
    deadline: 2d
    inputs: { ticket: { pattern: "[A-Z]{2,5}-[0-9]{1,9}" } }
    grants:
      - { api: tickets, operations: [tickets:read, tickets:close], resources: ["tickets/{ticket}"] }
  always-for-user:
    orchestrators: [support-orchestrator, release-orchestrator]
    agents: [triage-bot]
    on_behalf_of: { users: [support-staff], required: true }
    deadline: 1h
    grants: [{ api: tickets, operations: [tickets:read], resources: ["tickets/*"] }]
`

const FOR_USER = {
  type: "triage-for-user",
  agent: { id: "triage-bot", instance: "pod-1" },
  purpose: "Triage the ticket",
  inputs: { ticket: "SUP-1042" },
}

export type Users = Awaited<ReturnType<typeof openUsers>>

export async function openUsers(files: Readonly<Record<string, string>> = {}) {
  const house: House = await openHouse({ files: { "users.yaml": USER_POLICY, ...files } })
  let made = 0
  /** The ID token of ana, who is in support. */
  const token = (changes: object = {}, header: Readonly<Record<string, unknown>> = {}, signer = SIGNER) => {
    const now = toEpochSeconds(house.clock.now())
    made += 1
    const claims = {
      iss: PEOPLE,
      aud: "taskmint",
      sub: "248289",
      jti: `id-${made}`,
      iat: now,
      exp: now + 600,
    }
    const person = { email: "ana@example.com", email_verified: true, groups: ["support"] }
    return foreignJwt(signer, { ...claims, ...person, ...changes }, header)
  }
  const start = (changes: object = {}, as: CallerName = "support-orchestrator") =>
    house.ask("POST", "/tasks", { as, json: { ...FOR_USER, ...changes } })
  return {
    house,
    token,
    start,
    /** With a token of ana's: changes of it, then of the request. */
    startFor: (claims: object = {}, changes: object = {}) =>
      start({ subject_token: token(claims), ...changes }),
    entries: async (query: string) =>
      (await house.ask("GET", `/ledger/entries?${query}`, { as: "audit-team" })).body.entries as Record<
        string,
        unknown
      >[],
  }
}
