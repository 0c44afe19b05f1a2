import { afterEach, beforeEach, describe, expect, test } from "vitest"
import {
  createIdentityProviders,
  type IdentityProvidersOptions,
  type ProviderSettings,
} from "../../src/remote/identity-providers.ts"
import { toEpochSeconds } from "../../src/time.ts"
import type { IdentityRules } from "../../src/token/identity.ts"
import { Unreadable } from "../../src/token/jwt.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import {
  type ForeignIssuer,
  foreignJwt,
  foreignSigner,
  KEYS,
  startForeignIssuer,
} from "../support/foreign-issuer.ts"

const US = "https://taskmint.internal"
const SUBJECT = "workload-1"
const rsa = foreignSigner("r1")
const next = foreignSigner("e1", "ES256")
const [MINUTE, HOUR] = [60_000, 3_600_000]

let foreign: ForeignIssuer
let clock = createFakeClock()
let pinned = new Map<string, string>()
let moved: string[] = []
beforeEach(async () => {
  foreign = await startForeignIssuer()
  foreign.publish(rsa)
  clock = createFakeClock()
  pinned = new Map()
  moved = []
})
afterEach(() => foreign.close())

const pins: IdentityProvidersOptions["pins"] = {
  async keep(issuer, at) {
    const standing = pinned.get(issuer) ?? at
    pinned.set(issuer, standing)
    return standing
  },
  read: async (issuer) => pinned.get(issuer),
}
const create = (changes: Partial<IdentityProvidersOptions> = {}) =>
  createIdentityProviders({
    clock,
    pins,
    moved: (issuer) => moved.push(issuer),
    onFault: (fault) => {
      throw fault
    },
    ...changes,
  })
const provider = (changes: Partial<ProviderSettings> = {}): ProviderSettings => ({
  name: "foreign",
  issuer: foreign.issuer,
  privateAddresses: true,
  ...changes,
})
const now = () => toEpochSeconds(clock.now())
const rules = (changes: Partial<IdentityRules> = {}): IdentityRules => ({
  audience: US,
  anyOf: [{ subject: SUBJECT }],
  now: now(),
  ...changes,
})
const claims = (changes: object = {}) => ({
  iss: foreign.issuer,
  sub: SUBJECT,
  aud: US,
  iat: now(),
  exp: now() + 300,
  ...changes,
})
const tagOf = (verdict: unknown) =>
  verdict instanceof Unreadable ? `${verdict.tag} ${verdict.member ?? ""}`.trim() : verdict
const verdictOn = async (text: string, from = create(), changes: Partial<IdentityRules> = {}) =>
  tagOf(await from.verify(provider(), text, rules(changes)))

describe("a JWT of a provider", () => {
  test.each([rsa, next, foreignSigner("p1", "PS256"), foreignSigner("d1", "EdDSA")])(
    "$alg: who it names is told, and what makes it this one",
    async (signer) => {
      foreign.publish(
        rsa,
        next,
        signer.kid === "r1" || signer.kid === "e1" ? foreignSigner("x", "ES256") : signer,
      )
      const text = foreignJwt(signer, claims({ jti: "j1", ref: "main" }))
      const verdict = await create().verify(provider(), text, rules())
      expect(verdict).toMatchObject({
        issuer: foreign.issuer,
        subject: SUBJECT,
        claims: { ref: "main" },
        once: "jti:j1",
        rule: { subject: SUBJECT },
      })
    },
  )

  test("without a jti it is told by what was signed, whatever the signature's bytes", async () => {
    const once = async (text: string) => {
      const verdict = await create().verify(provider(), text, rules())
      return verdict instanceof Unreadable || verdict === "unavailable" ? verdict : verdict.once
    }
    foreign.publish(next)
    const [one, again] = [foreignJwt(next, claims()), foreignJwt(next, claims())]
    expect(one).not.toBe(again)
    expect(await once(one)).toMatch(/^sha-256:.{43}$/)
    expect(await once(one)).toBe(await once(again))
  })

  test("keys in the policy are used without asking anybody", async () => {
    foreign.cut(true)
    const fixed = provider({ jwks: { keys: [rsa.jwk] } })
    const text = foreignJwt(rsa, claims())
    expect(await create().verify(fixed, text, rules())).toMatchObject({ subject: SUBJECT })
    expect(tagOf(await create().verify(fixed, foreignJwt(next, claims()), rules()))).toBe("kid")
  })

  test("keys at an address that the policy names are asked for there alone", async () => {
    foreign.answer("/elsewhere", { keys: [next.jwk] })
    const named = provider({ jwksUri: `${foreign.issuer}/elsewhere` })
    expect(await create().verify(named, foreignJwt(next, claims()), rules())).toMatchObject({ kid: "e1" })
    expect(foreign.asked).toEqual(["/elsewhere"])
  })
})

