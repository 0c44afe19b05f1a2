// Tasks on behalf of a user, over HTTP: whose token is taken, what the task's tokens then say and may, and that later mints
// ask again.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { foreignSigner } from "../support/foreign-issuer.ts"
import { openUsers, PEOPLE, USER_POLICY, type Users } from "../support/users.ts"

let users: Users

beforeAll(async () => {
  users = await openUsers()
})
afterAll(() => users.house.remove())

const tokensOf = (body: Record<string, unknown>) => body.tokens as { access_token: string; scope: string }[]

function claimsOf(body: Record<string, unknown>): Record<string, unknown> {
  const [, payload = ""] = (tokensOf(body)[0]?.access_token ?? "").split(".")
  return JSON.parse(Buffer.from(payload, "base64url").toString())
}

const as = "support-orchestrator"
const renew = (id: unknown) => users.house.ask("POST", `/tasks/${id}/tokens`, { as, json: {} })

async function withPolicy<T>(changed: string, during: () => Promise<T>): Promise<T> {
  const path = join(users.house.policyFolder, "users.yaml")
  const before = readFileSync(path, "utf8")
  writeFileSync(path, changed)
  await users.house.issuer.reload()
  try {
    return await during()
  } finally {
    // An earlier policy does not come back by itself: the same rules, spelled anew.
    writeFileSync(path, `${before}# again\n`)
    await users.house.issuer.reload()
  }
}

describe("the user is the subject, the agent the actor", () => {
  test("and the token may what both and the task type may", async () => {
    const { status, body } = await users.startFor()
    expect(status).toBe(201)
    expect(claimsOf(body)).toMatchObject({
      sub: "people/ana@example.com",
      act: { sub: "triage-bot/pod-1" },
      client_id: "support-orchestrator",
      scope: "tickets:read",
    })
    const lead = await users.startFor({ email: "lea@example.com", groups: ["support", "leads"] })
    expect(claimsOf(lead.body)).toMatchObject({
      sub: "people/lea@example.com",
      scope: "tickets:read tickets:close",
    })
    const own = await users.start()
    expect(claimsOf(own.body)).toMatchObject({
      sub: "support-orchestrator",
      scope: "tickets:read tickets:close",
    })
  })

  test("for eight hours at most, whatever the task type's deadline is", async () => {
    const now = users.house.clock.now()
    const until = async (started: ReturnType<typeof users.start>) =>
      Date.parse(String((await started).body.deadline)) - now
    expect(await until(users.startFor())).toBe(8 * 3_600_000)
    expect(await until(users.start())).toBe(48 * 3_600_000)
  })

  test("an access token of the provider does as well", async () => {
    const subject_token = users.token({ scope: "openid", client_id: "helpdesk" }, { typ: "at+jwt" })
    expect(await users.start({ subject_token })).toMatchObject({ status: 201 })
  })

  test("the ledger finds the task by its user, and holds neither name nor token in what is hashed or told", async () => {
    const subject_token = users.token({ email: "secret.person@example.com" })
    const { body } = await users.start({ subject_token })
    const found = await users.entries("sub=people/secret.person@example.com")
    expect(found.map(({ kind }) => kind)).toEqual(["task.started", "token.issued"])
    expect(found[0]).toMatchObject({ task_id: body.task_id, body: { user_rule: "support-staff" } })
    expect(JSON.stringify(await users.entries("limit=1000"))).not.toContain(subject_token.slice(0, 40))
    expect(JSON.stringify(users.house.faults)).not.toMatch(/secret\.person/)
  })
})

