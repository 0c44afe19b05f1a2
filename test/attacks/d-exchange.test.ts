// Catalogue D over HTTP: what a token exchange must refuse. Who brings what, and in which form; what
// a sub-agent gets is in d-chains, what happens between a decision and its commit in d-guards.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { toEpochSeconds } from "../../src/time.ts"
import { signJwt } from "../../src/token/jwt.ts"
import { ACCESS_TOKEN, type Crew, claimsOf, newKey, openCrew } from "../support/crew.ts"
import { asCaller, DEPLOYMENTS, detail, exchangeForm } from "../support/exchange-form.ts"
import { ASSERTION_TYPE, ISSUER, TICKETS } from "../support/issuer-house.ts"

let crew: Crew
let agent: Awaited<ReturnType<Crew["start"]>>
beforeAll(async () => {
  crew = await openCrew()
  agent = await crew.start()
})
afterAll(() => crew.remove())

const form = exchangeForm(() => agent)
const KEY = newKey().thumbprint

describe("D08 only what this issuer gave to a task is a subject token", () => {
  const subjects: readonly (readonly [string, () => Promise<string> | string])[] = [
    ["a service token", () => crew.house.serviceToken("support-orchestrator")],
    ["a client assertion", () => crew.house.assertion("support-orchestrator")],
    ["a DPoP proof", () => crew.proof(agent.key)],
    ["the same claims by another key", () => resigned({})],
    [
      "a token of another issuer",
      () => resigned({ iss: "https://other.example", aud: "https://other.example" }),
    ],
    ["an ID token", () => resigned({ aud: "triage-bot" }, "JWT")],
    ["no token at all", () => "x"],
    ["a token with a letter more", () => `${agent.own}x`],
  ]
  const resigned = (changes: object, typ = "at+jwt") =>
    signJwt({ typ, kid: agent.key.kid }, { ...claimsOf(agent.own), ...changes }, agent.key)
  test.each(subjects)("D08 %s", async (_what, make) => {
    const { status, body } = await crew.renew({ own: await make(), key: agent.key })
    expect([status, body.error, body.code]).toEqual([400, "invalid_grant", "subject_token_invalid"])
  })
})

describe("D09 D10 types and actors", () => {
  test.each([
    ["D09 no subject_token_type", { subject_token_type: undefined }],
    ["D09 a JWT", { subject_token_type: "urn:ietf:params:oauth:token-type:jwt" }],
    ["D09 an ID token", { subject_token_type: "urn:ietf:params:oauth:token-type:id_token" }],
    [
      "D09 a refresh token is wanted",
      { requested_token_type: "urn:ietf:params:oauth:token-type:refresh_token" },
    ],
    ["D09 a SAML assertion is wanted", { requested_token_type: "urn:ietf:params:oauth:token-type:saml2" }],
    ["D09 no subject_token", { subject_token: undefined }],
    ["D09 an empty subject_token", { subject_token: "" }],
    ["D10 an actor_token", { actor_token: "x", actor_token_type: ACCESS_TOKEN }],
    ["D10 an actor_token_type alone", { actor_token_type: ACCESS_TOKEN }],
    ["D10 an actor that is none", { requested_actor: "summarizer", dpop_jkt: KEY }],
    ["D10 an actor with a path", { requested_actor: "summarizer/../triage-bot", dpop_jkt: KEY }],
    ["D18 a client_secret", { client_secret: "x" }],
    ["D18 an empty scope", { scope: "" }],
    ["D18 an operation twice", { scope: "tickets:read tickets:read" }],
    ["D18 two spaces", { scope: "tickets:read  tickets:comment" }],
    ["D18 a key that is none", { requested_actor: "summarizer/pod-1", dpop_jkt: "x" }],
    ["D12 a key without an actor", { dpop_jkt: KEY }],
    ["D19 no resource", { resource: undefined }],
    [
      "D20 a member of a detail that is not known",
      { authorization_details: detail({ locations: [TICKETS] }) },
    ],
    ["D20 a type that is not known", { authorization_details: detail({ type: "task_grant_2" }) }],
    [
      "D20 a detail for two APIs",
      { authorization_details: detail({ actions: ["tickets:read", "wiki:read"] }) },
    ],
    ["D20 a member twice", { authorization_details: detail().replace("{", '{"type":"task_grant",') }],
    ["D20 no list", { authorization_details: "{}" }],
    ["D20 an empty list", { authorization_details: "[]" }],
  ])("%s", async (_what, more) => {
    const asked = Object.entries({ ...form(), ...more }).filter(
      (one): one is [string, string] => one[1] !== undefined,
    )
    const { status, body } = await crew.exchange(Object.fromEntries(asked), agent.key)
    expect([status, body.error, body.code]).toEqual([400, "invalid_request", "invalid_request"])
  })
})

