// How credentials are opened: new ones together, each text of a turn once; and the cache of them, found by the end of a
// signature, trusted by nothing less than all of the bytes.
import { setImmediate as nextTurn } from "node:timers/promises"
import { expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { createCredentialOpener, type OpenCredential } from "../../src/verifier/genuine.ts"
import { createUses } from "../../src/verifier/use.ts"
import { API, claims, compact, eddsa, header, keyOf, validToken } from "../support/forge.ts"

const uses = createUses(API)
const opener = (known: (kid: string) => boolean = () => true) =>
  createCredentialOpener(
    { keyOf: (kid) => (known(kid) ? keyOf(kid) : undefined), seek: async () => "unknown" },
    uses,
  )
/** The same, with the number of times that it looked for a key: once for each token that it opened. */
function counted() {
  let looked = 0
  const open = opener(() => ++looked > 0)
  return { open, looked: () => looked }
}
/** Shown twice, so that it has a place in the cache. */
async function keep(open: OpenCredential, authorization: string) {
  await open(authorization)
  return open(authorization)
}
const tokenOf = (at: number) => compact(header(), claims({ iat: 1_790_000_000 - at }))
const reasonOf = (opened: unknown) => {
  if (typeof opened !== "object" || opened === null || !("genuine" in opened)) return "not opened"
  return opened.genuine instanceof Refusal ? opened.genuine.reason : "genuine"
}

test("a credential that comes again is kept, and found by its exact bytes", async () => {
  const { open, looked } = counted()
  const authorization = `Bearer ${validToken()}`
  expect(reasonOf(await open(authorization))).toBe("genuine")
  expect(open(authorization)).toBeInstanceOf(Promise)
  await nextTurn()
  expect(looked()).toBe(2)
  const kept = open(authorization)
  expect(reasonOf(kept)).toBe("genuine")
  expect(open(authorization)).toBe(kept)
})

test("of one that is shown many times at once, the signature is checked once", async () => {
  const { open, looked } = counted()
  const authorization = `Bearer ${validToken()}`
  const all = await Promise.all(Array.from({ length: 20 }, () => open(authorization)))
  expect(all.map(reasonOf)).toEqual(all.map(() => "genuine"))
  expect(looked()).toBe(1)
})

test("new ones that come together are each told for what they are", async () => {
  const open = opener()
  const genuine = tokenOf(1)
  const shown = [genuine, tokenOf(2).slice(0, -8).concat("AAAAAAAA"), "a.b.c", genuine, tokenOf(3)]
  const opened = await Promise.all(shown.map((token) => open(`Bearer ${token}`)))
  expect(opened.map(reasonOf)).toEqual(["genuine", "signature", expect.any(String), "genuine", "genuine"])
  expect(reasonOf(opened[2])).not.toBe("genuine")
})

test("those that end alike, and come together, are each told for what they are, and opened once", async () => {
  const { open, looked } = counted()
  const token = validToken()
  const end = token.slice(-60)
  const forged = [1, 2].map((at) => tokenOf(at).slice(0, -60).concat(end))
  const shown = [forged[0], token, forged[1], token, forged[1], forged[0]]
  const opened = await Promise.all(shown.map((text) => open(`Bearer ${text}`)))
  const expected = ["signature", "genuine", "signature", "genuine", "signature", "signature"]
  expect(opened.map(reasonOf)).toEqual(expected)
  expect(looked()).toBe(3)
})

test("a flood of new ones takes its turns, and holds up no other", async () => {
  const { open, looked } = counted()
  const flood = Array.from({ length: 200 }, (_, at) => open(`Bearer ${tokenOf(at)}`))
  const seen: number[] = []
  for (let turn = 0; turn < 4; turn++) {
    await nextTurn()
    seen.push(looked())
  }
  expect(seen).toEqual([64, 128, 192, 200])
  expect((await Promise.all(flood)).map(reasonOf)).toEqual(flood.map(() => "genuine"))
})

test("a fault is told to whoever waits, and to nobody after", async () => {
  let broken = true
  const open = createCredentialOpener(
    {
      keyOf: (kid) => {
        if (broken) throw new Error("no memory")
        return keyOf(kid)
      },
      seek: async () => "unknown",
    },
    uses,
  )
  const opened = [open(`Bearer ${tokenOf(1)}`), open(`Bearer ${tokenOf(2)}`)]
  const settled = await Promise.allSettled(opened)
  expect(settled.map(({ status }) => status)).toEqual(["rejected", "rejected"])
  broken = false
  expect(reasonOf(await open(`Bearer ${tokenOf(1)}`))).toBe("genuine")
})

test.each([
  [
    "other claims",
    (token: string) => token.replace(/\.[^.]+\./, `.${compact({}, claims({ jti: "x" })).split(".")[1]}.`),
  ],
  ["one character more", (token: string) => token.replace(".", "x.")],
])("what ends in a genuine signature is judged anew: %s", async (_, forge) => {
  const open = opener()
  const token = validToken()
  await keep(open, `Bearer ${token}`)
  expect(reasonOf(await keep(open, `Bearer ${forge(token)}`))).not.toBe("genuine")
  expect(reasonOf(open(`Bearer ${token}`))).toBe("genuine")
  expect(reasonOf(await open(`Bearer ${forge(token)}`))).not.toBe("genuine")
})

test("the scheme is read with every credential, not with every token", async () => {
  const open = opener()
  const token = validToken(eddsa)
  const schemeOf = (opened: Awaited<ReturnType<typeof open>>) =>
    typeof opened === "object" && "credential" in opened ? opened.credential.scheme : undefined
  const shown = [`Bearer ${token}`, `dpop ${token}`, `bearer ${token}`]
  const opened = await Promise.all(shown.map((authorization) => keep(open, authorization)))
  expect(opened.map(schemeOf)).toEqual(["Bearer", "DPoP", "Bearer"])
})

test("a credential whose key is no longer believed is opened no more", async () => {
  let believed = true
  const open = opener(() => believed)
  const authorization = `Bearer ${compact(header(), claims())}`
  await keep(open, authorization)
  expect(reasonOf(open(authorization))).toBe("genuine")
  believed = false
  expect(reasonOf(await open(authorization))).toBe("kid")
})
