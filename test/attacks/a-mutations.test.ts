// A30: bytes nobody thought of. Seeded, so that a failure can be run again.
import fc from "fast-check"
import { describe, expect, onTestFinished, test } from "vitest"
import { readClientAssertion } from "../../src/token/assertion.ts"
import { Unreadable } from "../../src/token/jwt.ts"
import { readProof } from "../../src/token/proof.ts"
import { claims, compact, header, open, tagOf } from "../support/forge.ts"
import { startVerifier } from "../support/guarded-api.ts"
import { assertion, deformedOf, place, proof, runMutations } from "../support/mutations.ts"

/** Batches and the feed go on by themselves, whatever is asked of the verifier. */
const isOfOurs = (request: string) => !/ \/(uses|revocations|token)$/.test(request)

describe("A30 mutations", () => {
  test("A30 no deformed token is genuine, none makes the reader throw", () => {
    runMutations(10_000, 30)
  })

  test("A30 no deformed token makes a verifier ask anybody for anything, nor is one let through", async () => {
    const api = await startVerifier()
    onTestFinished(() => api.close())
    const genuine = [api.stub.mint(), api.stub.mint()]
    // It asks for this by itself, once, before anybody shows it anything.
    await expect.poll(() => api.stub.requests).toContain("GET /.well-known/oauth-authorization-server")
    const asked = api.stub.requests.filter(isOfOurs)
    const read = ["tickets", "SUP-1042"]
    const run = fc.asyncProperty(deformedOf(genuine), async (text) => {
      const view = { method: "GET", target: "/", rawHeaders: ["Authorization", `Bearer ${text}`] }
      expect((await api.verifier.check(view, "tickets:read", read)).outcome).toBe("refused")
    })
    await fc.assert(run, { numRuns: 2000, seed: 30 })
    expect(api.stub.requests.filter(isOfOurs)).toEqual(asked)
    expect(api.stub.uses()).toEqual([])
  })

  test("A30 no deformed proof or assertion makes its reader throw", () => {
    const change = fc.tuple(fc.constantFrom(proof, assertion), place, fc.string({ maxLength: 3 }))
    const deformed = change.map(
      ([text, at, more]) => text.slice(0, at % text.length) + more + text.slice((at % text.length) + 1),
    )
    fc.assert(
      fc.property(deformed, (text) => {
        const read = readProof(text)
        expect(read instanceof Unreadable || text === proof).toBe(true)
        readClientAssertion(text)
      }),
      { numRuns: 2000, seed: 30 },
    )
  })

  test("A30 a payload deformed and then signed by ourselves is read whole or refused, never thrown over", () => {
    const json = JSON.stringify(claims())
    const change = fc.tuple(
      fc.nat(json.length),
      fc.nat(4),
      fc.string({ maxLength: 4, unit: fc.constantFrom(...'{}[]",:0e.-\\tn\u0000é') }),
    )
    fc.assert(
      fc.property(change, ([at, gone, more]) => {
        const text = json.slice(0, at) + more + json.slice(at + gone)
        const read = open(compact(header(), text))
        if (!(read instanceof Unreadable)) expect(() => JSON.parse(text)).not.toThrow()
      }),
      { numRuns: 1500, seed: 30 },
    )
  })

  const bodies = [
    "",
    " ",
    "[",
    "]",
    "{",
    "}",
    "[[]",
    "[1,,2]",
    "[1 2]",
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{"a":1,,"b":2}',
    "{'a':1}",
    "{a:1}",
    '{"a":1}#',
    '{"a":1}//',
    '{"a":/*x*/1}',
    '{"a":1}}',
    '{"a":1}{"b":2}',
    "[1]x",
    "nul",
    "tru",
    "NaN",
    "Infinity",
    "-Infinity",
    "-",
    "+1",
    "01",
    "-01",
    "1.",
    ".1",
    "1e",
    "1e+",
    "0e",
    "0x1",
    "1eE2",
    "2.e3",
    "--1",
    "1+2",
    "[-]",
    "[1.2.3]",
    '"',
    '"\\"',
    '"\\u"',
    '"\\u00A"',
    '"\\uD800\\u"',
    '"\\x00"',
    '"\\\\\\"',
    '"\t"',
    '"\n"',
    "\u2060",
    "[\u000b]",
    "[\f]",
    "\ufeff",
    "[\u0085]",
    "a",
    '{[: "x"}',
    '{"a":"b"}"',
    '["",]',
    "[,]",
    "[{}",
    '{"a":true]',
    "*",
    "<.>",
    "\u0000",
    "å",
    "⍂㈴⍂",
  ]
  test.each(bodies)("A30 the text %j is neither header nor payload", (text) => {
    expect(["json", "json_member", "format"]).toContain(tagOf(open(compact(header(), text))))
    expect(["json", "json_member", "format"]).toContain(tagOf(open(compact(text, claims()))))
  })
})
