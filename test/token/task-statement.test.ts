import { describe, expect, test } from "vitest"
import { Unreadable } from "../../src/token/jwt.ts"
import { generatePrivateJwk, importSigningKey, publicHalf } from "../../src/token/signature.ts"
import { readStatement, signStatement, statementClaims } from "../../src/token/task-statement.ts"
import { STATEMENT } from "../support/statement.ts"

const key = importSigningKey(generatePrivateJwk("ES256"))
const keyOf = (kid: string) => (kid === key.kid ? publicHalf(key) : undefined)
const claims = statementClaims({
  issuer: "https://taskmint.internal",
  at: 1_772_355_600,
  task: STATEMENT.task.id,
  statement: STATEMENT,
})
const jws = String(signStatement(claims.text, key))
const [head = "", , signature = ""] = jws.split(".")
const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")

describe("a signed statement", () => {
  test("reads back as it was written, with the digest that the ledger has", () => {
    expect(readStatement(jws, keyOf)).toEqual({
      issuer: "https://taskmint.internal",
      at: 1_772_355_600,
      task: STATEMENT.task.id,
      statement: JSON.parse(JSON.stringify(STATEMENT)),
      digest: claims.digest,
      kid: key.kid,
    })
  })

  test("is the same text, whatever order its members were written in", () => {
    const turned = Object.fromEntries(Object.entries(STATEMENT).reverse())
    const again = statementClaims({
      issuer: "https://taskmint.internal",
      at: 1_772_355_600,
      task: STATEMENT.task.id,
      statement: turned,
    })
    expect(again).toEqual(claims)
  })

  const payload = JSON.parse(claims.text)
  const changed = { ...payload, statement: { ...payload.statement, refusals: [] } }
  test.each<[string, string, string]>([
    ["another account under the same signature", `${head}.${encoded(changed)}.${signature}`, "signature"],
    [
      "a token of another type",
      jws.replace(head, encoded({ typ: "at+jwt", alg: "ES256", kid: key.kid })),
      "typ",
    ],
    [
      "an unknown key",
      jws.replace(head, encoded({ typ: "task-statement+jwt", alg: "ES256", kid: "x" })),
      "kid",
    ],
    ["no key at all", jws.replace(head, encoded({ typ: "task-statement+jwt", alg: "ES256" })), "kid"],
    [
      "another algorithm",
      jws.replace(head, encoded({ typ: "task-statement+jwt", alg: "EdDSA", kid: key.kid })),
      "alg",
    ],
    ["no JWS", "{}", "format"],
  ])("%s is not taken", (_what, text, tag) => {
    expect(readStatement(text, keyOf)).toMatchObject(new Unreadable(tag as "alg"))
  })

  test.each([
    ["txn", { ...payload, txn: "x" }],
    ["iss", { ...payload, iss: 1 }],
    ["iat", { ...payload, iat: "now" }],
    ["statement", { ...payload, statement: [] }],
    ["sub", { ...payload, sub: "ana" }],
  ])("a wrong %s is not taken, although it is signed", (member, wrong) => {
    const signed = String(signStatement(JSON.stringify(wrong), key))
    expect(readStatement(signed, keyOf)).toEqual(new Unreadable("claims", member))
  })
})
