// The code flow with a provider that answers anything: what of it is a no, what could not be told, and that nothing is asked
// at an address that may not be.
import type { ServerResponse } from "node:http"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { type CodeFlow, createCodeFlow, NotTaken } from "../../src/remote/code-flow.ts"
import { Unreachable } from "../../src/remote/exchange.ts"
import { toEpochSeconds } from "../../src/time.ts"
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts"
import {
  DISCOVERY,
  type ForeignIssuer,
  foreignJwt,
  foreignSigner,
  startForeignIssuer,
} from "../support/foreign-issuer.ts"

const SIGNER = foreignSigner("theirs", "RS256")
const SECRETS = { state: "s".repeat(43), nonce: "n".repeat(43), verifier: "v".repeat(43) }
const ANSWER = `state=${SECRETS.state}&code=abc`

let provider: ForeignIssuer
let flow: CodeFlow
let clock: FakeClock
beforeAll(async () => {
  provider = await startForeignIssuer()
})
afterAll(() => provider.close())
beforeEach(() => {
  provider.cut(false)
  provider.asked.length = 0
  provider.answer(DISCOVERY, documentOf())
  provider.answer("/token", tokenOf())
  clock = createFakeClock()
  flow = createCodeFlow(options())
})

const options = () => ({
  issuer: provider.issuer,
  clientId: "taskmint",
  redirectUri: "https://taskmint.internal/console/callback",
  scope: "openid",
  outward: { privateAddresses: true },
  clock,
})

const documentOf = (changes: object = {}) => ({
  issuer: provider.issuer,
  authorization_endpoint: `${provider.issuer}/authorize`,
  token_endpoint: `${provider.issuer}/token`,
  jwks_uri: `${provider.issuer}/keys`,
  ...changes,
})
const tokenOf = (claims: object = {}, header: Readonly<Record<string, unknown>> = {}) => {
  const now = toEpochSeconds(Date.now())
  const person = {
    iss: provider.issuer,
    aud: "taskmint",
    sub: "1",
    iat: now,
    exp: now + 300,
    nonce: SECRETS.nonce,
  }
  return {
    access_token: "x",
    token_type: "Bearer",
    id_token: foreignJwt(SIGNER, { ...person, ...claims }, header),
  }
}

test("a code is exchanged once for an ID token, whose signature is for others to check", async () => {
  const page = new URL(await flow.begin(SECRETS, 600))
  expect([page.origin, page.searchParams.get("max_age")]).toEqual([provider.issuer, "600"])
  expect(await flow.finish(ANSWER, SECRETS)).toMatch(/^eyJ/)
  expect(provider.asked).toEqual([DISCOVERY, "/token"])
})

test.each<[string, () => object | string]>([
  ["for another issuer", () => documentOf({ issuer: "https://other.example.com" })],
  ["with a page that is a script", () => documentOf({ authorization_endpoint: "javascript:alert(1)" })],
  ["with a page without https", () => documentOf({ authorization_endpoint: "http://login.example.com/" })],
  [
    "with a page where clouds keep metadata",
    () => documentOf({ authorization_endpoint: "https://169.254.169.254/" }),
  ],
  ["without a page", () => documentOf({ authorization_endpoint: undefined })],
  ["that is no JSON", () => "<html>"],
  ["that is endless", () => JSON.stringify(documentOf({ x: "x".repeat(70_000) }))],
])("a discovery document %s leads nobody anywhere", async (_what, make) => {
  provider.answer(DISCOVERY, make())
  await expect(flow.begin(SECRETS, 600)).rejects.toBeInstanceOf(Unreachable)
})

test.each<[string, () => object | string, string]>([
  ["with another nonce", () => tokenOf({ nonce: "another" }), "OAUTH_JWT_CLAIM_COMPARISON_FAILED"],
  ["without a nonce", () => tokenOf({ nonce: undefined }), "OAUTH_INVALID_RESPONSE"],
  ["for another client", () => tokenOf({ aud: "helpdesk" }), "OAUTH_JWT_CLAIM_COMPARISON_FAILED"],
  [
    "of another issuer",
    () => tokenOf({ iss: "https://other.example.com" }),
    "OAUTH_JWT_CLAIM_COMPARISON_FAILED",
  ],
  ["that has ended", () => tokenOf({ exp: 1 }), "OAUTH_JWT_TIMESTAMP_CHECK_FAILED"],
  ["without a signature", () => tokenOf({}, { alg: "none" }), "OAUTH_INVALID_RESPONSE"],
  ["that is not there", () => ({ access_token: "x", token_type: "Bearer" }), "OAUTH_INVALID_RESPONSE"],
])("an ID token %s is a no", async (_what, make, tag) => {
  provider.answer("/token", make())
  expect(await flow.finish(ANSWER, SECRETS)).toEqual(new NotTaken(tag))
})

