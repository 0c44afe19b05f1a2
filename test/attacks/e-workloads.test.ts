// Catalogue, section E: callers without a secret of their own, over the issuer's real HTTP surface. How claims are read is
// held in test/token/identity.test.ts, what rules may say in test/policy/fixtures, keys in test/remote.
import { readFileSync, writeFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { DISCOVERY, foreignSigner, KEYS } from "../support/foreign-issuer.ts"
import { compact } from "../support/forge.ts"
import { ISSUER } from "../support/issuer-house.ts"
import { CLUSTER, GITHUB, openWorkloads, WORKFLOW, type Workloads } from "../support/workloads.ts"

let all: Workloads
beforeAll(async () => {
  all = await openWorkloads()
})
afterAll(() => all.close())

const NO = "401 invalid_client"

test("each platform's token is a service token, bound to the key that came along", async () => {
  for (const [assertion, name] of [
    [all.github(), "pipeline"],
    [all.cluster(), "pipeline"],
    [all.cluster({ sub: "system:serviceaccount:support:helper" }), "helper"],
    [all.discovered(), "robot"],
    [all.discovered({ jti: undefined }), "robot"],
  ] as const) {
    const answer = await all.present(assertion, name)
    expect([answer.status, await answer.json()]).toMatchObject([200, { token_type: "DPoP", expires_in: 300 }])
  }
  const { body } = await all.house.ask("GET", "/ledger/entries?kind=client.authenticated&limit=1000", {
    as: "audit-team",
  })
  const entries = body.entries as { orchestrator?: string; agent?: string; body: unknown }[]
  expect(entries.map((entry) => entry.body)).toEqual(
    expect.arrayContaining([
      {
        client: "pipeline",
        by: "workload",
        provider: "github",
        workload: "repo:acme/support:ref:refs/heads/main",
        kid: "k1",
      },
      {
        client: "helper",
        by: "workload",
        provider: "cluster",
        workload: "system:serviceaccount:support:helper",
        kid: "k1",
      },
    ]),
  )
  expect(entries.some((entry) => entry.agent === "helper")).toBe(true)
})

describe("E13 whose word it is", () => {
  test.each<[string, () => string, string]>([
    [
      "a workflow's token signed by an issuer that may not say so",
      () => all.discovered({ sub: "system:serviceaccount:support:pipeline" }),
      "pipeline",
    ],
    [
      "an issuer that nobody named",
      () => all.github({ iss: "https://token.actions.githubusercontent.com.evil.example" }),
      "pipeline",
    ],
    ["the issuer in upper case", () => all.github({ iss: GITHUB.toUpperCase() }), "pipeline"],
    ["the issuer with a slash", () => all.github({ iss: `${GITHUB}/` }), "pipeline"],
    ["the issuer with a port", () => all.github({ iss: `${GITHUB}:443` }), "pipeline"],
    ["two issuers", () => all.github({ iss: [GITHUB, CLUSTER] }), "pipeline"],
    ["a token that says it is ours", () => all.github({ iss: ISSUER }), "pipeline"],
    [
      "a token that says it is the caller's",
      () => all.github({ iss: "pipeline", sub: "pipeline" }),
      "pipeline",
    ],
    ["another caller's workload", () => all.discovered(), "pipeline"],
    ["a caller with a key alone", () => all.github(), "support-orchestrator"],
    ["a caller that there is not", () => all.github(), "nobody"],
    ["another key", () => all.discovered({}, foreignSigner("k1", "ES256")), "robot"],
    ["another algorithm", () => all.discovered({}, foreignSigner("k1", "EdDSA")), "robot"],
  ])("E13 %s", async (_what, assertion, name) => {
    expect(await all.verdict(assertion(), name)).toBe(NO)
  })

  test("E13 without client_id nobody is meant", async () => {
    expect((await all.present(all.github(), "pipeline", { client_id: "" })).status).toBe(401)
  })
})

describe("E14 E16 E17 E18 E23 what is not meant for us, or not them", () => {
  test.each<[string, object]>([
    ["E14 the default audience", { aud: "https://github.com/acme" }],
    ["E14 two audiences", { aud: [ISSUER, "https://github.com/acme"] }],
    ["E16 a repository made again under the name", { repository_id: "99" }],
    ["E16 the owner's name taken over", { repository_owner_id: "57" }],
    ["E17 a pull request's workflow", { workflow_ref: WORKFLOW.replace("heads/main", "pull/7/merge") }],
    ["E18 a life of more than an hour", { exp: 2_000_000_000 }],
    ["E18 no end", { exp: undefined }],
    ["E23 an id that is a number", { repository_id: 1234 }],
    ["E23 a subject that is a list", { sub: ["repo:acme/support:ref:refs/heads/main"] }],
  ])("%s", async (_what, change) => {
    expect(await all.verdict(all.github(change), "pipeline")).toBe(NO)
  })

  test("E15 E18 another account, another namespace, one with more behind it", async () => {
    for (const sub of [
      "support:other",
      "support-evil:pipeline",
      "support:pipeline:x",
      "support:pipeline-evil",
    ])
      expect(await all.verdict(all.cluster({ sub: `system:serviceaccount:${sub}` }), "pipeline")).toBe(NO)
  })

  test("E19 E23 every refusal of somebody unauthenticated has the same body", async () => {
    const bodies = await Promise.all(
      [
        all.github({ aud: "x" }),
        all.github({ iss: "https://x.example" }),
        "x.y.z",
        compact({ alg: "none" }, {}),
      ].map(async (one) => {
        const { request_id: _id, ...body } = (await (await all.present(one, "pipeline")).json()) as Record<
          string,
          unknown
        >
        return JSON.stringify(body)
      }),
    )
    expect(new Set(bodies).size).toBe(1)
  })
})

describe("E20 a token is worth one exchange", () => {
  test.each<[string, () => string, string]>([
    ["with a jti", () => all.github(), "pipeline"],
    ["without one", () => all.discovered({ jti: undefined, nonce: Math.random().toString() }), "robot"],
  ])("E20 %s", async (_what, make, name) => {
    const one = make()
    const verdicts = await Promise.all(Array.from({ length: 8 }, () => all.verdict(one, name)))
    expect(verdicts.sort()).toEqual(["200", ...Array.from({ length: 7 }, () => NO)])
    await all.house.restart()
    expect(await all.verdict(one, name)).toBe(NO)
  })

  test("E20 another signature over the same, and another jti of another issuer, are what they are", async () => {
    const claims = { jti: undefined, nonce: "twice" }
    expect(await all.verdict(all.discovered(claims), "robot")).toBe("200")
    expect(await all.verdict(all.discovered(claims), "robot")).toBe(NO)
    expect(await all.verdict(all.github({ jti: "shared" }), "pipeline")).toBe("200")
    expect(await all.verdict(all.discovered({ jti: "shared" }), "robot")).toBe("200")
  })

  test("E20 a cluster's lies in a file until it ends, and may come again, each time with a proof of its own", async () => {
    const one = all.cluster()
    expect(await all.verdict(one, "pipeline")).toBe("200")
    expect(await all.verdict(one, "pipeline")).toBe("200")
    all.house.clock.advance(3_606_000)
    expect(await all.verdict(one, "pipeline")).toBe(NO)
  })

  test("E20 without a proof, or with one that was used, there is no service token", async () => {
    const bare = await all.present(all.cluster(), "pipeline", {}, null)
    expect([bare.status, await bare.json()]).toMatchObject([400, { error: "invalid_dpop_proof" }])
  })

  test("a refused request spends nothing", async () => {
    const one = all.github()
    expect((await all.present(one, "pipeline", { scope: "operator" })).status).toBe(400)
    expect((await all.present(one, "pipeline", {}, null)).status).toBe(400)
    expect(await all.verdict(one, "pipeline")).toBe("200")
  })
})

describe("E21 E22 while the provider can't be asked", () => {
  test("E21 nobody is called invalid, and others are served", async () => {
    const away = await openWorkloads()
    away.foreign.cut(true)
    await away.house.restart()
    const answer = await away.present(away.discovered(), "robot")
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "2"])
    expect(await answer.json()).toMatchObject({ error: "temporarily_unavailable" })
    expect(await away.verdict(away.github(), "pipeline")).toBe("200")
    const warnings = async () => (await away.house.ask("GET", "/readyz")).body.warnings
    expect(await warnings()).toEqual(["identity_provider_away"])
    away.foreign.cut(false)
    away.house.clock.advance(30_000)
    expect(await away.verdict(away.discovered(), "robot")).toBe("200")
    expect(await warnings()).toEqual([])
    await away.close()
  })

  test("E21 a provider that is disabled is asked by nobody, vouches for nobody, and is no warning", async () => {
    const off = await openWorkloads("", ", enabled: false")
    off.foreign.cut(true)
    await off.house.restart()
    expect(await off.verdict(off.discovered(), "robot")).toBe(NO)
    expect(await off.verdict(off.github(), "pipeline")).toBe("200")
    expect((await off.house.ask("GET", "/readyz")).body.warnings).toEqual([])
    await off.close()
  })

  test("E22 keys that move are an alarm, not a new truth, also behind a restart", async () => {
    const one = await openWorkloads()
    expect(await one.verdict(one.discovered(), "robot")).toBe("200")
    const stranger = foreignSigner("k2", "ES256")
    one.foreign.answer("/moved", { keys: [stranger.jwk] })
    one.foreign.answer(DISCOVERY, { issuer: one.foreign.issuer, jwks_uri: `${one.foreign.issuer}/moved` })
    await one.house.restart()
    expect(await one.verdict(one.discovered({}, stranger), "robot")).toBe(NO)
    expect(await one.verdict(one.discovered(), "robot")).toBe("200")
    const { body } = await one.house.ask("GET", "/ledger/entries?kind=alarm.raised&limit=100", {
      as: "audit-team",
    })
    expect((body.entries as { body: unknown }[]).map((entry) => entry.body)).toContainEqual({
      alarm: "identity_provider_moved",
      issuer: one.foreign.issuer,
    })
    await one.close()
  })
})

