// Tokens where they should not be, at the issuer: canaries grant nothing and every use of one is an alarm; what somebody found
// is told by id, and written down once.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { toEpochSeconds } from "../../src/time.ts"
import { newId } from "../../src/token/id.ts"
import { signProof } from "../../src/token/proof.ts"
import { publicHalf, readKeySet } from "../../src/token/signature.ts"
import { judgeToken, judgeUse, openTaskToken } from "../../src/token/verify.ts"
import { type CallerName, type House, ISSUER, openHouse, START, TICKETS } from "../support/issuer-house.ts"
import { createReporter, reportedToken } from "../support/reporter.ts"

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.remove())

const CANARY = {
  type: START.type,
  agent: START.agent,
  inputs: START.inputs,
  reason: "In the wiki of support",
}

interface Minted {
  readonly task_id: string
  readonly jti: string
  readonly access_token: string
}

async function mint(changes: object = {}): Promise<Minted> {
  const { status, body } = await house.ask("POST", "/canaries", {
    as: "operations-team",
    json: { ...CANARY, ...changes },
  })
  expect(status).toBe(201)
  return body as unknown as Minted
}

async function start(): Promise<Minted> {
  const json = { ...START, reference: newId("use") }
  const { body } = await house.ask("POST", "/tasks", { as: "support-orchestrator", json })
  const [token] = body.tokens as { access_token: string }[]
  const text = token?.access_token ?? ""
  return { task_id: String(body.task_id), jti: reportedToken(text).jti, access_token: text }
}

interface Told {
  readonly code?: string
  readonly body: Record<string, unknown>
}

async function entries(query: string): Promise<readonly Told[]> {
  const { body } = await house.ask("GET", `/ledger/entries?${query}`, { as: "audit-team" })
  return body.entries as Told[]
}
const alarmsOf = (jti: string) => entries(`jti=${jti}&kind=alarm.raised`)

async function keyOf() {
  const keys = readKeySet(await (await house.call("GET", "/.well-known/jwks.json")).json())
  if (!(keys instanceof Map)) throw new Error("no keys")
  return (kid: string) => keys.get(kid)
}

describe("a canary", () => {
  test("says what a usual token says, and has run out before anybody has it", async () => {
    const [canary, usual] = [await mint(), await start()]
    const keys = await keyOf()
    const [found, like] = [canary, usual].map(({ access_token }) => openTaskToken(access_token, keys))
    if (!found || !("token" in found) || !like || !("token" in like)) throw new Error("not genuine")
    const { iat, nbf, exp, jti, txn, ...said } = found.token
    expect(like.token).toMatchObject(said)
    expect(Object.keys(found.token)).toEqual(Object.keys(like.token))
    expect([exp - iat, nbf, jti, txn]).toEqual([
      like.token.exp - like.token.iat,
      iat,
      canary.jti,
      canary.task_id,
    ])
    const now = toEpochSeconds(house.clock.now())
    for (const clock of [now, now - 3590]) // a verifier's that is an hour behind
      expect(judgeToken(found.token, { issuer: ISSUER, audience: TICKETS, now: clock })?.code).toBe(
        "token_expired",
      )
  })

  test("for a drill lives five minutes, and grants an operation that no policy has", async () => {
    const found = openTaskToken((await mint({ live: true })).access_token, await keyOf())
    if (!("token" in found)) throw new Error("not genuine")
    const now = toEpochSeconds(house.clock.now())
    expect(judgeToken(found.token, { issuer: ISSUER, audience: TICKETS, now })).toBeUndefined()
    for (const operation of ["tickets:read", "tickets:comment", "tickets:close"])
      expect(judgeUse(found.token, operation, ["canary"])).toMatchObject({ code: "operation_not_granted" })
    expect(found.token.exp - now).toBe(300)
  })

  test("is written down as one, with why, and its task is nobody's", async () => {
    const { jti, task_id: task } = await mint()
    expect(await entries(`jti=${jti}`)).toMatchObject([
      {
        kind: "canary.issued",
        task_id: task,
        orchestrator: "support-orchestrator",
        api: "tickets",
        body: { by: "operations-team", live: false, reason: CANARY.reason, type: START.type },
      },
    ])
    const shown = (as: CallerName) => house.ask("GET", `/tasks/${task}`, { as })
    expect((await shown("support-orchestrator")).status).toBe(404)
    expect((await shown("audit-team")).body).toMatchObject({ state: "canceled", type: "@canary", grants: [] })
  })

  test.each<[string, object, string]>([
    ["of no task type", { type: "nothing" }, "access_denied"],
    ["of an unknown API", { api: "nothing" }, "invalid_request"],
    ["with an input that no task could have", { inputs: { ticket: "nothing" } }, "inputs_invalid"],
    ["of another task's API", { api: "deployments" }, "api_not_allowed"],
  ])("%s is refused as a start would be", async (_, changes, code) => {
    const { status, body } = await house.ask("POST", "/canaries", {
      as: "operations-team",
      json: { ...CANARY, ...changes },
    })
    expect([status >= 400, body.code]).toEqual([true, code])
  })

  test.each<CallerName>(["audit-team", "support-orchestrator", "tickets"])(
    "is not minted for %s",
    async (as) => {
      expect((await house.ask("POST", "/canaries", { as, json: CANARY })).body.code).toBe("role_missing")
    },
  )
})