describe("a token that is not taken is user_token_invalid, and the refusal is recorded without a name", () => {
  const seconds = () => Math.floor(users.house.clock.now() / 1000)
  const cases: [string, () => string][] = [
    ["nonsense", () => "nonsense"],
    ["of another issuer", () => users.token({ iss: "https://evil.example.com" })],
    ["by a key that is not the provider's", () => users.token({}, {}, foreignSigner("people", "ES256"))],
    ["unsigned", () => users.token({}, { alg: "none" })],
    ["for another audience", () => users.token({ aud: "helpdesk" })],
    ["for several audiences", () => users.token({ aud: ["taskmint", "helpdesk"] })],
    ["that ends this second", () => users.token({ iat: seconds() - 60, exp: seconds() })],
    ["without an end", () => users.token({ exp: undefined })],
    ["for years", () => users.token({ exp: seconds() + 90_000 })],
    ["issued long ago", () => users.token({ iat: seconds() - 3601 })],
    ["without the time of issue", () => users.token({ iat: undefined })],
    ["of somebody without a name", () => users.token({ email: undefined })],
    ["of a name that is none", () => users.token({ email: ["ana@example.com"] })],
    ["of a name that turns the direction of text", () => users.token({ email: "ana\u202egro.elpmaxe@" })],
    ["of an address that nobody verified", () => users.token({ email_verified: false })],
    ["with a typ of something else", () => users.token({}, { typ: "logout+jwt" })],
  ]

  test.each(cases)("%s", async (_, make) => {
    expect(await users.start({ subject_token: make() })).toMatchObject({
      status: 400,
      body: { code: "user_token_invalid", next: "stop" },
    })
    const last = (await users.entries("kind=task.refused&limit=1000")).at(-1)
    expect(last).toMatchObject({ code: "user_token_invalid", sub: "support-orchestrator" })
  })

  test("a task token of ours, a service token and a client assertion are no user's", async () => {
    const own = tokensOf((await users.start()).body)[0]?.access_token ?? ""
    for (const subject_token of [own, await users.house.serviceToken(as), users.house.assertion(as)])
      expect((await users.start({ subject_token })).body.code).toBe("user_token_invalid")
  })
})

describe("a person whom the policy does not let in", () => {
  test.each([
    ["is in no group that it names", { groups: ["sales"] }],
    ["is in a group whose name only begins alike", { groups: ["support-2"] }],
    ["has a group in another claim", { groups: undefined, roles: ["support"] }],
  ])("%s", async (_, claims) => {
    expect(await users.startFor(claims)).toMatchObject({ status: 403, body: { code: "access_denied" } })
  })

  test("and a token where the task type runs for nobody, and none where it always does", async () => {
    expect((await users.startFor({}, { type: "triage-ticket" })).body.code).toBe("access_denied")
    expect(await users.start({ type: "always-for-user", inputs: {} })).toMatchObject({
      status: 400,
      body: { code: "invalid_request", errors: [{ pointer: "/subject_token" }] },
    })
    expect((await users.startFor({}, { type: "always-for-user", inputs: {} })).status).toBe(201)
  })
})

describe("one start for each token", () => {
  test("a second start with it is refused, whoever asks, and a refused start does not use it up", async () => {
    const subject_token = users.token()
    const always = { type: "always-for-user", inputs: {}, subject_token }
    expect((await users.start({ ...always, operations: ["tickets:close"] })).body.code).toBe(
      "operation_not_allowed",
    )
    expect((await users.start(always)).status).toBe(201)
    for (const by of ["support-orchestrator", "release-orchestrator"] as const)
      expect((await users.start(always, by)).body.code).toBe("user_token_invalid")
  })

  test("of many at once one wins", async () => {
    const subject_token = users.token()
    const all = await Promise.all(Array.from({ length: 10 }, () => users.start({ subject_token })))
    expect(all.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(400)])
  })

  test("with a reference the same request is the same task, with that token or the user's next one", async () => {
    const subject_token = users.token()
    const first = await users.start({ subject_token, reference: "run-1" })
    const again = await users.start({ subject_token, reference: "run-1" })
    const fresh = await users.startFor({}, { reference: "run-1" })
    expect([first.status, again.status, fresh.status]).toEqual([201, 200, 200])
    expect(new Set([first, again, fresh].map(({ body }) => claimsOf(body).jti)).size).toBe(1)
  })

  test("another user, or none, under the same reference is a conflict", async () => {
    await users.startFor({}, { reference: "run-2" })
    const conflict = { status: 409, body: { code: "reference_conflict" } }
    expect(await users.startFor({ email: "bob@example.com" }, { reference: "run-2" })).toMatchObject(conflict)
    expect(await users.start({ reference: "run-2" })).toMatchObject(conflict)
    await users.start({ reference: "run-3" })
    expect(await users.startFor({}, { reference: "run-3" })).toMatchObject(conflict)
  })
})