describe("E28 a configuration that is wrong never opens anything", () => {
  test("E28 E22 a provider that answers wrongly is refused with its place; what was in force stays", async () => {
    const one = await openWorkloads()
    const path = `${one.house.policyFolder}/workloads.yaml`
    const before = readFileSync(path, "utf8")
    const reload = (text: string) => {
      writeFileSync(path, text)
      return one.house.ask("POST", "/policy/reload", { as: "operations-team" })
    }
    one.foreign.answer(DISCOVERY, {
      issuer: "https://evil.example",
      jwks_uri: `${one.foreign.issuer}${KEYS}`,
    })
    const other = before.replace(
      "  discovered: {",
      '  second: { issuer: "https://localhost:1", private_addresses: true }\n  discovered: {',
    )
    const localhost = one.foreign.issuer.replace("127.0.0.1", "localhost")
    const wrong = await reload(other.replace("https://localhost:1", localhost))
    expect(wrong).toMatchObject({
      status: 422,
      body: {
        code: "policy_refused",
        errors: [{ pointer: "workloads.yaml:5:3", expected: expect.stringMatching(/another issuer/) }],
      },
    })
    const mine = await reload(other.replace("https://localhost:1", ISSUER))
    expect(mine.body).toMatchObject({ errors: [{ expected: "expected another issuer than this one" }] })
    expect((await reload(other.replace("issuer:", "isuer:"))).status).toBe(422)
    expect((await reload(before.replace(/jwks: \{ keys: .*\] \}/, "jwks: keys/none.jwks.json"))).status).toBe(
      422,
    )
    expect(await one.verdict(one.github(), "pipeline")).toBe("200")
    await one.close()
  })

  test("E28 a provider taken out of the policy says nothing any more", async () => {
    const one = await openWorkloads()
    const path = `${one.house.policyFolder}/workloads.yaml`
    const without = readFileSync(path, "utf8").replace(/ {6}- workload: \{ provider: github.*\n/, "")
    writeFileSync(path, without)
    expect((await one.house.ask("POST", "/policy/reload", { as: "operations-team" })).body.result).toBe(
      "loaded",
    )
    expect(await one.verdict(one.github(), "pipeline")).toBe(NO)
    expect(await one.verdict(one.cluster(), "pipeline")).toBe("200")
    await one.close()
  })
})

test("a workload exchanges nothing with its platform's token alone, which is bound to no key", async () => {
  const one = all.github()
  const exchange = {
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token: "x.y.z",
    subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
    resource: "https://tickets.internal.example",
  }
  const answer = await all.present(one, "pipeline", exchange, null)
  expect([answer.status, await answer.json()]).toMatchObject([401, { error: "invalid_client" }])
  expect(await all.verdict(one, "pipeline"), "it was not spent").toBe("200")
})

test("a workload's service token is used with proofs by its key, and by no other", async () => {
  const key = importSigningKey(generatePrivateJwk("ES256"))
  const answer = await all.present(all.cluster(), "pipeline", {}, key)
  const body = (await answer.json()) as Record<string, unknown>
  expect((await all.house.call("GET", "/tasks", { token: String(body.access_token) })).status).toBe(401)
})