describe("E13 each issuer is its own", () => {
  test.each([
    ["another issuer", "https://other.example"],
    ["in upper case", "HTTP://127.0.0.1"],
    ["with a slash", "/"],
    ["with a path", "/x"],
    ["with a space", " "],
  ])("E13 %s is not it", async (_what, change) => {
    const iss = change.length < 3 ? `${foreign.issuer}${change}` : change
    expect(await verdictOn(foreignJwt(rsa, claims({ iss })))).toBe("iss")
    expect(foreign.asked).toEqual([])
  })

  test("E13 a key of one provider says nothing for another", async () => {
    const other = await startForeignIssuer()
    const theirs = foreignSigner("e2", "ES256")
    other.publish(theirs)
    const both = create()
    const text = foreignJwt(theirs, { ...claims(), iss: other.issuer })
    const one = { name: "other", issuer: other.issuer, privateAddresses: true }
    expect(await both.verify(one, text, rules())).toMatchObject({ subject: SUBJECT })
    expect(tagOf(await both.verify(provider(), foreignJwt(theirs, claims()), rules()))).toBe("kid")
    const sameKid = { ...theirs, kid: rsa.kid }
    expect(tagOf(await both.verify(provider(), foreignJwt(sameKid, claims()), rules()))).toBe("alg")
    await other.close()
  })
})

test("as many issuers are remembered as any policy names, and of more those that were asked for lately", async () => {
  const providers = create()
  const named = (at: number) => provider({ jwksUri: `${foreign.issuer}/none/${at}` })
  for (let at = 0; at < 256; at++) await providers.admit(named(at))
  await providers.admit(named(0))
  await providers.admit(named(256))
  expect([0, 1, 2, 256].map((at) => providers.isAway(named(at)))).toEqual([true, false, true, true])
})

