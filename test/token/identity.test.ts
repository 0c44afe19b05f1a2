import { describe, expect, test } from "vitest"
import type { ForeignJwt } from "../../src/token/foreign-jwt.ts"
import { readForeignJwt } from "../../src/token/foreign-jwt.ts"
import { type IdentityRules, judgeIdentity } from "../../src/token/identity.ts"
import { Unreadable } from "../../src/token/jwt.ts"
import { foreignJwt, foreignSigner } from "../support/foreign-issuer.ts"

const US = "https://taskmint.internal"
const NOW = 1_800_000_000
const signer = foreignSigner("k", "ES256")
const WORKFLOW = "acme/support/.github/workflows/agent.yml@refs/heads/main"
const github = { repository_id: "1234", repository_owner_id: "56", workflow_ref: WORKFLOW }
const claims = { iss: "https://them.example", sub: "w", aud: US, iat: NOW, exp: NOW + 300, ...github }

const read = (payload: object | string, header: object = {}): ForeignJwt | Unreadable =>
  readForeignJwt(foreignJwt(signer, payload, { ...header }))
const judge = (payload: object | string, rules: Partial<IdentityRules> = {}, header: object = {}) => {
  const jwt = read(payload, header)
  if (jwt instanceof Unreadable) return tagOf(jwt)
  const verdict = judgeIdentity(jwt, { audience: US, anyOf: [{ claims: github }], now: NOW, ...rules })
  return verdict instanceof Unreadable ? tagOf(verdict) : "verified"
}
const tagOf = ({ tag, member }: Unreadable) => (member === undefined ? tag : `${tag} ${member}`)

test("what is not changed below is taken", () => {
  expect(judge(claims)).toBe("verified")
})

describe("E14 the audience is this issuer, and nothing beside it", () => {
  test.each<[string, unknown]>([
    ["missing", undefined],
    ["the cluster's own", "https://kubernetes.default.svc"],
    ["the cloud's", "sts.amazonaws.com"],
    ["the forge's default", "https://github.com/acme"],
    ["ours and another", [US, "https://kubernetes.default.svc"]],
    ["ours twice", [US, US]],
    ["none of a list", []],
    ["a list in a list", [[US]]],
    ["with a slash", `${US}/`],
    ["our token endpoint", `${US}/token`],
    ["in upper case", US.toUpperCase()],
    ["a beginning of it", US.slice(0, -1)],
    ["a truth value", true],
    ["members", { [US]: US }],
  ])("E14 %s", (_what, aud) => {
    expect(judge({ ...claims, aud })).toBe("aud")
  })

  test("E14 a list of ours alone, as clusters write it, is ours", () => {
    expect(judge({ ...claims, aud: [US] })).toBe("verified")
  })
})

describe("E18 E19 time", () => {
  test.each<[string, object, string]>([
    ["without an end", { exp: undefined }, "claims exp"],
    ["a legacy one of a year", { exp: NOW + 31_536_000 }, "claims exp"],
    ["of an hour and a second", { exp: NOW + 3601 }, "claims exp"],
    ["of an hour", { exp: NOW + 3600 }, "verified"],
    ["a long one near its end", { iat: NOW - 7200, exp: NOW + 60 }, "claims exp"],
    ["without iat, of an hour", { iat: undefined, exp: NOW + 3600 }, "verified"],
    ["without iat, of more", { iat: undefined, exp: NOW + 3606 }, "claims exp"],
    ["ended", { exp: NOW - 5, iat: NOW - 60 }, "expired"],
    ["ended within the skew", { exp: NOW - 4, iat: NOW - 60 }, "verified"],
    ["from the future", { iat: NOW + 6 }, "not_yet"],
    ["for the future", { nbf: NOW + 6 }, "not_yet"],
    ["ending before it began", { iat: NOW + 300 }, "claims iat"],
    ["with a text for an end", { exp: String(NOW + 300) }, "claims exp"],
    ["in milliseconds", { exp: (NOW + 300) * 1000 }, "claims exp"],
    ["with half a second", { exp: NOW + 300.5 }, "json"],
  ])("E18 %s", (_what, change, verdict) => {
    expect(judge({ ...claims, ...change })).toBe(verdict)
  })

  test("E18 an end of infinity is no number", () => {
    expect(judge(JSON.stringify(claims).replace(String(NOW + 300), "1e400"))).toBe("json")
  })
})

