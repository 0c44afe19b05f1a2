// People of staff who sign in: whose ID token is taken at /token, what the service token then says and may, and that
// approvals are decided by a person the ledger names, never by the user of the task itself.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { decodeJwt } from "jose"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { foreignSigner } from "../support/foreign-issuer.ts"
import { ISSUER } from "../support/issuer-house.ts"
import { KEY, LEA, openSignIns, type SignIns, STAFF } from "../support/sign-ins.ts"

let users: SignIns["users"]
let away: SignIns["away"]
let now: SignIns["now"]
let idToken: SignIns["idToken"]
let present: SignIns["present"]
let signIn: SignIns["signIn"]
let askAs: SignIns["askAs"]

beforeEach(async () => {
  ;({ users, away, now, idToken, present, signIn, askAs } = await openSignIns())
})
afterEach(() => users.house.remove())

describe("a person who signs in", () => {
  test("gets a bound service token that names them, with the roles of their entry", async () => {
    const { status, body } = await present(idToken())
    expect([status, body.token_type, body.expires_in, body.scope]).toEqual([200, "DPoP", 300, "approver"])
    expect(decodeJwt(String(body.access_token))).toMatchObject({
      sub: "leaders",
      client_id: "leaders",
      person: "people/lea@example.com",
      cnf: { jkt: KEY.thumbprint },
    })
  })

  test("may watch and operate, too, where the policy says so", async () => {
    const token = await signIn({ groups: "security" }, "watchers")
    expect((await askAs(token, "GET", "/ledger/entries?limit=1")).status).toBe(200)
    expect((await askAs(token, "GET", "/locks")).status).toBe(200)
  })

  test.each([
    "ledger/entries?limit=1",
    "reports/silence",
    "reports/posture",
    "reports/who?resource=tickets/SUP-1",
  ])("is named by what they read at /%s", async (path) => {
    const token = await signIn({ groups: "security" }, "watchers")
    expect((await askAs(token, "GET", `/${path}`)).status).toBe(200)
    const [read] = await users.entries("kind=access.read")
    expect(read).toMatchObject({ body: { by: "watchers", person: "people/lea@example.com" } })
  })

  test("is in the ledger every time, and their ID token never is", async () => {
    const text = idToken()
    await present(text)
    await signIn({ email: "lou@example.com" })
    const found = await users.entries("kind=client.authenticated&limit=1000")
    const people = found.map(({ sub }) => sub).filter((sub) => String(sub).startsWith("people/"))
    expect(people).toEqual(["people/lea@example.com", "people/lou@example.com"])
    expect(JSON.stringify(found)).not.toContain(text.slice(0, 40))
    expect(await users.entries("sub=people/lou@example.com")).toMatchObject([
      { body: { client: "leaders", by: "openid", provider: "people" } },
    ])
  })

  test("has no more than 15 minutes from when they were asked who they are", async () => {
    const { body } = await present(idToken({ auth_time: now() - 890 }))
    expect(body.expires_in).toBe(10)
    const token = String(body.access_token)
    expect((await askAs(token, "GET", "/approvals")).status).toBe(200)
    users.house.clock.advance(16_000)
    expect((await askAs(token, "GET", "/approvals")).body.code).toBe("service_token_invalid")
  })
})

