// Catalogue, section E: an assertion is good once, shortly, and here only, over the issuer's real HTTP surface.
import { randomUUID } from "node:crypto"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { compact } from "../support/forge.ts"
import { type House, ISSUER, openHouse } from "../support/issuer-house.ts"
import { expectRefused, NAME, openDesk, told } from "../support/token-desk.ts"

let house: House
let desk: ReturnType<typeof openDesk>
beforeAll(async () => {
  house = await openHouse()
  desk = openDesk(house)
})
afterAll(() => house.remove())

test("a good assertion gets a service token for the issuer alone", async () => {
  const { status, body } = await told(desk.present(desk.assert()))
  expect(status).toBe(200)
  expect(body).toMatchObject({ token_type: "Bearer", expires_in: 300, scope: "orchestrator" })
  const payload = JSON.parse(
    Buffer.from(String(body.access_token).split(".")[1] ?? "", "base64url").toString(),
  )
  expect(payload).toMatchObject({ iss: ISSUER, aud: ISSUER, client_id: NAME })
  for (const member of ["txn", "act", "authorization_details"]) expect(payload).not.toHaveProperty(member)
})

describe("E01 an assertion is good once", () => {
  test("E01 twice in a row", async () => {
    const one = desk.assert()
    expect((await desk.present(one)).status).toBe(200)
    await expectRefused(desk.present(one))
  })

  test("E01 in parallel: exactly one success", async () => {
    const one = desk.assert()
    const answers = await Promise.all(Array.from({ length: 20 }, () => desk.present(one)))
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, ...Array(19).fill(401)])
  })

  test("E01 the same jti in another assertion, and its ECDSA twin", async () => {
    const jti = randomUUID()
    const one = desk.assert({ jti })
    expect((await desk.present(one)).status).toBe(200)
    await expectRefused(desk.present(desk.assert({ jti, exp: desk.now() + 120 })), "another with this jti")
    await expectRefused(desk.present(twinOf(one)), "twin")
  })

  test.each([
    ["padded", (text: string) => `${text}=`],
    ["with a newline", (text: string) => `${text}\n`],
    ["with a space", (text: string) => text.replace(".", ". ")],
  ])("E01 %s", async (_how, change) => {
    await expectRefused(desk.present(change(desk.assert())))
  })

  test("E01 after a restart, and after the clock was set back", async () => {
    const one = desk.assert()
    expect((await desk.present(one)).status).toBe(200)
    await house.restart()
    await expectRefused(desk.present(one), "restart")
    house.clock.advance(90_000)
    await house.issuer.sweep()
    house.clock.step(-90_000)
    await house.restart()
    await expectRefused(desk.present(one), "clock")
  })
})

describe("E02 the jti has to be a short text", () => {
  test.each([
    ["missing", undefined],
    ["a number", 7],
    ["empty", ""],
    ["an array", ["x"]],
    ["a kilobyte", "x".repeat(1024)],
  ])("E02 %s", async (_what, jti) => {
    await expectRefused(desk.present(desk.assert({ jti })))
  })

  test("E02 a megabyte of jti is refused by its size", async () => {
    expect((await told(desk.present(desk.assert({ jti: "x".repeat(1_000_000) })))).status).toBe(413)
  })

  test("E02 a caller that floods gets 429 and is served again a minute later; others are not touched", async () => {
    const key = house.keys["release-orchestrator"]
    const mine = () =>
      desk.present(
        compact(
          desk.header({ kid: key.kid }),
          desk.claims({ iss: "release-orchestrator", sub: "release-orchestrator" }),
          key,
        ),
      )
    const answers = await Promise.all(Array.from({ length: 1250 }, mine))
    const count = (status: number) => answers.filter((answer) => answer.status === status).length
    expect([count(200), count(429)]).toEqual([1200, 50])
    const last = answers.find((answer) => answer.status === 429)
    expect(last?.headers.get("retry-after")).toBe("60")
    expect((await desk.present(desk.assert())).status).toBe(200)
    house.clock.advance(60_000)
    expect((await mine()).status).toBe(200)
  })
})

describe("E03 an assertion lives five minutes at most", () => {
  const AT: [string, (at: number) => Record<string, unknown>][] = [
    ["exp missing", () => ({ exp: undefined })],
    ["exp null", () => ({ exp: null })],
    ["exp a string", (at) => ({ exp: String(at + 60) })],
    ["exp in the past", (at) => ({ iat: at - 120, exp: at - 6 })],
    ["exp too far ahead", (at) => ({ iat: undefined, exp: at + 306 })],
    ["life over five minutes", (at) => ({ iat: at - 60, exp: at + 245 })],
    ["exp 2^53", () => ({ exp: 2 ** 53 })],
    ["exp in milliseconds", (at) => ({ exp: (at + 60) * 1000 })],
    ["iat ahead", (at) => ({ iat: at + 6, exp: at + 60 })],
    ["nbf ahead", (at) => ({ nbf: at + 6 })],
    ["iat after exp", (at) => ({ iat: at + 61, exp: at + 60 })],
  ]
  test.each(AT)("E03 %s", async (_what, changes) => {
    await expectRefused(desk.present(desk.assert(changes(desk.now()))))
  })

  test("E03 exp infinite", async () => {
    const payload = JSON.stringify(desk.claims()).replace(/"exp":\d+/, '"exp":1e400')
    await expectRefused(desk.present(compact(desk.header(), payload, house.keys[NAME])))
  })

  test("E03 exactly five minutes is taken", async () => {
    expect((await desk.present(desk.assert({ iat: desk.now(), exp: desk.now() + 300 }))).status).toBe(200)
  })
})

describe("E04 the audience is the issuer as one string", () => {
  test.each([
    ["missing", undefined],
    ["the token endpoint", `${ISSUER}/token`],
    ["an array of the issuer", [ISSUER]],
    ["an array with another", [ISSUER, "https://other.example"]],
    ["another server", "https://other.example"],
    ["a prefix", ISSUER.slice(0, -1)],
    ["a slash more", `${ISSUER}/`],
    ["upper case", ISSUER.toUpperCase()],
    ["an object", { iss: ISSUER }],
  ])("E04 %s", async (_what, aud) => {
    await expectRefused(desk.present(desk.assert({ aud })))
  })
})

/** (r, n - s): a second signature that holds for the same bytes. */
function twinOf(text: string): string {
  const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const [head, body, signature = ""] = text.split(".")
  const bytes = Buffer.from(signature, "base64url")
  const s = BigInt(`0x${bytes.subarray(32).toString("hex")}`)
  const twin = Buffer.from((n - s).toString(16).padStart(64, "0"), "hex")
  return `${head}.${body}.${Buffer.concat([bytes.subarray(0, 32), twin]).toString("base64url")}`
}
