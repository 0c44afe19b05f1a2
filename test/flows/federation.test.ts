// A foreign OpenID issuer that knows nothing of us (oidc-provider, as its package ships it) names a workload, and the workload
// is a caller here: discovery, keys, a token for us alone, and then the whole way with our own client library.
import { randomBytes } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { serve } from "@hono/node-server"
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose"
import type { Configuration } from "oidc-provider"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createOrchestrator, createSession } from "../../src/client/client.ts"
import { systemClock } from "../../src/time.ts"
import { createVerifier } from "../../src/verifier/verifier.ts"
import { runCli } from "../support/command-line.ts"
import { type House, ISSUER, openHouse, TICKETS } from "../support/issuer-house.ts"
import { startProvider } from "../support/openid-provider.ts"
import { startScripted } from "../support/scripted-server.ts"

const SECRET = randomBytes(16).toString("hex")
let issuer = ""
let address = ""
let house: House
const closing: (() => void)[] = []

const settings: Configuration = {
  clients: [
    {
      client_id: "nightly-job",
      client_secret: SECRET,
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
  ],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, resource) => ({
        scope: "",
        audience: resource,
        accessTokenFormat: "jwt",
        accessTokenTTL: 600,
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
}

/** What the workload gets from its own issuer, for whoever it names. */
async function foreignToken(resource: string): Promise<string> {
  const answer = await fetch(`${issuer}/token`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`nightly-job:${SECRET}`).toString("base64")}` },
    body: new URLSearchParams({ grant_type: "client_credentials", resource }),
  })
  const body: unknown = await answer.json()
  if (typeof body === "object" && body !== null && "access_token" in body) return String(body.access_token)
  throw new Error(`no token: ${JSON.stringify(body)}`)
}

beforeAll(async () => {
  const provider = await startProvider(settings)
  issuer = provider.issuer
  closing.push(provider.close)
  const policy = `version: 1
identity_providers:
  foreign: { issuer: "${issuer}", private_addresses: true }
orchestrators:
  nightly:
    owner: a
    authenticate:
      - workload: { provider: foreign, subject: nightly-job }
agents:
  bucket-bot: { owner: a, authenticate: [{ workload: { provider: foreign, subject: nightly-job } }] }
apis:
  wiki:
    resource: https://wiki.internal.example
    owner: a
    authenticate: [{ workload: { provider: foreign, subject: nightly-job } }]
    operations: { wiki:read: { risk: low } }
  cloud:
    resource: https://sts.amazonaws.com
    owner: a
    foreign: true
    openid: true
    operations: { cloud:assume: { risk: high } }
tasks:
  assume:
    orchestrators: [nightly]
    agents: [bucket-bot]
    deadline: 1h
    grants: [{ api: cloud, operations: [cloud:assume], resources: ["roles/reader"] }]
  look:
    orchestrators: [nightly]
    agents: [triage-bot]
    deadline: 1h
    grants: [{ api: tickets, operations: [tickets:read], resources: ["**"] }]
`
  house = await openHouse({ files: { "nightly.yaml": policy }, clock: systemClock })
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

test("a workload of a foreign OpenID issuer starts a task with the token that its issuer gave it", async () => {
  const assertionFile = join(house.folder, "token")
  writeFileSync(assertionFile, await foreignToken(ISSUER))
  const orchestrator = createOrchestrator({
    issuer: ISSUER,
    issuerAddress: address,
    credential: { clientId: "nightly", assertionFile },
  })
  const task = await orchestrator.start({
    type: "look",
    agent: { id: "triage-bot", instance: "pod-1" },
    purpose: "Look every night",
  })
  expect(task.tokens.map(({ resource }) => resource)).toEqual([TICKETS])
  await task.complete()
  const shown = await orchestrator.show(task.id)
  expect([shown.state, shown.sub]).toEqual(["completed", "nightly"])
})

test("one that its issuer made for somebody else, or a second time, is nobody's", async () => {
  const assertionFile = join(house.folder, "other")
  const nightly = () =>
    createOrchestrator({
      issuer: ISSUER,
      issuerAddress: address,
      credential: { clientId: "nightly", assertionFile },
    }).list()
  writeFileSync(assertionFile, await foreignToken("https://another.example"))
  await expect(nightly()).rejects.toMatchObject({ code: "invalid_client", next: "stop" })
  writeFileSync(assertionFile, await foreignToken(ISSUER))
  await expect(nightly()).resolves.toMatchObject({ next: null })
  await expect(nightly()).rejects.toMatchObject({ code: "invalid_client" })
})

test("an API's guard authenticates by it, too, and its instance is bound to its own key", async () => {
  const assertionFile = join(house.folder, "wiki")
  writeFileSync(assertionFile, await foreignToken(ISSUER))
  const verifier = await createVerifier({
    issuer: ISSUER,
    issuerAddress: address,
    resource: "https://wiki.internal.example",
    credential: { clientId: "wiki", assertionFile },
    spool: join(house.folder, "uses.db"),
  })
  await expect.poll(() => verifier.ready(), { timeout: 10_000 }).toEqual({ ready: true, reasons: [] })
  await verifier.close()
})

test("an agent that its platform names collects the tokens that its orchestrator never saw", async () => {
  const fileWith = async (name: string) => {
    writeFileSync(join(house.folder, name), await foreignToken(ISSUER))
    return join(house.folder, name)
  }
  const orchestrator = createOrchestrator({
    issuer: ISSUER,
    issuerAddress: address,
    credential: { clientId: "nightly", assertionFile: await fileWith("starting") },
  })
  const agent = { id: "bucket-bot", instance: "pod-1" }
  const task = await orchestrator.start({ type: "assume", agent, purpose: "Read a bucket", deliver: "agent" })
  expect(task.tokens).toEqual([])
  const session = await createSession({
    issuer: ISSUER,
    issuerAddress: address,
    task: task.id,
    credential: { clientId: "bucket-bot", assertionFile: await fileWith("collecting") },
  })
  expect(session.tokens.map(({ resource, tokenType }) => [resource, tokenType])).toEqual([
    ["https://sts.amazonaws.com", "DPoP"],
  ])
  await task.cancel()
})

test("the command line authenticates by it", async () => {
  const listening = await scriptedIssuer()
  const assertionFile = join(house.folder, "cli")
  writeFileSync(assertionFile, "aa.bb.cc\n")
  const { code, stderr } = await runCli(["task", "list", "--json"], {
    env: {
      TASKMINT_ISSUER: listening.origin,
      TASKMINT_CLIENT_ID: "nightly",
      TASKMINT_CLIENT_ASSERTION_FILE: assertionFile,
    },
  })
  expect([code, stderr]).toEqual([0, ""])
  const [asked, list] = listening.asked
  expect(new URLSearchParams(asked?.body).get("client_assertion")).toBe("aa.bb.cc")
  expect([asked?.headers.dpop, list?.headers.dpop].every((proof) => typeof proof === "string")).toBe(true)
  expect(list?.headers.authorization).toBe("DPoP bound")
  await listening.close()
})

const scriptedIssuer = () =>
  startScripted(({ path }) =>
    path === "/token"
      ? { body: { access_token: "bound", token_type: "DPoP", expires_in: 300, scope: "orchestrator" } }
      : { body: { tasks: [], next: null } },
  )

test("outwards: whoever trusts OpenID issuers finds our keys, and reads who the task is in sub and aud", async () => {
  const assertionFile = join(house.folder, "outwards")
  writeFileSync(assertionFile, await foreignToken(ISSUER))
  const task = await createOrchestrator({
    issuer: ISSUER,
    issuerAddress: address,
    credential: { clientId: "nightly", assertionFile },
  }).start({ type: "assume", agent: { id: "bucket-bot", instance: "pod-1" }, purpose: "Read a bucket" })
  const discovered = await (await fetch(`${address}/.well-known/openid-configuration`)).json()
  expect(discovered).toMatchObject({
    issuer: ISSUER,
    jwks_uri: `${ISSUER}/.well-known/jwks.json`,
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: expect.arrayContaining(["ES256"]),
    claims_supported: expect.arrayContaining(["iss", "aud", "sub", "iat", "exp"]),
  })
  const published = await fetch(`${address}/.well-known/jwks.json`)
  const keys = createLocalJWKSet((await published.json()) as JSONWebKeySet)
  const [held] = task.handover().tokens
  const { payload } = await jwtVerify(held?.accessToken ?? "", keys, {
    issuer: ISSUER,
    audience: "https://sts.amazonaws.com",
    subject: "assume/bucket-bot",
    algorithms: ["ES256"],
  })
  expect(payload.client_id).toBe("nightly")
  await task.cancel()
})