describe("E21 keys", () => {
  test("E21 are believed for an hour while the issuer is away, then nothing can be told", async () => {
    const providers = create()
    const text = () => foreignJwt(rsa, claims())
    expect(await verdictOn(text(), providers)).toMatchObject({ subject: SUBJECT })
    foreign.cut(true)
    clock.advance(HOUR)
    expect(await verdictOn(text(), providers)).toMatchObject({ subject: SUBJECT })
    clock.advance(1)
    expect(await verdictOn(text(), providers)).toBe("unavailable")
    foreign.cut(false)
    clock.advance(30_000)
    expect(await verdictOn(text(), providers)).toMatchObject({ subject: SUBJECT })
  })

  test("E21 that were never to be had leave it open who somebody is", async () => {
    foreign.cut(true)
    expect(await verdictOn(foreignJwt(rsa, claims()))).toBe("unavailable")
  })

  test("E21 a flood of unknown kids asks once in 30 seconds, all together", async () => {
    const providers = create()
    await verdictOn(foreignJwt(rsa, claims()), providers)
    const before = foreign.asked.length
    const flood = async () =>
      Promise.all(
        Array.from({ length: 200 }, (_each, at) =>
          verdictOn(foreignJwt({ ...rsa, kid: `k${at}` }, claims()), providers),
        ),
      )
    expect(new Set(await flood())).toEqual(new Set(["kid"]))
    clock.advance(29_999)
    await flood()
    expect(foreign.asked.length).toBe(before)
    clock.advance(1)
    await flood()
    await flood()
    expect(foreign.asked.length).toBe(before + 1)
  })

  test("E21 an unknown kid is no no while the issuer can't be asked", async () => {
    const providers = create()
    await verdictOn(foreignJwt(rsa, claims()), providers)
    foreign.cut(true)
    clock.advance(30_000)
    expect(await verdictOn(foreignJwt(next, claims()), providers)).toBe("unavailable")
    expect(await verdictOn(foreignJwt(rsa, claims()), providers)).toMatchObject({ subject: SUBJECT })
  })

  test("E21 a new key is found, and a removed one is gone within minutes", async () => {
    const providers = create()
    await verdictOn(foreignJwt(rsa, claims()), providers)
    foreign.publish(next)
    clock.advance(30_000)
    expect(await verdictOn(foreignJwt(next, claims()), providers)).toMatchObject({ kid: "e1" })
    expect(await verdictOn(foreignJwt(rsa, claims()), providers)).toBe("kid")
  })

  test("E21 known keys are asked for again behind five minutes, without anybody waiting", async () => {
    const providers = create()
    await verdictOn(foreignJwt(rsa, claims()), providers)
    foreign.publish(next)
    clock.advance(5 * MINUTE)
    expect(await verdictOn(foreignJwt(rsa, claims()), providers)).toMatchObject({ kid: "r1" })
    await expect.poll(() => verdictOn(foreignJwt(rsa, claims()), providers)).toBe("kid")
  })

  test.each<[string, string, object]>([
    ["RS256 for a key without alg, PS256 not", "alg", { ...rsa.jwk, alg: undefined }],
    ["the key's own alg, no other", "alg", rsa.jwk],
  ])("E21 verify %s", async (_what, tag, jwk) => {
    foreign.answer(KEYS, { keys: [jwk] })
    const providers = create()
    expect(await verdictOn(foreignJwt(rsa, claims()), providers)).toMatchObject({ kid: "r1" })
    expect(await verdictOn(foreignJwt({ ...rsa, alg: "PS256" }, claims()), providers)).toBe(tag)
  })

  test("E21 of 1024 bits, for encryption, of other algorithms or without a kid are not used", async () => {
    const weak = foreignSigner("weak", "RS256", 1024)
    const { kid: _kid, ...nameless } = next.jwk
    foreign.answer(KEYS, {
      keys: [
        rsa.jwk,
        weak.jwk,
        nameless,
        { ...next.jwk, kid: "enc", use: "enc" },
        { ...rsa.jwk, kid: "oaep", alg: "RSA-OAEP" },
        { kty: "EC", crv: "P-384", kid: "p384", x: "AA", y: "AA" },
      ],
    })
    const providers = create()
    expect(await verdictOn(foreignJwt(rsa, claims()), providers)).toMatchObject({ kid: "r1" })
    for (const signer of [weak, { ...next, kid: "enc" }, { ...rsa, kid: "oaep" }])
      expect(await verdictOn(foreignJwt(signer, claims()), providers)).toBe("kid")
  })

  test.each<[string, unknown]>([
    ["a symmetric key", { keys: [rsa.jwk, { kty: "oct", kid: "s", k: "c2VjcmV0" }] }],
    ["a private key", { keys: [{ ...next.jwk, d: next.jwk.x }] }],
    ["one kid twice", { keys: [rsa.jwk, { ...next.jwk, kid: "r1" }] }],
    ["no key", { keys: [] }],
    ["a page", "<html>"],
    ["half of it", JSON.stringify({ keys: [rsa.jwk] }).slice(0, 100)],
    ["a member twice", `{"keys":[],"keys":[${JSON.stringify(rsa.jwk)}]}`],
  ])("E21 a set with %s is refused whole, the old one kept", async (_what, set) => {
    const providers = create()
    await verdictOn(foreignJwt(rsa, claims()), providers)
    foreign.answer(KEYS, typeof set === "string" ? set : Object(set))
    clock.advance(30_000)
    expect(await verdictOn(foreignJwt(next, claims()), providers)).toBe("unavailable")
    expect(await verdictOn(foreignJwt(rsa, claims()), providers)).toMatchObject({ kid: "r1" })
  })
})
