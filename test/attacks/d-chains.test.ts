// Catalogue D over HTTP: holders one below the other. What a sub-agent gets, for how long, how deep, and bound to what; the
// form of an exchange and who brings it is in d-exchange, what happens between a decision and its commit in d-guards.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { newUuid } from "../../src/token/id.ts"
import { signJwt } from "../../src/token/jwt.ts"
import { type Crew, claimsOf, type Member, newKey, openCrew } from "../support/crew.ts"
import { asCaller, DEPLOYMENTS, detail, exchangeForm } from "../support/exchange-form.ts"
import { ISSUER } from "../support/issuer-house.ts"

let crew: Crew
let agent: Awaited<ReturnType<Crew["start"]>>
let child: Member
beforeAll(async () => {
  crew = await openCrew()
  agent = await crew.start()
  child = await crew.delegate(agent, "summarizer/pod-9")
})
afterAll(() => crew.remove())

const form = exchangeForm(() => agent)
const KEY = newKey().thumbprint

describe("D01 a sub-agent never gets more than who delegates to it", () => {
  test.each([
    [
      "an operation that policy does not let it be given",
      { scope: "tickets:close" },
      400,
      "operation_not_allowed",
    ],
    [
      "an operation beside those it may be given",
      { scope: "tickets:read tickets:comment" },
      400,
      "operation_not_allowed",
    ],
    [
      "another ticket",
      { authorization_details: detail({ resources: ["tickets/SUP-1043"] }) },
      400,
      "operation_not_allowed",
    ],
    [
      "every ticket",
      { authorization_details: detail({ resources: ["tickets/*"] }) },
      400,
      "operation_not_allowed",
    ],
    [
      "everything below",
      { authorization_details: detail({ resources: ["tickets/SUP-1042/**"] }) },
      400,
      "operation_not_allowed",
    ],
    ["an API that the task has nothing of", { resource: DEPLOYMENTS }, 400, "api_not_allowed"],
    ["an API that is not there", { resource: "https://nowhere.example" }, 400, "api_not_allowed"],
    [
      "an agent that policy does not delegate to",
      { requested_actor: "release-bot/pod-1" },
      403,
      "delegation_not_allowed",
    ],
  ])("D01 %s", async (_what, more, status, code) => {
    const asked = form({ requested_actor: "summarizer/pod-3", dpop_jkt: KEY, ...more })
    expect(await crew.exchange(asked, agent.key)).toMatchObject({ status, body: { code } })
  })

  test("D01 below it the grandchild is within the child, though policy would let it have more", async () => {
    const grandchild = await crew.delegate(child, "checker/pod-2")
    expect(grandchild.body.scope).toBe("tickets:read")
    const asked = { scope: "tickets:comment" }
    expect((await crew.delegate(child, "checker/pod-3", asked)).body.code).toBe("operation_not_allowed")
  })
})

describe("D02 nothing lives longer than what stands above it", () => {
  let crew: Crew
  beforeEach(async () => {
    crew = await openCrew()
  })
  afterEach(() => crew.remove())

  test("D02 a sub-agent's token ends with the latest live one of its delegator", async () => {
    const one = await crew.start()
    const ends = Number(claimsOf(one.own).exp)
    crew.house.clock.advance(300_000)
    const below = await crew.delegate(one, "summarizer/pod-9")
    expect([claimsOf(below.tickets).exp, claimsOf(below.own).exp]).toEqual([ends, ends])
    const renewed = await crew.renew(below)
    expect(claimsOf(renewed.body.access_token).exp).toBe(ends)
    await crew.renew(one, { resource: ISSUER })
    const later = await crew.renew(below)
    expect(Number(claimsOf(later.body.access_token).exp)).toBe(ends + 300)
  })

  test("D02 who stands above has nothing that lives: the sub-agent waits", async () => {
    const one = await crew.start()
    const below = await crew.delegate(one, "summarizer/pod-9")
    crew.house.clock.advance(700_000)
    expect((await crew.renew(below)).body).toMatchObject({ code: "holder_above_expired", next: "wait" })
    await crew.renew(one)
    expect((await crew.renew(below)).status).toBe(200)
  })

  test("D02 renewed for as long as there is something to renew, no token passes the deadline", async () => {
    let one: Member = await crew.start()
    const born = Number(claimsOf(one.own).iat)
    for (let renewals = 0; renewals < 1000; renewals += 1) {
      const { status, body } = await crew.renew(one, { resource: ISSUER })
      if (status !== 200) {
        expect(body.code).toBe("task_ended")
        expect(renewals).toBeGreaterThan(10)
        return
      }
      one = { ...one, own: String(body.access_token) }
      expect(Number(claimsOf(one.own).exp)).toBeLessThanOrEqual(born + 7200)
      crew.house.clock.advance(300_000)
    }
    expect.unreachable("it renewed beyond the deadline")
  })
})

