// The cache of opened credentials: found by the end of a signature, trusted by nothing less than all of the bytes.
import { expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { createCredentialOpener } from "../../src/verifier/genuine.ts"
import { claims, compact, eddsa, header, keyOf, validToken } from "../support/forge.ts"

const opener = (known: (kid: string) => boolean = () => true) =>
  createCredentialOpener({
    keyOf: (kid) => (known(kid) ? keyOf(kid) : undefined),
    seek: async () => "unknown",
  })
const reasonOf = (opened: unknown) => {
  if (typeof opened !== "object" || opened === null || !("genuine" in opened)) return "not opened"
  return opened.genuine instanceof Refusal ? opened.genuine.reason : "genuine"
}

test("a credential is opened once, and found again by its exact bytes", () => {
  const open = opener()
  const authorization = `Bearer ${validToken()}`
  expect(reasonOf(open(authorization))).toBe("genuine")
  expect(open(authorization)).toBe(open(authorization))
})

test.each([
  [
    "other claims",
    (token: string) => token.replace(/\.[^.]+\./, `.${compact({}, claims({ jti: "x" })).split(".")[1]}.`),
  ],
  ["one character more", (token: string) => token.replace(".", "x.")],
])("what ends in a genuine signature is judged anew: %s", (_, forge) => {
  const open = opener()
  const token = validToken()
  open(`Bearer ${token}`)
  expect(reasonOf(open(`Bearer ${forge(token)}`))).not.toBe("genuine")
  expect(reasonOf(open(`Bearer ${token}`))).toBe("genuine")
  expect(reasonOf(open(`Bearer ${forge(token)}`))).not.toBe("genuine")
})

test("the scheme is read with every credential, not with every token", () => {
  const open = opener()
  const token = validToken(eddsa)
  const schemeOf = (opened: ReturnType<typeof open>) =>
    typeof opened === "object" && "credential" in opened ? opened.credential.scheme : undefined
  expect([open(`Bearer ${token}`), open(`dpop ${token}`), open(`bearer ${token}`)].map(schemeOf)).toEqual([
    "Bearer",
    "DPoP",
    "Bearer",
  ])
})

test("a credential whose key is no longer believed is opened no more", async () => {
  let believed = true
  const open = opener(() => believed)
  const authorization = `Bearer ${compact(header(), claims())}`
  expect(reasonOf(open(authorization))).toBe("genuine")
  believed = false
  expect(reasonOf(await open(authorization))).toBe("kid")
})