describe("an ID token that is not taken", () => {
  const seconds = (age: number) => ({ auth_time: now() - age })
  const cases: [string, () => string, string][] = [
    ["without the time of the sign-in", () => idToken({ auth_time: undefined }), "sign_in_again"],
    ["with a time that is none", () => idToken({ auth_time: "now" }), "sign_in_again"],
    ["of a sign-in 15 minutes ago", () => idToken(seconds(900)), "sign_in_again"],
    ["of a sign-in to come", () => idToken(seconds(-6)), "invalid_client"],
    ["of somebody outside the rule's claims", () => idToken({ groups: ["support"] }), "invalid_client"],
    ["of a group whose name begins alike", () => idToken({ groups: ["leads-2"] }), "invalid_client"],
    ["for another audience", () => idToken({ aud: "helpdesk" }), "invalid_client"],
    ["for the issuer, as a workload's", () => idToken({ aud: ISSUER }), "invalid_client"],
    ["got by another client", () => idToken({ azp: "helpdesk" }), "invalid_client"],
    ["that has ended", () => idToken({ iat: now() - 60, exp: now() - 6 }), "invalid_client"],
    ["of an unverified address", () => idToken({ email_verified: false }), "invalid_client"],
    ["of an address with a space before it", () => idToken({ email: " lea@example.com" }), "invalid_client"],
    ["of another issuer", () => idToken({ iss: "https://evil.example.com" }), "invalid_client"],
    ["that is an access token", () => idToken({}, { typ: "at+jwt" }), "invalid_client"],
    ["by another key", () => idToken({}, {}, foreignSigner("people", "ES256")), "invalid_client"],
  ]

  test.each(cases)("%s", async (_what, make, code) => {
    const { status, body } = await present(make())
    expect([status, body.error]).toEqual([401, "invalid_client"])
    expect(body.code).toBe(code)
    if (code === "sign_in_again") expect(JSON.stringify(body)).toContain("sign in again")
  })

  test("a second time, nor after it started a task, nor starts one after it signed in", async () => {
    const [once, user] = [idToken(), users.token({ auth_time: now(), ...LEA })]
    expect((await present(once)).status).toBe(200)
    expect((await present(once)).body).toMatchObject({ code: "invalid_client" })
    expect((await users.start({ subject_token: once })).body.code).toBe("user_token_invalid")
    expect((await users.start({ subject_token: user })).status).toBe(201)
    expect((await present(user)).body).toMatchObject({ code: "invalid_client" })
  })

  test("without a proof, or for an entry that takes no people", async () => {
    expect((await present(idToken(), "leaders", false)).body.code).toBe("proof_invalid")
    expect((await present(idToken(), "support-orchestrator")).body.code).toBe("invalid_client")
    expect((await present(idToken(), "nobody")).body.code).toBe("invalid_client")
  })

  test("while the provider is away it can't be told, which is no no", async () => {
    const { status, body } = await present(idToken({ iss: away, groups: "security" }), "watchers")
    expect([status, body.code]).toEqual([503, "temporarily_unavailable"])
  })
})

describe("an approval of a task that runs for ana", () => {
  async function question(): Promise<string> {
    const subject_token = users.token({ groups: ["owners"] })
    const start = { type: "close-for-user", inputs: {}, subject_token }
    const { body } = await users.start(start)
    const json = {
      task_id: body.task_id,
      operation: "tickets:close",
      resource: "tickets/SUP-1",
      reason: "Done",
    }
    const asked = await users.house.ask("POST", "/approvals", { as: "support-orchestrator", json })
    expect(asked.status).toBe(201)
    return String(asked.body.id)
  }

  test("is granted by a person, whom answer and ledger name", async () => {
    const id = await question()
    const granted = await askAs(await signIn(), "POST", `/approvals/${id}`, { decision: "grant" })
    expect(granted).toMatchObject({
      status: 200,
      body: { state: "granted", decided_by: "people/lea@example.com" },
    })
    expect(await users.entries("kind=approval.granted")).toMatchObject([
      { body: { as: "leaders", by: "people/lea@example.com" } },
    ])
  })

  test("C13 is not granted by ana herself, though she is a lead, and another lead may", async () => {
    const id = await question()
    const ana = await signIn({ email: "ana@example.com" })
    expect(await askAs(ana, "POST", `/approvals/${id}`, { decision: "grant" })).toMatchObject({
      status: 403,
      body: { code: "approver_not_allowed" },
    })
    const lea = await askAs(await signIn(), "POST", `/approvals/${id}`, { decision: "grant" })
    expect(lea.body.state).toBe("granted")
  })

  test("is not granted by somebody whom a lock stands against", async () => {
    const [id, token] = [await question(), await signIn()]
    const json = { kind: "subject", value: "people/lea@example.com", reason: "left" }
    await users.house.ask("POST", "/revocations", { as: "operations-team", json })
    const refused = await askAs(token, "POST", `/approvals/${id}`, { decision: "grant" })
    expect(refused).toMatchObject({ status: 403, body: { code: "locked" } })
  })

  test("is not seen by people who only watch as theirs to decide", async () => {
    const id = await question()
    const token = await signIn({ groups: "security" }, "watchers")
    const refused = await askAs(token, "POST", `/approvals/${id}`, { decision: "grant" })
    expect(refused).toMatchObject({ status: 403, body: { code: "role_missing" } })
  })
})

test("a policy that no longer knows the provider's people ends their service tokens", async () => {
  const token = await signIn()
  const text = STAFF.replace("AWAY", away).replace(
    "provider: people, claims: { groups: leads }",
    "provider: away, claims: { groups: leads }",
  )
  writeFileSync(join(users.house.policyFolder, "sign-in.yaml"), text)
  await users.house.issuer.reload()
  expect((await askAs(token, "GET", "/approvals")).body.code).toBe("service_token_invalid")
})
