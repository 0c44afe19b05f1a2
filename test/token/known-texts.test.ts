// What is remembered of texts that were signed here: as many as promised, not more than twice that, and no near ones.
import { describe, expect, test } from "vitest"
import { newId } from "../../src/token/id.ts"
import { createKnownTexts } from "../../src/token/known-texts.ts"
import { openOwnToken, ownTokenClaims } from "../../src/token/own-token.ts"
import { generatePrivateJwk, importSigningKey, publicHalf } from "../../src/token/signature.ts"
import { signTaskToken } from "../../src/token/token.ts"

const ISSUER = "https://taskmint.example"

const texts = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => `text ${from + at}`)

test("the last ones are known, however many came before, and old ones are forgotten", () => {
  const known = createKnownTexts(10)
  for (const text of texts(0, 95)) known.add(text)
  expect(texts(85, 95).every(known.has)).toBe(true)
  expect(texts(0, 75).some(known.has)).toBe(false)
})

test("a text that differs in a single character is another", () => {
  const known = createKnownTexts()
  known.add("a.b.c")
  expect(["a.b.c", "a.b.d", "a.b.c ", "a.b.C", "a.b."].map(known.has)).toEqual([
    true,
    false,
    false,
    false,
    false,
  ])
})

describe("an agent's own token whose signature is known", () => {
  const key = importSigningKey(generatePrivateJwk("ES256"))
  const claims = ownTokenClaims({
    iss: ISSUER,
    iat: 1_800_000_000,
    exp: 1_800_000_600,
    jti: newId("tok", 1_800_000_000_000),
    clientId: "support-orchestrator",
    sub: "support-orchestrator",
    actors: [{ agent: "triage-bot", instance: "pod-1" }],
    txn: newId("task", 1_800_000_000_000),
    lineage: [],
    scope: ["task:renew"],
    policy: `sha-256:${"A".repeat(43)}`,
    jkt: key.thumbprint,
  })
  const text = signTaskToken(claims, key)
  const keyOf = (kid: string) => (kid === key.kid ? publicHalf(key) : undefined)
  const [head = "", body = "", signature = ""] = text.split(".")
  const wider = Buffer.from(claims.replace("task:renew", "task:ask")).toString("base64url")

  test("it opens as it did when it was checked", () => {
    const known = createKnownTexts()
    const first = openOwnToken(text, keyOf, ISSUER, known)
    expect(known.has(text)).toBe(true)
    expect(openOwnToken(text, keyOf, ISSUER, known)).toEqual(first)
    expect(first).toMatchObject({ scope: ["task:renew"], jkt: key.thumbprint })
  })

  test.each([
    ["other claims under its signature", `${head}.${wider}.${signature}`, keyOf, ISSUER, "signature"],
    ["another signature", `${head}.${body}.${"A".repeat(86)}`, keyOf, ISSUER, "signature"],
    ["a key that is believed no more", text, () => undefined, ISSUER, "kid"],
    ["another issuer", text, keyOf, "https://other.example", "iss"],
  ])("%s is refused as ever", (_, shown, keys, issuer, tag) => {
    const known = createKnownTexts()
    openOwnToken(text, keyOf, ISSUER, known)
    expect(openOwnToken(shown, keys, issuer, known)).toMatchObject({ tag })
    expect(known.has(shown)).toBe(shown === text)
  })
})
