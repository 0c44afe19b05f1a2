// OAuth clients that know nothing of ours, as they are published: they discover the issuer, authenticate with a key,
// exchange tokens, with a proof by the agent's key where the agent does, ask about the token that they got, and end it.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as oauth from "oauth4webapi"
import * as openid from "openid-client"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { buildTown, type Town } from "../support/town.ts"

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
const PLAIN = { [oauth.allowInsecureRequests]: true }
const DISCOVERY: openid.DiscoveryRequestOptions = {
  algorithm: "oauth2",
  execute: [openid.allowInsecureRequests],
}
const ORCHESTRATOR = "support-orchestrator"

let town: Town
beforeAll(async () => {
  town = await buildTown({
    prepare(policies) {
      const file = join(policies, "support.yaml")
      const text = readFileSync(file, "utf8")
      writeFileSync(file, text.replace("    deadline: 2h\n", "    deadline: 2h\n    renew: agent\n"))
    },
  })
})
afterAll(() => town.close())

const start = (instance: string, dpopJkt?: string) =>
  town.orchestrator().start({
    type: "triage-ticket",
    agent: { id: "triage-bot", instance },
    purpose: "a test",
    inputs: { ticket: "SUP-1042" },
    ...(dpopJkt !== undefined && { dpopJkt }),
  })

const signingKey = () =>
  crypto.subtle.importKey(
    "jwk",
    town.privateJwkOf(ORCHESTRATOR),
    { name: "ECDSA", namedCurve: "P-256" },
    false,
    ["sign"],
  )

const subject = (token: string | undefined, resource: string) => ({
  subject_token: token ?? "",
  subject_token_type: ACCESS_TOKEN,
  resource,
})

test("oauth4webapi: an agent discovers, exchanges with DPoP and calls; its orchestrator asks and revokes", async () => {
  const url = new URL(town.issuerUrl)
  const found = await oauth.discoveryRequest(url, { algorithm: "oauth2", ...PLAIN })
  const server = await oauth.processDiscoveryResponse(url, found)
  expect(server.introspection_endpoint_auth_methods_supported).toEqual(["Bearer", "DPoP"])

  const dpop = oauth.DPoP({}, await oauth.generateKeyPair("ES256"))
  const task = await start("pod-1", await dpop.calculateThumbprint())
  const own = task.handover().tokens.find(({ resource }) => resource === town.issuerUrl)
  const agent = { client_id: "triage-bot" }
  const exchanged = await oauth.processGenericTokenEndpointResponse(
    server,
    agent,
    await oauth.genericTokenEndpointRequest(
      server,
      agent,
      oauth.None(),
      EXCHANGE,
      subject(own?.accessToken, town.tickets),
      { DPoP: dpop, ...PLAIN },
    ),
  )
  expect(exchanged).toMatchObject({ token_type: "dpop", issued_token_type: ACCESS_TOKEN, task_id: task.id })
  const token = exchanged.access_token
  const ticket = new URL(`${town.tickets}/tickets/SUP-1042`)
  const read = () =>
    oauth.protectedResourceRequest(token, "GET", ticket, undefined, undefined, { DPoP: dpop, ...PLAIN })
  expect((await read()).status).toBe(200)

  const orchestrator = { client_id: ORCHESTRATOR }
  const byKey = oauth.PrivateKeyJwt(await signingKey())
  const granted = await oauth.processClientCredentialsResponse(
    server,
    orchestrator,
    await oauth.clientCredentialsGrantRequest(server, orchestrator, byKey, {}, PLAIN),
  )
  expect(granted).toMatchObject({ token_type: "bearer", scope: "orchestrator" })
  // RFC 7662 section 2.1: with an access token, as the metadata say.
  const byToken: oauth.ClientAuth = (_server, _client, _body, headers) =>
    headers.set("authorization", `Bearer ${granted.access_token}`)
  const ask = async () =>
    oauth.processIntrospectionResponse(
      server,
      orchestrator,
      await oauth.introspectionRequest(server, orchestrator, byToken, token, PLAIN),
    )
  expect(await ask()).toMatchObject({ active: true, token_type: "DPoP", txn: task.id, aud: town.tickets })
  await oauth.processRevocationResponse(
    await oauth.revocationRequest(server, orchestrator, byToken, token, PLAIN),
  )
  expect(await ask()).toEqual({ active: false })
  await vi.waitFor(() => expect(read()).rejects.toThrow(), 5000)
})

test("openid-client: an orchestrator discovers, exchanges its task's token with its key, asks and revokes", async () => {
  const url = new URL(town.issuerUrl)
  const byKey = openid.PrivateKeyJwt(await signingKey())
  const client = await openid.discovery(url, ORCHESTRATOR, undefined, byKey, DISCOVERY)
  const task = await start("pod-2")
  const [held] = task.handover().tokens
  const exchanged = await openid.genericGrantRequest(client, EXCHANGE, {
    ...subject(held?.accessToken, town.tickets),
    scope: "tickets:read",
  })
  expect(exchanged).toMatchObject({ token_type: "bearer", scope: "tickets:read", task_id: task.id })
  const token = exchanged.access_token
  const ticket = new URL(`${town.tickets}/tickets/SUP-1042`)
  expect((await openid.fetchProtectedResource(client, token, ticket, "GET")).status).toBe(200)

  const granted = await openid.clientCredentialsGrant(client)
  const byToken: openid.ClientAuth = (_server, _client, _body, headers) =>
    headers.set("authorization", `Bearer ${granted.access_token}`)
  const asking = await openid.discovery(url, ORCHESTRATOR, undefined, byToken, DISCOVERY)
  expect(await openid.tokenIntrospection(asking, token)).toMatchObject({ active: true, txn: task.id })
  await openid.tokenRevocation(asking, token)
  expect(await openid.tokenIntrospection(asking, token)).toEqual({ active: false })
})

test("openid-client: an agent exchanges its own token with DPoP", async () => {
  const client = await openid.discovery(
    new URL(town.issuerUrl),
    "triage-bot",
    undefined,
    openid.None(),
    DISCOVERY,
  )
  const dpop = openid.getDPoPHandle(client, await openid.randomDPoPKeyPair("ES256"))
  const task = await start("pod-3", await dpop.calculateThumbprint())
  const own = task.handover().tokens.find(({ resource }) => resource === town.issuerUrl)
  const wanted = subject(own?.accessToken, town.tickets)
  const exchanged = await openid.genericGrantRequest(client, EXCHANGE, wanted, { DPoP: dpop })
  const ticket = new URL(`${town.tickets}/tickets/SUP-1042`)
  const read = await openid.fetchProtectedResource(
    client,
    exchanged.access_token,
    ticket,
    "GET",
    undefined,
    undefined,
    { DPoP: dpop },
  )
  expect(read.status).toBe(200)
})
