// What a host can write wrong: told at construction, before anything opens.
import { existsSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { REFUSALS, refuse } from "../../src/errors.ts"
import { createChallenge, metadataAddress } from "../../src/verifier/challenge.ts"
import { readOptions, type VerifierOptions } from "../../src/verifier/options.ts"
import { prepareTarget } from "../../src/verifier/target.ts"
import { createVerifier } from "../../src/verifier/verifier.ts"
import { newFolder, optionsOf, removeFolder } from "../support/guarded-api.ts"

const ISSUER = "https://taskmint.internal"
const wrong = (changes: object): VerifierOptions => ({ ...optionsOf(ISSUER, "uses.db"), ...changes })

const observing = (until: string) => ({ mode: { observe: { until } } })

describe("createVerifier refuses", () => {
  test.each<[string, object, RegExp]>([
    ["no issuer", { issuer: undefined }, /issuer/],
    ["a plain issuer", { issuer: "http://taskmint.internal" }, /https/],
    ["a plain address", { issuerAddress: "http://10.0.0.1" }, /https/],
    ["an issuer with a query", { issuer: `${ISSUER}?x` }, /query/],
    ["an issuer with a password", { issuer: "https://a:b@taskmint.internal" }, /user/],
    ["a resource that is a name", { resource: "tickets" }, /resource/],
    ["no credential", { credential: undefined }, /credential/],
    [
      "a key and a platform's assertion",
      { credential: { clientId: "tickets", privateJwk: {}, assertionFile: "/x" } },
      /one of/,
    ],
    ["two keys", { credential: { clientId: "t", privateJwk: {}, privateJwkFile: "x" } }, /one of/],
    ["no key", { credential: { clientId: "tickets" } }, /one of/],
    ["a client id that is no name", { credential: { clientId: "Tickets", privateJwk: {} } }, /clientId/],
    ["no spool", { spool: "" }, /spool/],
    ["a spool in memory", { spool: ":memory:" }, /spool/],
    ["a spool to share without a path", { spool: { shared: true } }, /spool is the path/],
    ["a spool to share in memory", { spool: { path: ":memory:", shared: true } }, /spool is the path/],
    ["a spool that is shared by no", { spool: { path: "uses.db", shared: false } }, /\{ path, shared: true/],
    ["a spool shared and more", { spool: { path: "uses.db", shared: true, workers: 4 } }, /\{ path, shared/],
    ["no spool at all", { spool: null }, /spool is the path/],
    [
      "direct recording with a shared spool",
      { recording: "direct", spool: { path: "a", shared: true } },
      /no spool/,
    ],
    ["a spool too small", { spool: { path: "uses.db", limitBytes: 1 } }, /limitBytes/],
    ["a limit that is no number", { spool: { path: "uses.db", limitBytes: Number.NaN } }, /limitBytes/],
    ["a limit without a path", { spool: { limitBytes: 65_536 } }, /spool is the path/],
    ["direct recording with a path", { recording: "direct", spool: { path: "uses.db" } }, /no spool/],
    ["other others", { others: "pass" }, /others/],
    ["a recording that there is not", { recording: "none" }, /recording is/],
    ["direct recording with a spool", { recording: "direct" }, /no spool/],
    [
      "direct recording without nonces",
      { recording: "direct", spool: undefined, dpopNonces: false },
      /dpopNonces/,
    ],
    ["no spool for other recordings", { spool: undefined, recording: "batched" }, /spool/],
    ["observing for more than 30 days", observing("2099-12-01T00:00:00Z"), /30 days/],
    ["observing until no time", observing("2026-12-01"), /until/],
    ["observing without an end", { mode: { observe: {} } }, /until/],
    ["another mode", { mode: { dry: true } }, /observe/],
    ["observing and more", { mode: { observe: { until: "2026-12-01T00:00:00Z", log: true } } }, /observe/],
    ["nonces that are no flag", { dpopNonces: "yes" }, /dpopNonces/],
    ["a misspelled option", { issuerAdress: ISSUER }, /no option issuerAdress/],
  ])("%s", (_, changes, message) => {
    expect(() => readOptions(wrong(changes))).toThrow(TypeError)
    expect(() => readOptions(wrong(changes))).toThrow(message)
  })

  test("no observing that is over: a restart must not stop the API", () => {
    expect(readOptions(wrong(observing("2020-01-01T00:00:00Z"))).observeUntil).toBe(Date.UTC(2020, 0, 1))
  })

  test("before it makes a file", async () => {
    const folder = newFolder()
    const spool = join(folder, "uses.db")
    await expect(createVerifier({ ...optionsOf(ISSUER, spool), resource: "x" })).rejects.toThrow(TypeError)
    expect(existsSync(spool)).toBe(false)
    removeFolder(folder)
  })

  test("nothing that is right; plain http passes on loopback, or under its ugly name", () => {
    expect(readOptions(wrong({}))).toMatchObject({ others: "refuse", spoolLimitBytes: 1024 ** 3 })
    const small = { limitBytes: 65_536 }
    const disk = { spool: { path: "uses.db", shared: false }, spoolLimitBytes: 65_536 }
    expect(readOptions(wrong({ spool: { path: "uses.db", ...small } }))).toMatchObject(disk)
    const memory = { spool: undefined, spoolLimitBytes: 65_536 }
    expect(readOptions(wrong({ spool: small, recording: "direct" }))).toMatchObject(memory)
    expect(readOptions(wrong({ issuer: "http://127.0.0.1:8787" })).issuerAddress).toBe(
      "http://127.0.0.1:8787",
    )
    const ugly = { issuer: "http://taskmint.internal", dangerouslyAllowPlainHttp: true }
    expect(readOptions(wrong(ugly)).issuer).toBe("http://taskmint.internal")
  })
})

describe("guard refuses at mount", () => {
  test.each([
    ["read", "tickets/{id}"],
    ["tickets:", "tickets/{id}"],
    ["tickets:read write", "tickets/{id}"],
    ["tickets:read", ""],
    ["tickets:read", "tickets/"],
    ["tickets:read", "/tickets"],
    ["tickets:read", "tickets/*"],
    ["tickets:read", "tickets/**"],
    ["tickets:read", "tickets/x{id}"],
    ["tickets:read", "tickets/{id"],
    ["tickets:read", "tickets/.."],
  ])("%s on %s", (operation, template) => {
    expect(() => prepareTarget(operation, template)).toThrow(TypeError)
  })

  test("nothing that is right, and binds values as they are, own ones only", () => {
    const target = prepareTarget("tickets:read", "projects/{project}/tickets/{ticketId}")
    expect(target.bind({ project: "a/b", ticketId: "%2e", other: "x" })).toEqual({
      resource: ["projects", "a/b", "tickets", "%2e"],
      parameters: { project: "a/b", ticketId: "%2e" },
    })
    expect(target.bind({ project: "a" })).toBeUndefined()
    expect(prepareTarget("t:read", "x/{constructor}").bind({})).toBeUndefined()
    const { parameters } = target.bind({ project: "a", ticketId: "b" }) ?? {}
    for (const name of ["constructor", "toString", "hasOwnProperty"])
      expect(parameters).not.toHaveProperty(name)
    expect(Object.keys(parameters ?? {})).toEqual(["project", "ticketId"])
  })
})

describe("an answer", () => {
  const challenge = createChallenge("https://api.example/v1")
  test("of every code has its table's status, says what to do next, and never the reason", () => {
    for (const code of Object.keys(REFUSALS) as (keyof typeof REFUSALS)[]) {
      const { status, headers, body } = challenge(refuse(code, "the reason"), "Bearer", "tickets:read")
      expect(status).toBe(REFUSALS[code].status)
      expect(JSON.parse(body)).toMatchObject({
        code,
        status,
        next: REFUSALS[code].next,
        title: REFUSALS[code].title,
      })
      expect(JSON.stringify([headers, body])).not.toContain("the reason")
      expect(headers["Retry-After"] !== undefined).toBe(status === 503)
      expect(headers["WWW-Authenticate"] === undefined).toBe(status >= 500)
    }
  })

  test("names the resource's metadata where RFC 9728 puts it", () => {
    expect(metadataAddress("https://api.example/v1")).toBe(
      "https://api.example/.well-known/oauth-protected-resource/v1",
    )
    expect(metadataAddress("https://api.example")).toBe(
      "https://api.example/.well-known/oauth-protected-resource",
    )
  })
})
