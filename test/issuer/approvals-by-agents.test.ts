// Agents that ask by themselves: with their own token and its key, and with nothing else.
import { afterEach, beforeEach, expect, test } from "vitest"
import { toEpochSeconds } from "../../src/time.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey, type SigningKey } from "../../src/token/signature.ts"
import { approvalTexts } from "../support/approvals.ts"
import { ACCESS_TOKEN, claimsOf, EXCHANGE } from "../support/crew.ts"
import { type House, ISSUER, openHouse, START, TICKETS } from "../support/issuer-house.ts"
import { POLICIES } from "../support/policies.ts"

let house: House
beforeEach(async () => {
  const files = approvalTexts(POLICIES)
  const support = (files["support.yaml"] ?? "")
    .replace("\norchestrators:", "\n  checker: { owner: ml-platform@example.com }\n\norchestrators:")
    .replace("    deadline: 2h\n", "    deadline: 2h\n    delegation: { to: { checker: [tickets:close] } }\n")
  house = await openHouse({ dev: true, files: { ...files, "support.yaml": support } })
})
afterEach(() => house.remove())

interface Agent {
  readonly key: SigningKey
  readonly own: string
  readonly tickets: string
  readonly taskId: string
}

async function startAgent(): Promise<Agent> {
  const key = importSigningKey(generatePrivateJwk("ES256"))
  const json = { ...START, dpop_jkt: key.thumbprint }
  const { body } = await house.ask("POST", "/tasks", { as: "support-orchestrator", json })
  const tokens = body.tokens as { resource: string; access_token: string }[]
  const of = (resource: string) => String(tokens.find((one) => one.resource === resource)?.access_token)
  return { key, own: of(ISSUER), tickets: of(TICKETS), taskId: String(body.task_id) }
}

const prove = (key: SigningKey, method: string, path: string, accessToken?: string) =>
  signProof(
    {
      method,
      url: `${ISSUER}${path}`,
      now: toEpochSeconds(house.clock.now()),
      ...(accessToken && { accessToken }),
    },
    key,
  )
const headersOf = (token: string, key: SigningKey, method: string, path: string) => ({
  authorization: `DPoP ${token}`,
  dpop: prove(key, method, path, token),
})
const QUESTION = {
  operation: "tickets:close",
  resource: "tickets/SUP-1042",
  reason: "It is solved",
  parameters: { resolution: "fixed" },
}
const ask = ({ own, key }: Pick<Agent, "own" | "key">, json: object = QUESTION) =>
  house.ask("POST", "/approvals", { json, headers: headersOf(own, key, "POST", "/approvals") })
const grant = (id: unknown) =>
  house.ask("POST", `/approvals/${id}`, { as: "operations-team", json: { decision: "grant" } })