describe("E15 E16 E17 a rule fits what it says and nothing like it", () => {
  test.each<[string, object]>([
    ["a repository made again under the name", { repository_id: "9999" }],
    ["the owner's name taken over", { repository_owner_id: "57" }],
    ["a workflow of another branch", { workflow_ref: WORKFLOW.replace("main", "x") }],
    ["a pull request's", { workflow_ref: WORKFLOW.replace("heads/main", "pull/1/merge") }],
    ["a branch with more behind it", { workflow_ref: `${WORKFLOW}-evil` }],
    ["another owner with that name in front", { workflow_ref: WORKFLOW.replace("acme", "acme-evil") }],
    ["another workflow that calls it", { workflow_ref: undefined, job_workflow_ref: WORKFLOW }],
    ["in upper case", { workflow_ref: WORKFLOW.toUpperCase() }],
    ["an empty text", { repository_id: "" }],
    ["no claim", { repository_id: undefined }],
  ])("E16 E17 %s", (_what, change) => {
    expect(judge({ ...claims, ...change })).toBe("claims rule")
  })

  test.each([
    ["repo:acme/app:environment:prod", "repo:acme/app:ref:refs/heads/x:environment:prod"],
    ["repo:acme/app:ref:refs/heads/main", "repo:acme/app:pull_request"],
    ["repo:acme/app:ref:refs/heads/main", "repo:acme-evil/app:ref:refs/heads/main"],
    ["repo:acme/app", "repo:acme/app-evil"],
    ["system:serviceaccount:support:tickets", "system:serviceaccount:support-evil:tickets"],
    ["system:serviceaccount:support:tickets", "system:serviceaccount:support:tickets:x"],
    ["spiffe://prod.example/ns/prod", "spiffe://prod.example/ns/prod-evil"],
    ["spiffe://prod.example/ns/prod", "spiffe://prod.example.evil/ns/prod"],
    ["spiffe://prod.example/ns/prod", "spiffe://prod.example/ns/prod/"],
    ["*", "anything"],
    ["", "anything"],
  ])("E15 E18 E19 %j is not %j", (subject, sub) => {
    expect(judge({ ...claims, sub }, { anyOf: [{ subject }] })).toBe("claims rule")
  })

  test("E15 of several rules one has to fit, whole; a rule that says nothing fits nobody", () => {
    const halves = [
      { subject: "w", claims: { repository_id: "0" } },
      { subject: "v", claims: github },
    ]
    expect(judge(claims, { anyOf: halves })).toBe("claims rule")
    expect(judge(claims, { anyOf: [...halves, { subject: "w" }] })).toBe("verified")
    expect(judge(claims, { anyOf: [{}] })).toBe("claims rule")
  })

  test("E17 the event, and claims within claims, can be asked for", () => {
    const rule = { claims: { ...github, event_name: "push" } }
    expect(judge({ ...claims, event_name: "pull_request_target" }, { anyOf: [rule] })).toBe("claims rule")
    expect(judge({ ...claims, event_name: "push" }, { anyOf: [rule] })).toBe("verified")
    const pod = { anyOf: [{ claims: { "kubernetes.io": { serviceaccount: { uid: "7f3c" } } } }] }
    const of = (uid: unknown) => ({ ...claims, "kubernetes.io": { serviceaccount: { uid } } })
    expect([judge(of("7f3c"), pod), judge(of("7f3d"), pod), judge(of({ uid: "7f3c" }), pod)]).toEqual([
      "verified",
      "claims rule",
      "claims rule",
    ])
  })
})

