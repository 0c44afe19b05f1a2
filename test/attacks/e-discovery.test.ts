// Catalogue, section E: where another issuer's keys are asked for, and what its discovery may make us do. E08 stands in the
// catalogue for a client's own jwks_uri, which there is none of: here it is held for every address that is asked at all.
import type { ServerResponse } from "node:http"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import {
  createIdentityProviders,
  type IdentityProvidersOptions,
} from "../../src/remote/identity-providers.ts"
import { toEpochSeconds } from "../../src/time.ts"
import { Unreadable } from "../../src/token/jwt.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import {
  DISCOVERY,
  type ForeignIssuer,
  foreignJwt,
  foreignSigner,
  KEYS,
  startForeignIssuer,
} from "../support/foreign-issuer.ts"

const key = foreignSigner("e1", "ES256")
const HOUR = 3_600_000
let foreign: ForeignIssuer
let clock = createFakeClock()
let pinned = new Map<string, string>()
let moved: string[] = []
beforeEach(async () => {
  foreign = await startForeignIssuer()
  foreign.publish(key)
  clock = createFakeClock()
  pinned = new Map()
  moved = []
})
afterEach(() => foreign.close())

const create = (changes: Partial<IdentityProvidersOptions> = {}) =>
  createIdentityProviders({
    clock,
    pins: {
      async keep(issuer, at) {
        const standing = pinned.get(issuer) ?? at
        pinned.set(issuer, standing)
        return standing
      },
      read: async (issuer) => pinned.get(issuer),
    },
    moved: (issuer) => moved.push(issuer),
    onFault: () => undefined,
    ...changes,
  })
const provider = () => ({ name: "foreign", issuer: foreign.issuer, privateAddresses: true })
const verdict = async (providers: ReturnType<typeof create>, signer = key) => {
  const now = toEpochSeconds(clock.now())
  const text = foreignJwt(signer, { iss: foreign.issuer, sub: "a", aud: "us", iat: now, exp: now + 60 })
  const told = await providers.verify(provider(), text, { audience: "us", anyOf: [{ subject: "a" }], now })
  return told instanceof Unreadable ? told.tag : told === "unavailable" ? told : "verified"
}
const discovery = (changes: object) => ({
  issuer: foreign.issuer,
  jwks_uri: `${foreign.issuer}${KEYS}`,
  ...changes,
})

describe("E22 a discovery document that may not be taken stops the policy that names it", () => {
  test.each<[string, () => object | string, RegExp]>([
    [
      "for another issuer",
      () => discovery({ issuer: "https://token.actions.githubusercontent.com" }),
      /another issuer/,
    ],
    ["with a slash more", () => discovery({ issuer: `${foreign.issuer}/` }), /another issuer/],
    ["without an issuer", () => discovery({ issuer: undefined }), /another issuer/],
    ["with keys on another host", () => discovery({ jwks_uri: "http://127.0.0.2/keys" }), /elsewhere/],
    ["with keys on another port", () => discovery({ jwks_uri: "http://127.0.0.1:1/keys" }), /elsewhere/],
    [
      "with keys by another protocol",
      () => discovery({ jwks_uri: foreign.issuer.replace("http", "https") }),
      /elsewhere/,
    ],
    ["with keys in a file", () => discovery({ jwks_uri: "file:///etc/passwd" }), /elsewhere/],
    [
      "with a user in the address",
      () => discovery({ jwks_uri: foreign.issuer.replace("//", "//a:b@") }),
      /elsewhere/,
    ],
    [
      "with an address of more than 2 KiB",
      () => discovery({ jwks_uri: `${foreign.issuer}/${"k".repeat(2048)}` }),
      /where its keys are/,
    ],
    ["with an address that is none", () => discovery({ jwks_uri: "keys" }), /where its keys are/],
    ["with no address", () => discovery({ jwks_uri: undefined }), /where its keys are/],
    [
      "with a list of addresses",
      () => discovery({ jwks_uri: [`${foreign.issuer}${KEYS}`] }),
      /where its keys are/,
    ],
    ["that is a list", () => [], /no OpenID configuration/],
    ["that is a page", () => "<html>", /no OpenID configuration/],
    ["with a member twice", () => `{"issuer":"${foreign.issuer}","issuer":"x"}`, /no OpenID configuration/],
  ])("E22 %s", async (_what, document, fault) => {
    foreign.answer(DISCOVERY, document())
    const providers = create()
    expect(await providers.admit(provider())).toMatch(fault)
    expect(await verdict(providers)).toBe("unavailable")
    expect(foreign.asked).not.toContain(KEYS)
    expect(pinned.size).toBe(0)
  })

  test.each<[string, (response: ServerResponse) => void, RegExp]>([
    ["sends us elsewhere", (response) => void response.writeHead(302, { location: KEYS }).end(), /redirects/],
    ["is endless", (response) => void response.writeHead(200).end(" ".repeat(65_537)), /more than 65536/],
    ["is coded", (response) => void response.writeHead(200, { "content-encoding": "br" }).end("x"), /coding/],
  ])("E08 E22 one that %s", async (_what, how, fault) => {
    foreign.answer(DISCOVERY, how)
    expect(await create().admit(provider())).toMatch(fault)
  })

  test("E22 where nobody answers now, the policy is taken and nothing can be told yet", async () => {
    foreign.cut(true)
    const providers = create()
    expect(await providers.admit(provider())).toBeUndefined()
    expect(await verdict(providers)).toBe("unavailable")
    foreign.cut(false)
    clock.advance(30_000)
    expect(await verdict(providers)).toBe("verified")
  })

  test("E22 keys that can't be used stop it, too", async () => {
    foreign.answer(KEYS, { keys: [{ kty: "oct", kid: "s", k: "c2VjcmV0" }] })
    expect(await create().admit(provider())).toMatch(/key set/)
    expect(pinned.size, "and what was found with them does not stay").toBe(0)
  })
})

