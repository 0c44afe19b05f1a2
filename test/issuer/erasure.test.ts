// Erasing over HTTP: a person who signed in and operates, nobody with a key.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { toEpochSeconds } from "../../src/time.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { ASSERTION_TYPE, ISSUER } from "../support/issuer-house.ts"
import { openUsers, type Users } from "../support/users.ts"

const STAFF = `version: 1
staff:
  security: { roles: [operator], authenticate: [{ openid: { provider: people, claims: { groups: security } } }] }
`
const KEY = importSigningKey(generatePrivateJwk("ES256"))
const REASON = "They asked for it"
let users: Users
let signedIn: string

beforeAll(async () => {
  users = await openUsers({ "security.yaml": STAFF })
  const claims = { auth_time: now() - 60, email: "sec@example.com", groups: ["security"] }
  const form = {
    grant_type: "client_credentials",
    client_id: "security",
    client_assertion_type: ASSERTION_TYPE,
  }
  const answer = await users.house.form(
    { ...form, client_assertion: users.token(claims) },
    { dpop: proofFor("POST", `${ISSUER}/token`) },
  )
  signedIn = String(((await answer.json()) as Record<string, unknown>).access_token)
})
afterAll(() => users.house.remove())

const now = () => toEpochSeconds(users.house.clock.now())
const proofFor = (method: string, url: string, accessToken?: string) =>
  signProof({ method, url, now: now(), ...(accessToken !== undefined && { accessToken }) }, KEY)
const erase = (json: object) => {
  const dpop = proofFor("POST", `${ISSUER}/ledger/erase`, signedIn)
  return users.house.ask("POST", "/ledger/erase", {
    json,
    headers: { authorization: `DPoP ${signedIn}`, dpop },
  })
}

async function endedTask(email: string): Promise<string> {
  const { body } = await users.startFor({ email })
  await users.house.call("POST", `/tasks/${body.task_id}/complete`, { as: "support-orchestrator" })
  return String(body.task_id)
}

describe("POST /ledger/erase", () => {
  test("erases a task, and then a person; the ledger names who signed in, and again is 200", async () => {
    const task = await endedTask("ana@example.com")
    const erased = await erase({ task, reason: REASON })
    expect(erased).toMatchObject({ status: 200, body: { tasks: 1, from_files: expect.any(Boolean) } })
    expect(erased.body.entries).toBeGreaterThan(2)
    expect(await erase({ task, reason: REASON })).toMatchObject({
      status: 200,
      body: { tasks: 0, entries: 0 },
    })
    await endedTask("ana@example.com")
    for (const tasks of [1, 0])
      expect(await erase({ sub: "people/ana@example.com", reason: REASON })).toMatchObject({
        status: 200,
        body: { tasks },
      })
    const told = await users.entries("kind=ledger.erased")
    expect(told.map(({ body }) => body)).toMatchObject([
      { by: "people/sec@example.com", as: "security", of: "task", reason: REASON },
      { of: "subject" },
      { of: "subject", tasks: 1 }, // the first names nobody any more
    ])
  })

  test("refuses whoever has a key, and whoever does not operate", async () => {
    const json = { task: await endedTask("bo@example.com"), reason: REASON }
    const ask = (as: "operations-team" | "audit-team") =>
      users.house.ask("POST", "/ledger/erase", { as, json })
    expect(await ask("operations-team")).toMatchObject({ status: 403, body: { code: "person_required" } })
    expect(await ask("audit-team")).toMatchObject({ status: 403, body: { code: "role_missing" } })
    expect(await users.entries("sub=people/bo@example.com")).toHaveLength(3)
  })

  test("answers 409 with the next step while the task runs", async () => {
    const { body } = await users.startFor({ email: "cy@example.com" })
    const refused = { status: 409, body: { code: "erasure_blocked", next: "wait" } }
    expect(await erase({ task: body.task_id, reason: REASON })).toMatchObject(refused)
    expect(await erase({ sub: "people/cy@example.com", reason: REASON })).toMatchObject(refused)
  })

  test.each([
    ["both", { sub: "people/ana@example.com", task: "task_x" }],
    ["neither", {}],
    ["a task id that is none", { task: "task_x" }],
    ["no reason", { sub: "people/ana@example.com", reason: undefined }],
  ])("refuses %s as malformed", async (_what, changes) => {
    expect(await erase({ reason: REASON, ...changes })).toMatchObject({ status: 400 })
  })
})
