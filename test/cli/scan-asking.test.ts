// What `scan --revoke` ends: live tokens that are shown to be genuine, and their holders once; nobody's who never had one.
import { expect, test } from "vitest"
import { type Answered, end } from "../../src/cli/scan-asking.ts"
import type { IssuerCalls } from "../../src/client/issuer-call.ts"
import type { Finding } from "../../src/exposure/findings.ts"

const found = (change: Partial<Finding>, told: Answered["told"] = { state: "live" }): Answered => ({
  finding: {
    ...{ standing: "genuine", jti: "tok_1", task: "task_1", holder: "bot/pod-1", places: [], found: 1 },
    ...change,
  } as Finding,
  told,
  ended: [],
})

async function ordersFor(answered: readonly Answered[], ending: "token" | "instance" = "instance") {
  const orders: string[] = []
  const issuer: IssuerCalls = {
    issuer: "https://x.example",
    call: async (method, path, body) => {
      orders.push([method, path, ...Object.values(body ?? {})].join(" "))
      return { status: 201, body: { id: "rev_1", instances: [] } }
    },
    headers: () => Promise.reject(new Error("not asked for")),
    serviceToken: () => Promise.reject(new Error("not asked for")),
  }
  const { failed } = await end(issuer, answered, { ending, reason: "found" })
  return [failed, orders]
}
const order = (kind: string, value: string) => `POST /revocations ${kind} ${value} found`

test.each<[string, readonly Answered[], readonly string[]]>([
  ["a live token and its holder", [found({})], [order("token", "tok_1"), order("instance", "bot/pod-1")]],
  [
    "a holder of two once",
    [found({}), found({ jti: "tok_2" })],
    [order("token", "tok_1"), order("instance", "bot/pod-1"), order("token", "tok_2")],
  ],
  ["of a canary the token alone", [found({}, { state: "live", canary: true })], [order("token", "tok_1")]],
  ["of one that ended nothing", [found({}, { state: "ended" })], []],
  ["of one that was not asked about nothing", [{ ...found({}), told: undefined }], []],
  [
    "of one that is not shown to be genuine nothing",
    [found({ standing: "cut" }), found({ standing: "forged" })],
    [],
  ],
])("%s", async (_, answered, orders) => {
  expect(await ordersFor(answered)).toEqual([undefined, orders])
})

test("without locks the token alone", async () => {
  expect(await ordersFor([found({})], "token")).toEqual([undefined, [order("token", "tok_1")]])
})