describe("later mints", () => {
  test("are for the same user, without the token, long after it ended", async () => {
    const { body } = await users.startFor()
    users.house.clock.advance(3_600_000)
    expect(claimsOf((await renew(body.task_id)).body)).toMatchObject({
      sub: "people/ana@example.com",
      scope: "tickets:read",
    })
    await users.house.call("POST", `/tasks/${body.task_id}/pause`, { as })
    const resumed = await users.house.ask("POST", `/tasks/${body.task_id}/resume`, { as })
    expect(claimsOf(resumed.body).sub).toBe("people/ana@example.com")
  })

  test.each([
    ["whose rule is disabled", "claims: { groups: support }", "claims: { groups: support }, enabled: false"],
    ["whose rule asks for another group", "{ groups: support }", "{ groups: night-shift }"],
    ["whose rule left the task type", "[leads, support-staff]", "[leads]"],
    ["whose provider is disabled", "name_claim: email", "name_claim: email, enabled: false"],
    ["whose provider is another by now", PEOPLE, "https://login.example.org"],
  ])("of a user %s are refused, and recorded", async (_, from, to) => {
    const { body } = await users.startFor()
    await withPolicy(USER_POLICY.replaceAll(from, to), async () => {
      expect(await renew(body.task_id)).toMatchObject({ status: 403, body: { code: "access_denied" } })
    })
    const refused = await users.entries(`task=${body.task_id}&kind=token.refused`)
    expect(refused).toMatchObject([{ sub: "people/ana@example.com", code: "access_denied" }])
    expect((await renew(body.task_id)).status).toBe(200)
  })

  test("a start with a token of a disabled provider is refused, as with that of an unknown one", async () => {
    const off = USER_POLICY.replace("name_claim: email", "enabled: false, name_claim: email")
    const subject_token = users.token()
    await withPolicy(off, async () => {
      const refused = { status: 400, body: { code: "user_token_invalid" } }
      expect(await users.start({ subject_token })).toMatchObject(refused)
    })
    expect((await users.start({ subject_token })).status).toBe(201)
  })

  test("give no more than the user may now, and never more than at the start", async () => {
    const lea = { email: "lea@example.com", groups: ["leads"] }
    const [lead, ana] = [await users.startFor(lea), await users.startFor()]
    const changed = USER_POLICY.replace(
      "{ groups: leads }",
      "{ groups: leads }, at_most: [tickets:read]",
    ).replace("at_most: [tickets:read, tickets:comment]", "at_most: [tickets:read, tickets:close]")
    await withPolicy(changed, async () => {
      for (const { body } of [lead, ana])
        expect(claimsOf((await renew(body.task_id)).body).scope).toBe("tickets:read")
    })
  })
})

test("a lock on the user stops what runs for them and what would, and nobody else's", async () => {
  const [mine, other] = [await users.startFor(), await users.startFor({ email: "bob@example.com" })]
  const value = "people/ana@example.com"
  const json = { kind: "subject", value, reason: "left the company" }
  const { body } = await users.house.ask("POST", "/revocations", { as: "operations-team", json })
  expect((await users.startFor()).body.code).toBe("locked")
  expect((await renew(mine.body.task_id)).body.code).toMatch(/task_ended|locked/)
  expect((await renew(other.body.task_id)).status).toBe(200)
  users.house.clock.advance(2000)
  expect((await users.house.ask("DELETE", `/revocations/${body.id}`, { as: "operations-team" })).status).toBe(
    200,
  )
  expect((await users.startFor()).status).toBe(201)
})