describe("an alarm is raised when a canary is used", () => {
  test("at a verifier, whatever that decided, and long after it ran out; no use of another token is one", async () => {
    const [canary, usual] = [await mint(), await start()]
    const reporter = createReporter(house)
    house.clock.advance(86_400_000)
    const refused = { decision: "refused", code: "token_expired" } as const
    await reporter.report([
      reporter.use(reportedToken(canary.access_token), refused),
      reporter.use(reportedToken(usual.access_token), refused),
    ])
    expect(await alarmsOf(canary.jti)).toMatchObject([
      {
        code: "canary_used",
        api: "tickets",
        task_id: canary.task_id,
        body: { alarm: "canary_used", uses: 1, verifier: reporter.instance },
      },
    ])
    const [use] = await entries(`jti=${canary.jti}&kind=use.refused`)
    expect(use?.body.anomalies).toEqual(["canary_used"])
    expect(await alarmsOf(usual.jti)).toEqual([])
    await reporter.report([reporter.use(reportedToken(canary.access_token), { decision: "allowed" })])
    expect((await entries(`jti=${canary.jti}&kind=use.allowed`))[0]?.body.anomalies).toEqual(["canary_used"])
    await house.issuer.sweep()
    const { body } = await house.ask("GET", "/reports/anomalies", { as: "audit-team" })
    const { agents } = body.learning as { agents: readonly { type: string }[] }
    expect(agents.filter(({ type }) => type.startsWith("@"))).toEqual([]) // nothing is learned of it
  })

  test("and no report stumbles over one", async () => {
    const { jti, task_id: task, access_token } = await mint()
    const reporter = createReporter(house)
    await reporter.report([reporter.use(reportedToken(access_token), { decision: "allowed" })])
    await house.issuer.sweep()
    const asked = ["did", "could", "behalf", "rule", "approved"].map((one) => `/reports/${one}?jti=${jti}`)
    const reports = [
      "/reports/least-privilege",
      "/reports/posture",
      "/reports/silence",
      "/reports/completeness",
    ]
    for (const path of [...asked, ...reports, "/tasks?state=canceled"])
      expect([path, (await house.call("GET", path, { as: "audit-team" })).status]).toEqual([path, 200])
    expect((await house.call("GET", `/tasks/${task}/statement`, { as: "audit-team" })).status).toBe(404)
    expect(house.faults).toEqual([])
  })

  const proofKey = () => house.proofKeyOf("deployments")
  const exchange = (subject: string) => ({
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token: subject,
    subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
    resource: TICKETS,
  })
  test.each<[string, string, (text: string) => Promise<Response>]>([
    ["as a credential", "service", (token) => house.call("GET", "/tasks", { token })],
    [
      "in a question by an API that it is not for",
      "introspection",
      (token) =>
        house.call("POST", "/introspect", {
          as: "deployments",
          headers: { "content-type": "application/x-www-form-urlencoded" },
          body: `token=${token}`,
        }),
    ],
    [
      "for an exchange, by whoever has a key",
      "exchange",
      (token) => {
        const now = toEpochSeconds(house.clock.now())
        const dpop = signProof({ method: "POST", url: `${ISSUER}/token`, now }, proofKey())
        return house.form(exchange(token), { dpop })
      },
    ],
    ["for an exchange, without any proof", "exchange", (token) => house.form(exchange(token))],
  ])("at the issuer, %s", async (_, shownAt, show) => {
    const [canary, usual] = [await mint(), await start()]
    for (const { access_token } of [usual, canary, canary]) await show(access_token)
    await vi.waitFor(async () => expect(await alarmsOf(canary.jti)).toHaveLength(1), 3000)
    const [alarm] = await alarmsOf(canary.jti)
    expect(alarm).toMatchObject({ code: "canary_used", body: { shown_at: shownAt } })
    expect(await alarmsOf(usual.jti)).toEqual([])
    house.clock.advance(60_000)
    await show(canary.access_token)
    await vi.waitFor(async () => expect(await alarmsOf(canary.jti)).toHaveLength(2), 3000)
  })

  test("and what only looks like one is none", async () => {
    const { access_token: text, jti } = await mint()
    await house.call("GET", "/tasks", { token: `${text.slice(0, -10)}AAAAAAAAAA` })
    expect(publicHalf(proofKey()).kid).not.toBe("")
    expect(await alarmsOf(jti)).toEqual([])
  })
})

