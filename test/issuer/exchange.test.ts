// Token exchange over HTTP: what an agent gets with its own token, what a sub-agent gets, and what ends with what.
import { afterEach, beforeEach, expect, test } from "vitest"
import { ACCESS_TOKEN, type Crew, claimsOf, EXCHANGE, openCrew } from "../support/crew.ts"
import { ASSERTION_TYPE, ISSUER, TICKETS } from "../support/issuer-house.ts"

let crew: Crew
beforeEach(async () => {
  crew = await openCrew()
})
afterEach(() => crew.remove())

const entriesOf = async (taskId: string, kind: string) => {
  const { body } = await crew.house.ask("GET", `/ledger/entries?task=${taskId}&kind=${kind}`, {
    as: "audit-team",
  })
  return Array.isArray(body.entries) ? body.entries : []
}

test("an agent with a key gets a token of its own, for the issuer alone and bound to that key", async () => {
  const { own, key, taskId } = await crew.start()
  expect(claimsOf(own)).toEqual({
    iss: ISSUER,
    aud: ISSUER,
    iat: expect.any(Number),
    nbf: expect.any(Number),
    exp: expect.any(Number),
    jti: expect.stringMatching(/^tok_/),
    client_id: "support-orchestrator",
    sub: "support-orchestrator",
    act: { sub: "triage-bot/pod-1" },
    txn: taskId,
    scope: "task:renew task:delegate task:ask",
    policy: expect.stringMatching(/^sha-256:/),
    cnf: { jkt: key.thumbprint },
  })
})

test("the same start again answers the same own token, and one without a key gets none", async () => {
  const first = await crew.house.ask("POST", "/tasks", {
    as: "support-orchestrator",
    json: { ...(await started()), reference: "run-1" },
  })
  const again = await crew.house.ask("POST", "/tasks", {
    as: "support-orchestrator",
    json: { ...(await started()), reference: "run-1" },
  })
  const jtis = (body: Record<string, unknown>) =>
    (body.tokens as { access_token: string }[]).map((one) => claimsOf(one.access_token).jti)
  expect(jtis(first.body)).toHaveLength(2)
  expect(jtis(again.body)).toEqual(jtis(first.body))
  const { own } = await crew.start({ dpop_jkt: undefined })
  expect(own).toBe("undefined")
})

const KEY = "A".repeat(43)
const started = async () => ({
  type: "triage-ticket",
  agent: { id: "triage-bot", instance: "pod-1" },
  purpose: "Triage the ticket",
  inputs: { ticket: "SUP-1042" },
  dpop_jkt: KEY,
})

test("with it and its key the agent renews an API's token and its own", async () => {
  const agent = await crew.start()
  crew.house.clock.advance(400_000)
  const { status, body } = await crew.renew(agent)
  expect([status, body]).toEqual([
    200,
    {
      access_token: expect.any(String),
      token_type: "DPoP",
      issued_token_type: ACCESS_TOKEN,
      expires_in: 600,
      renew_in: expect.any(Number),
      resource: TICKETS,
      scope: "tickets:read tickets:comment",
      authorization_details: expect.any(Array),
      task_id: agent.taskId,
    },
  ])
  expect(claimsOf(body.access_token)).toMatchObject({ aud: TICKETS, cnf: { jkt: agent.key.thumbprint } })
  const own = await crew.renew(agent, { resource: ISSUER })
  expect(claimsOf(own.body.access_token)).toMatchObject({
    aud: ISSUER,
    scope: "task:renew task:delegate task:ask",
  })
  expect(await crew.renew({ ...agent, own: String(own.body.access_token) })).toMatchObject({ status: 200 })
  expect(await entriesOf(agent.taskId, "token.renewed")).toHaveLength(3)
})

test("it gets a part where it asks for one, and more is refused whole", async () => {
  const agent = await crew.start()
  const details = [{ type: "task_grant", actions: ["tickets:comment"], resources: ["tickets/SUP-1042"] }]
  const narrowed = await crew.renew(agent, { authorization_details: JSON.stringify(details) })
  expect(narrowed.body.authorization_details).toEqual([{ ...details[0], rule: expect.any(String) }])
  expect((await crew.renew(agent, { scope: "tickets:read" })).body.scope).toBe("tickets:read")
  const beyond = [{ type: "task_grant", actions: ["tickets:read"], resources: ["tickets/SUP-1043"] }]
  expect(await crew.renew(agent, { authorization_details: JSON.stringify(beyond) })).toMatchObject({
    status: 400,
    body: { error: "invalid_scope" },
  })
})

test("a sub-agent gets less, bound to its own key, and says who let it in", async () => {
  const agent = await crew.start()
  const child = await crew.delegate(agent, "summarizer/pod-9")
  expect(child.body).toMatchObject({ scope: "tickets:read", token_type: "DPoP", task_id: agent.taskId })
  expect(claimsOf(child.tickets)).toMatchObject({
    act: { sub: "summarizer/pod-9", act: { sub: "triage-bot/pod-1" } },
    lineage: [child.delegation],
    cnf: { jkt: child.key.thumbprint },
    txn: agent.taskId,
  })
  expect(claimsOf(child.own)).toMatchObject({
    lineage: [child.delegation],
    scope: "task:renew task:delegate",
  })
  const grandchild = await crew.delegate(child, "checker/pod-2")
  expect(claimsOf(grandchild.tickets)).toMatchObject({
    act: { sub: "checker/pod-2", act: { sub: "summarizer/pod-9", act: { sub: "triage-bot/pod-1" } } },
    lineage: [child.delegation, grandchild.delegation],
    scope: "tickets:read",
  })
  expect(claimsOf(grandchild.own)).toMatchObject({ scope: "task:renew" })
  expect(await entriesOf(agent.taskId, "token.delegated")).toHaveLength(4)
})