describe("E22 what was discovered first stays", () => {
  const stranger = foreignSigner("e2", "ES256")
  const move = () => {
    foreign.answer("/moved", { keys: [stranger.jwk] })
    foreign.answer(DISCOVERY, discovery({ jwks_uri: `${foreign.issuer}/moved` }))
  }

  test("E22 keys that move later are not followed, and that is told, once", async () => {
    const providers = create()
    expect(await verdict(providers)).toBe("verified")
    move()
    clock.advance(HOUR)
    expect([await verdict(providers), await verdict(providers, stranger)]).toEqual(["verified", "kid"])
    clock.advance(HOUR)
    await verdict(providers, stranger)
    expect(moved).toEqual([foreign.issuer])
    expect(foreign.asked).not.toContain("/moved")
  })

  test("E22 one that names another place each time is told of sixteen times", async () => {
    const providers = create()
    await providers.admit(provider())
    for (let at = 0; at < 20; at++) {
      foreign.answer(DISCOVERY, discovery({ jwks_uri: `${foreign.issuer}/moved-${at}` }))
      clock.advance(HOUR)
      expect(await providers.admit(provider())).toBeUndefined()
    }
    expect(moved).toHaveLength(16)
  })

  test("E22 neither over a restart", async () => {
    await verdict(create())
    move()
    const restarted = create()
    expect([await verdict(restarted), await verdict(restarted, stranger)]).toEqual(["verified", "kid"])
    expect(moved).toEqual([foreign.issuer])
  })

  test("E22 nor where another replica was first", async () => {
    move()
    pinned.set(foreign.issuer, `${foreign.issuer}${KEYS}`)
    const providers = create({
      pins: { keep: async () => `${foreign.issuer}${KEYS}`, read: async () => undefined },
    })
    expect([await verdict(providers), await verdict(providers, stranger)]).toEqual(["verified", "kid"])
  })

  test("E22 nor when the document is gone bad, or away", async () => {
    await verdict(create())
    foreign.answer(DISCOVERY, discovery({ issuer: "https://evil.example" }))
    const providers = create()
    expect(await verdict(providers)).toBe("verified")
    expect(moved).toEqual([foreign.issuer])
    foreign.answer(DISCOVERY, (response) => response.writeHead(500).end())
    clock.advance(HOUR)
    expect(await verdict(providers)).toBe("verified")
    expect(moved).toEqual([foreign.issuer])
  })
})

const page = (status: number, headers: Record<string, string>, body: string) => (response: ServerResponse) =>
  void response.writeHead(status, headers).end(body)

describe("E08 an answer that is none leaves the known keys as they are", () => {
  test.each<[string, (response: ServerResponse) => void]>([
    ["a redirect", page(302, { location: KEYS }, "")],
    ["a redirect to the metadata of a cloud", page(307, { location: "http://169.254.169.254/" }, "")],
    ["a page", page(200, { "content-type": "text/html" }, "<html>keys</html>")],
    ["30 MB", (response) => void response.writeHead(200).end(Buffer.alloc(30 * 1024 ** 2, 0x20))],
    ["a coded body", page(200, { "content-encoding": "gzip" }, "x")],
    ["an error", page(500, {}, JSON.stringify({ keys: [key.jwk] }))],
    ["nothing", page(204, {}, "")],
    ["what is not UTF-8", (response) => void response.writeHead(200).end(Buffer.from([0x7b, 0xff]))],
    [
      "half of it",
      (response) =>
        void response.writeHead(200, { "content-length": "1000" }).write("{", () => response.destroy()),
    ],
  ])("E08 %s", async (_what, how) => {
    const providers = create()
    expect(await verdict(providers)).toBe("verified")
    foreign.answer(KEYS, how)
    clock.advance(30_000)
    const before = foreign.asked.length
    expect(await verdict(providers, foreignSigner("new", "ES256"))).toBe("unavailable")
    expect(await verdict(providers)).toBe("verified")
    expect(foreign.asked.length).toBe(before + 1)
  })

  test("E08 one that drips is given three seconds", async () => {
    foreign.answer(KEYS, (response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write(" "), 100)
      response.on("close", () => clearInterval(timer))
    })
    const began = performance.now()
    expect(await verdict(create())).toBe("unavailable")
    expect(performance.now() - began).toBeLessThan(6000)
  })
})