describe("D11 the token alone is worth nothing", () => {
  const url = `${ISSUER}/token`
  test.each([
    ["without a proof", undefined],
    ["by another key", () => crew.proof(newKey())],
    ["for another method", () => crew.proof(agent.key, { method: "GET" })],
    ["for another endpoint", () => crew.proof(agent.key, { url: `${ISSUER}/tasks` })],
    ["for a query", () => crew.proof(agent.key, { url: `${url}/` })],
    ["made too long ago", () => crew.proof(agent.key, { now: toEpochSeconds(crew.house.clock.now()) - 61 })],
    ["made ahead", () => crew.proof(agent.key, { now: toEpochSeconds(crew.house.clock.now()) + 61 })],
  ])("D11 %s", async (_what, make) => {
    const headers: Record<string, string> = make ? { dpop: make() } : {}
    const { status, body } = await crew.exchange(form(), undefined, headers)
    expect([status, body.error]).toEqual([400, "invalid_dpop_proof"])
  })

  test("D11 a proof that was used, whether it was allowed or refused", async () => {
    for (const more of [{}, { scope: "tickets:delete" }]) {
      const dpop = crew.proof(agent.key)
      await crew.exchange(form(more), undefined, { dpop })
      expect(await crew.exchange(form(), undefined, { dpop })).toMatchObject({
        status: 400,
        body: { error: "invalid_dpop_proof" },
      })
    }
  })

  test("D11 an API's token by its bearer, with or without a proof by its key", async () => {
    const stolen = form({ subject_token: agent.tickets })
    expect((await crew.exchange(stolen, agent.key)).body.error).toBe("unauthorized_client")
    expect((await crew.exchange(stolen)).body.error).toBe("invalid_dpop_proof")
  })
})

describe("D15 nobody else exchanges", () => {
  test.each(["tickets", "release-orchestrator", "audit-team", "operations-team"] as const)(
    "D15 %s with a token of another's task",
    async (name) => {
      for (const subject_token of [agent.tickets, agent.own]) {
        const client_assertion = crew.house.assertion(name)
        const asked = form({ subject_token, client_assertion, client_assertion_type: ASSERTION_TYPE })
        expect((await crew.exchange(asked)).body.error).toBe("unauthorized_client")
      }
    },
  )

  test("D15 the orchestrator with the agent's own token, and two ways to authenticate at once", async () => {
    const headers = await asCaller(crew, "support-orchestrator")
    expect((await crew.exchange(form(), undefined, headers)).body.error).toBe("unauthorized_client")
    const client_assertion = crew.house.assertion("support-orchestrator")
    const both = form({ client_assertion, client_assertion_type: ASSERTION_TYPE })
    expect((await crew.exchange(both, undefined, headers)).body.error).toBe("invalid_request")
    expect((await crew.exchange(both, agent.key)).body.error).toBe("invalid_request")
    const named = form({ client_id: "summarizer" })
    expect((await crew.exchange(named, agent.key)).body.error).toBe("unauthorized_client")
  })
})

describe("D18 one form, each parameter once", () => {
  const encoded = (members: Record<string, string>) => new URLSearchParams(members).toString()
  test.each(["subject_token", "scope", "resource", "requested_actor", "grant_type"])(
    "D18 %s twice",
    async (name) => {
      const twice = `${encoded(form({ scope: "tickets:read", requested_actor: "summarizer/a" }))}&${name}=x`
      expect(await crew.exchange(twice, agent.key)).toMatchObject({
        status: 400,
        body: { error: "invalid_request" },
      })
    },
  )

  test("D18 JSON, and parameters in the query", async () => {
    const dpop = crew.proof(agent.key)
    const type = { "content-type": "application/json", dpop }
    expect((await crew.exchange(JSON.stringify(form()), undefined, type)).status).toBe(415)
    const answer = await crew.house.call("POST", "/token?scope=tickets:read", {
      body: encoded(form()),
      headers: { "content-type": "application/x-www-form-urlencoded", dpop },
    })
    expect(answer.status).toBe(400)
  })
})

describe("D19 what contradicts itself is refused, never put together", () => {
  test.each([
    ["another audience", { audience: DEPLOYMENTS }, "api_not_allowed", "invalid_target"],
    [
      "a detail that the scope leaves out",
      { scope: "tickets:comment", authorization_details: detail() },
      "access_denied",
      "access_denied",
    ],
    [
      "an API's token for another API",
      { subject: "tickets", resource: DEPLOYMENTS },
      "api_not_allowed",
      "invalid_target",
    ],
    [
      "a part of the agent's own token",
      { resource: ISSUER, scope: "task:renew" },
      "operation_not_allowed",
      "invalid_scope",
    ],
    [
      "more than the holder has",
      { scope: "tickets:read tickets:delete" },
      "operation_not_allowed",
      "invalid_scope",
    ],
  ])("D19 %s", async (_what, { subject, ...more }: Record<string, string>, code, error) => {
    const headers = subject ? await asCaller(crew, "support-orchestrator") : undefined
    const asked = form({ ...(subject && { subject_token: agent.tickets }), ...more })
    const { status, body } = await crew.exchange(asked, subject ? undefined : agent.key, headers)
    expect([status, body.error, body.code]).toEqual([error === "access_denied" ? 403 : 400, error, code])
  })
})

test.each([
  ["pause", "task_paused"],
  ["complete", "task_ended"],
])("D06 after %s a token is no grant any more", async (change, code) => {
  const one = await crew.start()
  await crew.house.ask("POST", `/tasks/${one.taskId}/${change}`, { as: "support-orchestrator" })
  const { status, body } = await crew.renew(one)
  expect([status, body.error, body.code]).toEqual([400, "invalid_grant", code])
})

test("D15 who authenticates with a service token that is none is no client", async () => {
  const answer = await crew.house.form(form({ subject_token: agent.tickets }), { authorization: "Bearer x" })
  const challenge = answer.headers.get("www-authenticate")
  expect([answer.status, challenge]).toEqual([401, 'Bearer error="invalid_token"'])
  expect(await answer.json()).toMatchObject({ error: "invalid_client", code: "service_token_invalid" })
})
