// A foreign OpenID issuer that knows nothing of us (oidc-provider, as its package ships it) signs a person in, by its own
// pages, and the ID token that its client gets starts a task on that person's behalf, with our own client library.
import { createHash, randomBytes } from "node:crypto"
import { serve } from "@hono/node-server"
import type { Configuration } from "oidc-provider"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createOrchestrator } from "../../src/client/client.ts"
import { systemClock } from "../../src/time.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { type House, ISSUER, openHouse, TICKETS } from "../support/issuer-house.ts"
import { browse, peopleOf, startProvider } from "../support/openid-provider.ts"

const SECRET = randomBytes(16).toString("hex")
const PRIVATE = generatePrivateJwk("ES256")
const KEY = importSigningKey(PRIVATE)
const BACK = "https://helpdesk.example/callback"
let issuer = ""
let address = ""
let house: House
const closing: (() => void)[] = []

const settings: Configuration = {
  clients: [{ client_id: "helpdesk", client_secret: SECRET, redirect_uris: [BACK] }],
  ...peopleOf({ ana: "support" }),
}

/** The ID token that the helpdesk gets of somebody who signs in. */
async function signIn(name: string): Promise<string> {
  const verifier = randomBytes(32).toString("base64url")
  const asked = new URLSearchParams({
    client_id: "helpdesk",
    response_type: "code",
    redirect_uri: BACK,
    scope: "openid staff",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  })
  const back = await browse(`${issuer}/auth?${asked}`, name)
  return redeem(back.searchParams.get("code") ?? "", verifier)
}

async function redeem(code: string, code_verifier: string): Promise<string> {
  const answer = await fetch(`${issuer}/token`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`helpdesk:${SECRET}`).toString("base64")}` },
    body: new URLSearchParams({ grant_type: "authorization_code", code, redirect_uri: BACK, code_verifier }),
  })
  const body: unknown = await answer.json()
  if (typeof body === "object" && body !== null && "id_token" in body) return String(body.id_token)
  throw new Error(`no ID token: ${JSON.stringify(body)}`)
}

beforeAll(async () => {
  const provider = await startProvider(settings)
  issuer = provider.issuer
  closing.push(provider.close)
  const policy = `version: 1
identity_providers:
  people: { issuer: "${issuer}", private_addresses: true, audience: helpdesk, name_claim: email }
orchestrators:
  helpdesk: { owner: a, authenticate: [{ private_key_jwt: { jwks: ${JSON.stringify({ keys: [KEY.publicJwk] })} } }] }
users:
  support-staff: { provider: people, claims: { groups: support }, at_most: [tickets:read] }
tasks:
  help:
    orchestrators: [helpdesk]
    agents: [triage-bot]
    on_behalf_of: { users: [support-staff], required: true }
    deadline: 1h
    grants: [{ api: tickets, operations: [tickets:read, tickets:close], resources: ["**"] }]
`
  house = await openHouse({ files: { "people.yaml": policy }, clock: systemClock })
  const server = serve({ fetch: house.issuer.fetch, port: 0, hostname: "127.0.0.1" })
  await new Promise<void>((resolve) => server.once("listening", resolve))
  const at = server.address()
  address = `http://127.0.0.1:${typeof at === "object" && at ? at.port : 0}`
  closing.push(() => server.close())
})
afterAll(async () => {
  for (const close of closing) close()
  await house.remove()
})

const orchestrator = () =>
  createOrchestrator({
    issuer: ISSUER,
    issuerAddress: address,
    credential: { clientId: "helpdesk", privateJwk: PRIVATE },
  })
const help = { type: "help", agent: { id: "triage-bot", instance: "pod-1" }, purpose: "Help with the inbox" }

test("a person signs in at a foreign OpenID issuer, and an agent works for them within what they may", async () => {
  const subjectToken = await signIn("ana")
  const task = await orchestrator().start({ ...help, subjectToken })
  expect(task.tokens.map(({ resource, scope }) => [resource, scope])).toEqual([[TICKETS, ["tickets:read"]]])
  const shown = await orchestrator().show(task.id)
  expect([shown.sub, shown.orchestrator]).toEqual(["people/ana@example.com", "helpdesk"])
  expect(JSON.stringify(shown)).not.toContain(subjectToken.slice(-40))
  await expect(orchestrator().start({ ...help, subjectToken })).rejects.toMatchObject({
    code: "user_token_invalid",
    next: "stop",
  })
  await task.complete()
})

test("somebody else who signs in there is let in by no rule", async () => {
  const subjectToken = await signIn("eve")
  await expect(orchestrator().start({ ...help, subjectToken })).rejects.toMatchObject({
    code: "access_denied",
  })
})