describe("what was found", () => {
  const PLACES = [{ file: "app.log", line: 7 }]
  const tell = async (jti: string, changes: object = {}, as: CallerName = "audit-team") => {
    const told = { jti, places: PLACES, found: 1, standing: "genuine", ...changes }
    const { body } = await house.ask("POST", "/exposures", { as, json: { exposures: [told] } })
    return (body.exposures as Record<string, unknown>[])[0]
  }

  test("is told with the state that it has, and of which task it is", async () => {
    const { jti, task_id } = await start()
    const who = { task_id, agent: START.agent, orchestrator: "support-orchestrator", canary: false }
    expect(await tell(jti)).toMatchObject({ ...who, state: "live", task_state: "active" })
    await house.call("POST", "/revocations", {
      as: "operations-team",
      json: { kind: "token", value: jti, reason: "found" },
    })
    expect(await tell(jti)).toMatchObject({ ...who, state: "ended", task_state: "active" })
    const other = await start()
    house.clock.advance(3_600_000)
    expect(await tell(other.jti)).toMatchObject({ state: "expired" })
    expect(await tell((await mint()).jti)).toMatchObject({
      state: "expired",
      canary: true,
      task_state: "canceled",
    })
    expect(await tell(newId("tok"))).toEqual({ jti: expect.any(String), state: "unknown", recorded: false })
  })

  test("is an entry with its places, once for the same ones", async () => {
    const { jti, task_id } = await start()
    expect(await tell(jti)).toMatchObject({ recorded: true })
    expect(await tell(jti, {}, "operations-team")).toMatchObject({ recorded: false })
    expect(await tell(jti, { found: 2 })).toMatchObject({ recorded: true })
    expect(await entries(`jti=${jti}&kind=token.exposed`)).toMatchObject([
      { task_id, code: "live", body: { by: "audit-team", places: PLACES, found: 1, standing: "genuine" } },
      { body: { found: 2 } },
    ])
  })

  test("leaves no name of a file in what is hashed", async () => {
    const { jti } = await start()
    const file = "/home/ana.example/secret-app.log"
    await tell(jti, { places: [{ file, line: 1 }] })
    await house.issuer.sweep()
    const read = async (path: string) => (await house.call("GET", path, { as: "audit-team" })).text()
    const size = Number((await read("/ledger/checkpoint")).split("\n")[1])
    const hashed = await read(`/ledger/tile/entries/000.p/${size}`)
    expect(hashed).toContain(`"jti":"${jti}","kind":"token.exposed"`)
    expect(hashed).not.toContain("secret-app")
    const [entry] = await entries(`jti=${jti}&kind=token.exposed`)
    expect(entry?.body.places).toEqual([{ file, line: 1 }])
  })

  test.each([
    ["a token in the place of its id", { jti: "eyJ0eXAiOiJhdCtqd3QifQ.e30.x" }],
    ["a line that no file has", { places: [{ file: "x", line: 0 }] }],
    ["no place", { places: [] }],
    ["that it is forged", { standing: "forged" }],
  ])("is not taken with %s", async (_, changes) => {
    const told = { jti: newId("tok"), places: PLACES, found: 1, standing: "genuine", ...changes }
    const { status } = await house.ask("POST", "/exposures", {
      as: "audit-team",
      json: { exposures: [told] },
    })
    expect(status).toBe(400)
  })
})