const answering =
  (status: number, body: object, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    void response
      .writeHead(status, { "content-type": "application/json", ...headers })
      .end(JSON.stringify(body))

test("what the provider refuses is a no by its code, whatever else it says", async () => {
  const body = { error: "invalid_grant", error_description: "<b>secret words</b>" }
  provider.answer("/token", answering(400, body))
  expect(await flow.finish(ANSWER, SECRETS)).toEqual(new NotTaken("invalid_grant"))
  provider.answer("/token", answering(400, { error: "<b>" }))
  expect(await flow.finish(ANSWER, SECRETS)).toEqual(new NotTaken("OAUTH_RESPONSE_BODY_ERROR"))
})

test.each<[string, () => void]>([
  ["answers 500", () => provider.answer("/token", answering(500, {}))],
  [
    "says that it can't now",
    () => provider.answer("/token", answering(400, { error: "temporarily_unavailable" })),
  ],
  ["is gone", () => provider.cut(true)],
  [
    "redirects elsewhere",
    () => provider.answer("/token", answering(307, {}, { location: `${provider.issuer}/keys` })),
  ],
])("a provider that %s could not tell, and is not followed", async (_what, change) => {
  await flow.begin(SECRETS, 600)
  change()
  await expect(flow.finish(ANSWER, SECRETS)).rejects.toBeInstanceOf(Unreachable)
  expect(provider.asked).not.toContain("/keys")
})

test("E08 a code is handed to no address that may not be asked, whoever names it", async () => {
  for (const token_endpoint of ["https://169.254.169.254/token", "http://tokens.example.com/"]) {
    provider.answer(DISCOVERY, documentOf({ token_endpoint }))
    clock.advance(300_000)
    await flow.begin(SECRETS, 600)
    await expect(flow.finish(ANSWER, SECRETS)).rejects.toBeInstanceOf(Unreachable)
  }
})

test.each([
  ["in the header", undefined, `Basic ${Buffer.from("taskmint:a%3Asecret").toString("base64")}`],
  [
    "in the header where the form would do",
    ["client_secret_post", "client_secret_basic"],
    expect.any(String),
  ],
  ["in the form where it is taken there alone", ["client_secret_post"], undefined],
])("a secret goes along %s", async (_what, token_endpoint_auth_methods_supported, expected) => {
  let authorization: string | undefined
  provider.answer(DISCOVERY, documentOf({ token_endpoint_auth_methods_supported }))
  provider.answer("/token", (response: ServerResponse) => {
    authorization = response.req.headers.authorization
    answering(200, tokenOf())(response)
  })
  const confidential = createCodeFlow({ ...options(), clientSecret: "a:secret" })
  expect(await confidential.finish(ANSWER, SECRETS)).toMatch(/^eyJ/)
  expect(authorization).toEqual(expected)
})

test("an answer for another sign-in is a no before anybody is asked", async () => {
  await flow.begin(SECRETS, 600)
  expect(await flow.finish("state=other&code=abc", SECRETS)).toBeInstanceOf(NotTaken)
  expect(await flow.finish(`code=abc`, SECRETS)).toBeInstanceOf(NotTaken)
  expect(provider.asked).toEqual([DISCOVERY])
})

test("where its endpoints are is asked once in five minutes, and again after it was away", async () => {
  provider.cut(true)
  await expect(flow.begin(SECRETS, 600)).rejects.toBeInstanceOf(Unreachable)
  provider.cut(false)
  await Promise.all([flow.begin(SECRETS, 600), flow.begin(SECRETS, 600)])
  clock.advance(299_000)
  await flow.begin(SECRETS, 600)
  expect(provider.asked).toEqual([DISCOVERY])
  clock.advance(1000)
  await flow.begin(SECRETS, 600)
  expect(provider.asked).toEqual([DISCOVERY, DISCOVERY])
})
