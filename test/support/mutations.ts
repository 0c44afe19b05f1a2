// Valid tokens deformed in ways nobody thought of, seeded, so that a failure can be run again.
import fc from "fast-check"
import { signClientAssertion } from "../../src/token/assertion.ts"
import { Unreadable } from "../../src/token/jwt.ts"
import { signProof } from "../../src/token/proof.ts"
import { claims, compact, eddsa, es256, header, ISSUER, NOW, open, validToken } from "./forge.ts"

const valid = [
  validToken(),
  validToken(),
  validToken(eddsa),
  compact(header(), claims({ sub: "people/ana@example.com" })),
]
export const proof = signProof({ method: "GET", url: `${ISSUER}/`, now: NOW }, es256)
export const assertion = signClientAssertion(
  { clientId: "tickets", issuer: ISSUER, jti: "j", now: NOW },
  eddsa,
)

export const place = fc.nat(2000)

/** One of these texts with bits turned, cut, added to or mixed with another; never one of them. */
export function deformedOf(genuine: readonly string[]): fc.Arbitrary<string> {
  const base = fc.constantFrom(...genuine)
  const flip = fc.tuple(base, place, fc.nat(7)).map(([text, at, bit]) => {
    const bytes = Buffer.from(text, "latin1")
    const index = at % bytes.length
    bytes.writeUInt8((bytes[index] ?? 0) ^ (1 << bit), index)
    return bytes.toString("latin1")
  })
  const cut = fc.tuple(base, place).map(([text, at]) => text.slice(0, at % text.length))
  const insert = fc
    .tuple(base, place, fc.string({ minLength: 1, maxLength: 8, unit: "binary" }))
    .map(([text, at, more]) => text.slice(0, at % text.length) + more + text.slice(at % text.length))
  const splice = fc
    .tuple(base, base, place, place)
    .map(([one, other, from, to]) => one.slice(0, from % one.length) + other.slice(to % other.length))
  const swap = fc
    .tuple(fc.constantFrom(...genuine), fc.constantFrom(...genuine, proof, assertion), fc.nat(2))
    .map(([one, other, at]) => {
      const parts = one.split(".")
      parts[at] = other.split(".")[at] ?? ""
      return parts.join(".")
    })
  const known = new Set(genuine)
  return fc.oneof(flip, cut, insert, splice, swap).filter((text) => !known.has(text))
}

/** Throws, with the seed and the shortest example, where a deformed token is genuine or makes the reader throw. */
export function runMutations(numRuns: number, seed: number): void {
  fc.assert(
    fc.property(deformedOf(valid), (text) => open(text) instanceof Unreadable),
    { numRuns, seed },
  )
}
