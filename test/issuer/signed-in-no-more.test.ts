// What ends what somebody was given by another's word: a lock that names the person, and a provider whose word counts no more.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { toEpochSeconds } from "../../src/time.ts"
import { signProof } from "../../src/token/proof.ts"
import { ISSUER } from "../support/issuer-house.ts"
import { KEY, openSignIns, type SignIns } from "../support/sign-ins.ts"
import { openWorkloads } from "../support/workloads.ts"

let users: SignIns["users"]
let idToken: SignIns["idToken"]
let present: SignIns["present"]
let signIn: SignIns["signIn"]
let askAs: SignIns["askAs"]

beforeEach(async () => {
  ;({ users, idToken, present, signIn, askAs } = await openSignIns())
})
afterEach(() => users.house.remove())

describe("a person whom a lock names", () => {
  const WATCHER = { groups: "security" }
  const revoke = (json: object) =>
    users.house.ask("POST", "/revocations", { as: "operations-team", json: { reason: "left", ...json } })
  const lock = async (value = "people/lea@example.com", until?: string) => {
    const { status, body } = await revoke({ kind: "subject", value, ...(until !== undefined && { until }) })
    expect([status, body.lock]).toEqual([201, true])
    users.house.clock.advance(1000)
    return String(body.id)
  }

  test.each([
    ["GET", "/locks"],
    ["GET", "/ledger/entries?limit=1"],
    ["POST", "/revocations"],
    ["DELETE", "/revocations/{lock}"],
  ])("can't %s %s with the service token they have", async (method, path) => {
    const token = await signIn(WATCHER, "watchers")
    const id = await lock()
    const json = method === "POST" ? { kind: "agent", value: "triage-bot", reason: "x" } : undefined
    const { status, body } = await askAs(token, method, path.replace("{lock}", id), json)
    expect([status, body.code]).toEqual([403, "locked"])
    const locks = await users.house.ask("GET", "/locks", { as: "operations-team" })
    expect(locks.body.locks).toMatchObject([{ id }])
  })

  test("gets no other service token, and the ID token is not spent", async () => {
    const id = await lock()
    const text = idToken()
    const refused = await present(text)
    expect([refused.status, refused.body.error, refused.body.code]).toEqual([403, "access_denied", "locked"])
    await users.house.ask("DELETE", `/revocations/${id}`, { as: "operations-team" })
    expect((await present(text)).status).toBe(200)
  })

  test("is let in again when it is over, and nobody else was ever out", async () => {
    const [token, other] = [await signIn(), await signIn({ email: "lou@example.com" })]
    await lock("people/lea@example.com", new Date(users.house.clock.now() + 5000).toISOString())
    expect((await askAs(token, "GET", "/approvals")).body.code).toBe("locked")
    expect((await askAs(other, "GET", "/approvals")).status).toBe(200)
    await signIn({ email: "lou@example.com" })
    users.house.clock.advance(5000)
    expect((await askAs(token, "GET", "/approvals")).status).toBe(200)
    await signIn()
  })
})

test("a provider that is disabled vouches for nobody from then on: neither sign-in nor service token", async () => {
  const token = await signIn()
  expect((await askAs(token, "GET", "/approvals")).status).toBe(200)
  const path = join(users.house.policyFolder, "users.yaml")
  const off = readFileSync(path, "utf8").replace("name_claim: email", "name_claim: email, enabled: false")
  writeFileSync(path, off)
  await users.house.issuer.reload()
  expect((await askAs(token, "GET", "/approvals")).body.code).toBe("service_token_invalid")
  const unknown = await present(idToken({ iss: "https://evil.example.com" }))
  const refused = await present(idToken())
  const without = ({ request_id: _id, ...rest }: Record<string, unknown>) => rest
  expect([refused.status, without(refused.body)]).toEqual([unknown.status, without(unknown.body)])
  expect(refused).toMatchObject({ status: 401, body: { error: "invalid_client" } })
})

test("a workload of a disabled provider that has no other way to authenticate is out with the token it has", async () => {
  const { house, present: show, discovered, github, close } = await openWorkloads()
  const bearer = async (assertion: string, clientId: string) => {
    const body: unknown = await (await show(assertion, clientId, {}, KEY)).json()
    const { access_token: accessToken } = body as { readonly access_token: string }
    return async () => {
      const of = { method: "GET", url: `${ISSUER}/tasks`, now: toEpochSeconds(house.clock.now()) }
      const dpop = signProof({ ...of, accessToken }, KEY)
      return (await house.call("GET", "/tasks", { headers: { authorization: `DPoP ${accessToken}`, dpop } }))
        .status
    }
  }
  const [robot, pipeline] = [await bearer(discovered(), "robot"), await bearer(github(), "pipeline")]
  expect([await robot(), await pipeline()]).toEqual([200, 200])
  const path = join(house.policyFolder, "workloads.yaml")
  const [on, off] = ["private_addresses: true", "private_addresses: true, enabled: false"]
  writeFileSync(path, readFileSync(path, "utf8").replace(on, off))
  await house.issuer.reload()
  expect([await robot(), await pipeline()]).toEqual([401, 200])
  await close()
})