describe("D03 D04 depth and cycles come from the rows", () => {
  test("D03 max_depth is reached", async () => {
    const grandchild = await crew.delegate(child, "checker/pod-4")
    expect(claimsOf(grandchild.own).scope).toBe("task:renew")
    const further = await crew.delegate(grandchild, "triage-bot/pod-1")
    expect(further.body).toMatchObject({ code: "delegation_not_allowed" })
  })

  test("D03 a chain that is shortened, turned round or made up is not our signature any more", async () => {
    const claims = claimsOf(child.own)
    for (const change of [
      { act: { sub: "triage-bot/pod-1" }, lineage: undefined },
      { act: { sub: "triage-bot/pod-1", act: { sub: "summarizer/pod-9" } } },
      { lineage: [`del_${newUuid()}`] },
    ]) {
      const forged = signJwt({ typ: "at+jwt", kid: newKey().kid }, { ...claims, ...change }, child.key)
      const { body } = await crew.renew({ own: forged, key: child.key })
      expect(body).toMatchObject({ error: "invalid_grant", code: "subject_token_invalid" })
    }
  })

  test.each([
    ["D04 to itself", "triage-bot/pod-1"],
    ["D04 to another copy of itself", "triage-bot/pod-2"],
  ])("%s", async (_what, actor) => {
    expect((await crew.delegate(agent, actor)).body.code).toBe("delegation_not_allowed")
  })

  test("D04 to who stands above", async () => {
    expect((await crew.delegate(child, "summarizer/pod-9")).body.code).toBe("delegation_not_allowed")
    expect((await crew.delegate(child, "triage-bot/pod-1")).body.code).toBe("delegation_not_allowed")
  })
})

describe("D12 a bound holder never yields an unbound one", () => {
  test("D12 a sub-agent without a key", async () => {
    const asked = form({ requested_actor: "summarizer/pod-5" })
    expect((await crew.exchange(asked, agent.key)).body).toMatchObject({ code: "key_required" })
    const byOrchestrator = { ...asked, subject_token: agent.tickets }
    const headers = await asCaller(crew, "support-orchestrator")
    expect((await crew.exchange(byOrchestrator, undefined, headers)).body).toMatchObject({
      code: "key_required",
    })
  })

  test("D12 a sub-agent with the key of its delegator", async () => {
    expect((await crew.delegate(agent, "summarizer/pod-5", {}, agent.key)).body.code).toBe(
      "delegation_not_allowed",
    )
  })

  test("D12 what the orchestrator renews stays bound to the agent's key", async () => {
    const asked = form({ subject_token: agent.tickets })
    const { body } = await crew.exchange(asked, undefined, await asCaller(crew, "support-orchestrator"))
    expect(claimsOf(body.access_token).cnf).toEqual({ jkt: agent.key.thumbprint })
  })
})

test("D13 a task's token yields tokens of that task, for its orchestrator and its purpose", async () => {
  const { body } = await crew.renew(agent)
  const { txn, client_id, sub } = claimsOf(body.access_token)
  expect([txn, client_id, sub]).toEqual([agent.taskId, "support-orchestrator", "support-orchestrator"])
  const other = { type: "deploy", purpose: "something else", inputs: '{"ticket":"SUP-1"}', tenant: "other" }
  expect(claimsOf((await crew.renew(agent, other)).body.access_token).txn).toBe(agent.taskId)
})

test("D14 the fourth sub-agent of a holder that may have three", async () => {
  const one = await crew.start()
  for (const pod of ["a", "b", "c"]) expect((await crew.delegate(one, `summarizer/${pod}`)).status).toBe(200)
  const fourth = await crew.delegate(one, "summarizer/d")
  expect([fourth.status, fourth.body.code]).toEqual([429, "limit_reached"])
})

test("D17 a narrowed token is no more than it says, and two are not one", async () => {
  const { body } = await crew.renew(agent, { scope: "tickets:read" })
  const headers = await asCaller(crew, "support-orchestrator")
  for (const scope of ["tickets:comment", "tickets:read tickets:comment"]) {
    const wider = form({ subject_token: String(body.access_token), scope })
    expect((await crew.exchange(wider, undefined, headers)).body.code).toBe("operation_not_allowed")
  }
  const whole = await crew.exchange(form({ subject_token: String(body.access_token) }), undefined, headers)
  expect(whole.body.scope).toBe("tickets:read")
})