describe("E23 claims that two readers could read differently", () => {
  test.each<[string, object]>([
    ["a number for a text", { repository_id: 1234 }],
    ["a list for a text", { repository_id: ["1234"] }],
    ["members for a text", { repository_id: { 1234: "1234" } }],
    ["a truth value for a text", { repository_id: true }],
    ["nothing for a text", { repository_id: null }],
  ])("E23 %s", (_what, change) => {
    expect(judge({ ...claims, ...change })).toBe("claims rule")
  })

  test.each<[string, unknown]>([
    ["a list", ["w"]],
    ["a number", 7],
    ["nothing", null],
    ["none", undefined],
    ["an empty one", ""],
    ["one that turns text round", "w\u202e"],
    ["an endless one", "w".repeat(1025)],
  ])("E23 a subject that is %s", (_what, sub) => {
    expect(judge({ ...claims, sub }, { anyOf: [{ subject: "w" }] })).toBe("claims sub")
  })

  test.each<[string, string, string]>([
    ["a claim twice", '"aud":"x"', "json_duplicate"],
    ["a claim twice, spelled otherwise", '"\\u0061ud":"x"', "json_duplicate"],
    ["a member that reaches a prototype", '"__proto__":{}', "json_member"],
    ["an issuer twice", '"iss":"x"', "json_duplicate"],
  ])("E23 %s", (_what, member, tag) => {
    expect(judge(`${JSON.stringify(claims).slice(0, -1)},${member}}`)).toBe(tag)
  })

  test("E23 lists count where a rule is about groups of people, and only then", () => {
    const rules = { anyOf: [{ claims: { groups: "leads" } }] }
    const of = (groups: unknown) => ({ ...claims, groups })
    expect(judge(of(["staff", "leads"]), rules)).toBe("claims rule")
    expect(judge(of(["staff", "leads"]), { ...rules, lists: true })).toBe("verified")
    for (const groups of [["staff"], ["leads-evil"], [["leads"]], { leads: "leads" }, "leads,staff"])
      expect(judge(of(groups), { ...rules, lists: true })).toBe("claims rule")
  })
})

describe("headers that could bring a key, or another reading", () => {
  test.each<[string, object, string]>([
    ["jwk", { jwk: signer.jwk }, "header"],
    ["jku", { jku: "https://evil.example/keys" }, "header"],
    ["x5u", { x5u: "https://evil.example/cert" }, "header"],
    ["x5c", { x5c: ["AA"] }, "header"],
    ["crit", { crit: ["exp"] }, "header"],
    ["zip", { zip: "DEF" }, "header"],
    ["alg none", { alg: "none" }, "alg"],
    ["alg HS256", { alg: "HS256" }, "alg"],
    ["alg RS1", { alg: "RS1" }, "alg"],
    ["no kid", { kid: undefined }, "kid"],
    ["a kid that is a list", { kid: ["k"] }, "kid"],
    ["an access token's typ", { typ: "at+jwt" }, "typ"],
    ["a proof's typ", { typ: "dpop+jwt" }, "typ"],
    ["our own assertion's typ", { typ: "client-authentication+jwt" }, "typ"],
    ["a thumbprint of a certificate", { x5t: "AA" }, "verified"],
    ["typ in lower case", { typ: "jwt" }, "verified"],
    ["no typ", { typ: undefined }, "verified"],
  ])("%s", (_what, header, verdict) => {
    expect(judge(claims, {}, header)).toBe(verdict)
  })

  test.each([
    ["two parts", (text: string) => text.split(".").slice(0, 2).join(".")],
    ["four parts", (text: string) => `${text}.AA`],
    ["padding", (text: string) => `${text}=`],
    ["a space", (text: string) => ` ${text}`],
    ["a line's end", (text: string) => `${text}\n`],
    ["an empty signature", (text: string) => text.replace(/[^.]*$/, "")],
  ])("%s", (_what, change) => {
    const jwt = readForeignJwt(change(foreignJwt(signer, claims)))
    expect(jwt instanceof Unreadable && jwt.tag).toBe("format")
  })

  test("more than 16 KiB are not read", () => {
    expect(judge({ ...claims, filler: "x".repeat(16_384) })).toBe("size")
  })
})