async function collect(approval: unknown, subject: string, key: SigningKey, more: object = {}) {
  const form = { grant_type: EXCHANGE, subject_token: subject, subject_token_type: ACCESS_TOKEN }
  const answer = await house.form(
    { ...form, approval: String(approval), ...more },
    { dpop: prove(key, "POST", "/token") },
  )
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

test("an agent asks, looks and collects with its own token, and gets a token bound to its key", async () => {
  const agent = await startAgent()
  const { status, body } = await ask(agent)
  expect([status, body.requested_by, body.task_id]).toEqual([201, "triage-bot/pod-1", agent.taskId])
  const path = `/approvals/${body.id}`
  const look = () => house.ask("GET", path, { headers: headersOf(agent.own, agent.key, "GET", path) })
  expect((await look()).body.state).toBe("requested")
  expect(await collect(body.id, agent.own, agent.key)).toMatchObject({
    status: 403,
    body: { code: "approval_pending" },
  })
  await grant(body.id)
  const collected = await collect(body.id, agent.own, agent.key)
  expect(collected).toMatchObject({ status: 200, body: { token_type: "DPoP", task_id: agent.taskId } })
  expect(claimsOf(collected.body.access_token)).toMatchObject({
    scope: "tickets:close",
    cnf: { jkt: agent.key.thumbprint },
    authorization_details: [{ once: true }],
  })
  expect((await look()).body.state).toBe("collected")
})

test("a sub-agent asks, looks and collects for itself; the agent above sees it and can't collect it", async () => {
  const agent = await startAgent()
  const key = importSigningKey(generatePrivateJwk("ES256"))
  const form = { grant_type: EXCHANGE, subject_token: agent.own, subject_token_type: ACCESS_TOKEN }
  const actor = { requested_actor: "checker/pod-2", dpop_jkt: key.thumbprint, resource: ISSUER }
  const given = await house.form({ ...form, ...actor }, { dpop: prove(agent.key, "POST", "/token") })
  const { access_token, delegation_id } = (await given.json()) as Record<string, unknown>
  const own = String(access_token)
  expect(claimsOf(own).scope).toBe("task:ask")
  const { body } = await ask({ own, key })
  expect(body).toMatchObject({ requested_by: "checker/pod-2", delegation_id, state: "requested" })
  await grant(body.id)
  const path = `/approvals/${body.id}`
  for (const [token, by] of [[own, key] as const, [agent.own, agent.key] as const])
    expect((await house.ask("GET", path, { headers: headersOf(token, by, "GET", path) })).status).toBe(200)
  const { body: above } = await ask(agent)
  const hidden = `/approvals/${above.id}`
  expect((await house.ask("GET", hidden, { headers: headersOf(own, key, "GET", hidden) })).status).toBe(404)
  expect(await collect(body.id, agent.own, agent.key)).toMatchObject({ body: { code: "approval_invalid" } })
  const { body: token } = await collect(body.id, own, key)
  expect(claimsOf(token.access_token)).toMatchObject({
    act: { sub: "checker/pod-2" },
    cnf: { jkt: key.thumbprint },
    lineage: [delegation_id],
  })
})

test.each([
  ["an API's token", ({ tickets, key }: Agent) => ({ own: tickets, key })],
  [
    "its own token without its key",
    ({ own }: Agent) => ({ own, key: importSigningKey(generatePrivateJwk("ES256")) }),
  ],
] as const)("D01 %s asks nobody and collects nothing", async (_what, credential) => {
  const agent = await startAgent()
  const { body } = await ask(agent)
  await grant(body.id)
  const { own, key } = credential(agent)
  expect((await ask({ own, key }, { ...QUESTION, parameters: 2 })).status).toBeGreaterThanOrEqual(400)
  expect((await collect(body.id, own, key)).status).toBeGreaterThanOrEqual(400)
  expect((await collect(body.id, agent.own, agent.key)).status).toBe(200)
})

test("an agent asks for its own task alone, and never decides", async () => {
  const [agent, other] = [await startAgent(), await startAgent()]
  const { body } = await ask(agent)
  expect(await ask(agent, { ...QUESTION, task_id: other.taskId })).toMatchObject({ status: 404 })
  const path = `/approvals/${body.id}`
  expect(
    await house.ask("GET", path, { headers: headersOf(other.own, other.key, "GET", path) }),
  ).toMatchObject({
    status: 404,
  })
  const json = { decision: "grant" }
  const decided = await house.ask("POST", path, {
    json,
    headers: headersOf(agent.own, agent.key, "POST", path),
  })
  expect(decided.status).toBe(401)
  await grant(body.id)
  expect(await collect(body.id, other.own, other.key)).toMatchObject({ body: { code: "approval_invalid" } })
})

test("a proof asks once", async () => {
  const agent = await startAgent()
  const headers = headersOf(agent.own, agent.key, "POST", "/approvals")
  expect((await house.ask("POST", "/approvals", { json: QUESTION, headers })).status).toBe(201)
  expect(await house.ask("POST", "/approvals", { json: QUESTION, headers })).toMatchObject({
    status: 401,
    body: { code: "proof_invalid" },
  })
})

test("a token that has ended or run out asks nobody", async () => {
  const agent = await startAgent()
  house.clock.advance(601_000)
  expect((await ask(agent)).body.code).toBe("subject_token_expired")
  const again = await startAgent()
  await house.ask("POST", `/tasks/${again.taskId}/cancel`, { as: "support-orchestrator" })
  expect((await ask(again)).body.code).toBe("task_ended")
})

test("what is collected is named by the approval alone", async () => {
  const agent = await startAgent()
  const { body } = await ask(agent)
  await grant(body.id)
  for (const more of [
    { resource: TICKETS },
    { scope: "tickets:read" },
    { requested_actor: "summarizer/pod-1" },
  ])
    expect(await collect(body.id, agent.own, agent.key, more)).toMatchObject({ status: 400 })
})
