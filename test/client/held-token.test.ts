import { inspect } from "node:util"
import { describe, expect, test } from "vitest"
import { HeldToken, handOver, takeOver } from "../../src/client/held-token.ts"

const TEXT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ0In0.c2lnbmF0dXJl"
const held = new HeldToken("https://tickets.internal.example", TEXT)
const entry = {
  resource: held.resource,
  token: held,
  tokenType: "Bearer" as const,
  expiresAt: 2,
  renewAt: 1,
  scope: ["tickets:read"],
  authorizationDetails: [],
}

describe("a token in somebody's hands does not print", () => {
  const ways: Record<string, () => string> = {
    "template string": () => `${held}`,
    concatenation: () => `token ${String(held)}`,
    "JSON.stringify": () => JSON.stringify({ held, entry }),
    "util.inspect": () => inspect(held),
    "util.inspect, nested, everything shown": () => inspect({ a: [entry] }, { depth: 9, showHidden: true }),
    "util.inspect of an error that carries it": () => inspect(Object.assign(new Error("no"), { entry })),
    "an error's message": () => new Error(`could not use ${held}`).message,
    "Object.entries": () => JSON.stringify([Object.entries(held), Object.getOwnPropertyNames(held)]),
    structuredClone: () => inspect(structuredClone(held), { showHidden: true }),
  }
  for (const [way, print] of Object.entries(ways))
    test(way, () => {
      expect(print()).not.toMatch(/eyJ|c2lnbmF0/)
    })

  test("it says what it is and for whom", () => {
    expect(`${held}`).toBe("[task token for https://tickets.internal.example]")
    expect(inspect({ held })).toContain("[task token for https://tickets.internal.example]")
  })
})

describe("the token comes out on purpose only", () => {
  test("by reveal", () => {
    expect(held.reveal()).toBe(TEXT)
  })

  test("by handing over, and goes back in whole", () => {
    const handed = handOver(entry)
    expect(handed.accessToken).toBe(TEXT)
    const taken = takeOver(JSON.parse(JSON.stringify(handed)))
    expect(taken.token.reveal()).toBe(TEXT)
    expect({ ...taken, token: undefined }).toEqual({ ...entry, token: undefined })
  })
})