test("the lineage stays over renewals, and the same sub-agent asked for again is the same delegation", async () => {
  const agent = await crew.start()
  const child = await crew.delegate(agent, "summarizer/pod-9")
  const renewed = await crew.renew(child)
  expect(claimsOf(renewed.body.access_token).lineage).toEqual([child.delegation])
  const again = await crew.delegate(agent, "summarizer/pod-9", {}, child.key)
  expect(again.delegation).toBe(child.delegation)
  const other = await crew.delegate(agent, "summarizer/pod-9")
  expect(other.delegation).not.toBe(child.delegation)
  expect((await crew.renew(child)).body).toMatchObject({ code: "delegation_ended" })
})

test("an API's token is exchanged by its own orchestrator, with an assertion or a service token", async () => {
  const agent = await crew.start()
  const members = { grant_type: EXCHANGE, subject_token: agent.tickets, subject_token_type: ACCESS_TOKEN }
  const client_assertion = crew.house.assertion("support-orchestrator")
  const asserted = await crew.exchange({
    ...members,
    client_assertion,
    client_assertion_type: ASSERTION_TYPE,
  })
  expect(asserted).toMatchObject({ status: 200, body: { resource: TICKETS, token_type: "DPoP" } })
  const authorization = `Bearer ${await crew.house.serviceToken("support-orchestrator")}`
  const narrowed = await crew.exchange({ ...members, scope: "tickets:read" }, undefined, { authorization })
  expect(narrowed.body.scope).toBe("tickets:read")
  const named = { ...members, client_id: "release-orchestrator" }
  expect(await crew.exchange(named, undefined, { authorization })).toMatchObject({
    status: 401,
    body: { error: "invalid_client" },
  })
  const wider = { ...members, subject_token: String(narrowed.body.access_token), scope: "tickets:close" }
  expect(await crew.exchange(wider, undefined, { authorization })).toMatchObject({ status: 400 })
})

test("revoking a delegation ends it and all below it, nothing above, and the feed says so", async () => {
  const agent = await crew.start()
  const child = await crew.delegate(agent, "summarizer/pod-9")
  const grandchild = await crew.delegate(child, "checker/pod-2")
  const order = { kind: "delegation", value: child.delegation, reason: "it wandered off" }
  const { status, body } = await crew.house.ask("POST", "/revocations", {
    as: "operations-team",
    json: order,
  })
  expect([status, body.tokens_ended]).toEqual([201, 4])
  for (const one of [child, grandchild])
    expect((await crew.renew(one)).body).toMatchObject({ code: "delegation_ended", next: "stop" })
  expect((await crew.renew(agent)).status).toBe(200)
  const feed = await crew.house.ask("GET", "/revocations", { as: "tickets" })
  expect(feed.body.items).toMatchObject([{ kind: "delegation", value: child.delegation }])
})

const tokensIn = (body: Record<string, unknown>) =>
  new Map(
    (body.tokens as { resource: string; access_token: string }[]).map((one) => [
      one.resource,
      one.access_token,
    ]),
  )

test("after a pause the same delegation goes on, once its delegator has tokens again", async () => {
  const agent = await crew.start()
  const child = await crew.delegate(agent, "summarizer/pod-9")
  const change = (to: string) =>
    crew.house.ask("POST", `/tasks/${agent.taskId}/${to}`, { as: "support-orchestrator" })
  await change("pause")
  expect((await crew.renew(child)).body).toMatchObject({ code: "task_paused", next: "wait" })
  const resumed = await change("resume")
  expect((await crew.renew(child)).body).toMatchObject({ code: "subject_token_invalid" })
  const again = { ...agent, own: tokensIn(resumed.body).get(ISSUER) ?? "" }
  const continued = await crew.delegate(again, "summarizer/pod-9", {}, child.key)
  expect(continued.delegation).toBe(child.delegation)
  expect((await crew.renew(continued)).status).toBe(200)
})

test("who takes a task over gets an own token for its key, and what was delegated before is over", async () => {
  const agent = await crew.start()
  const child = await crew.delegate(agent, "summarizer/pod-9")
  const { key } = await crew.start()
  const taken = await crew.house.ask("POST", `/tasks/${agent.taskId}/tokens`, {
    as: "support-orchestrator",
    json: { instance: "pod-2", dpop_jkt: key.thumbprint, resource: TICKETS },
  })
  const own = tokensIn(taken.body).get(ISSUER) ?? ""
  expect((await crew.renew({ own, key })).status).toBe(200)
  for (const one of [agent, child]) expect((await crew.renew(one)).status).toBe(400)
  const { body } = await crew.house.ask("GET", `/tasks/${agent.taskId}`, { as: "support-orchestrator" })
  expect(body.lineage).toMatchObject([
    {
      delegation_id: child.delegation,
      agent: { id: "summarizer", instance: "pod-9" },
      ended_at: expect.any(String),
    },
  ])
})

test("its orchestrator may ask about an own token and end it, an API may not", async () => {
  const agent = await crew.start()
  const asks = (path: string, as: "support-orchestrator" | "tickets") =>
    crew.house.call("POST", path, {
      as,
      body: new URLSearchParams({ token: agent.own }).toString(),
      headers: { "content-type": "application/x-www-form-urlencoded" },
    })
  expect(await (await asks("/introspect", "tickets")).json()).toEqual({ active: false })
  expect(await (await asks("/introspect", "support-orchestrator")).json()).toMatchObject({
    active: true,
    aud: ISSUER,
  })
  expect((await asks("/revoke", "support-orchestrator")).status).toBe(200)
  expect((await crew.renew(agent)).body.code).toBe("subject_token_invalid")
})
