import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { Unreadable } from "../../src/token/jwt.ts"
import {
  MAX_TOKEN_BYTES,
  parseTaskToken,
  signTaskToken,
  type TaskTokenInput,
  taskTokenBytes,
  taskTokenClaims,
} from "../../src/token/token.ts"
import {
  API,
  DIGEST,
  eddsa,
  es256,
  ID,
  ISSUER,
  input,
  NOW,
  open,
  opened,
  RULE,
  tagOf,
} from "../support/forge.ts"

describe("what is minted", () => {
  test("is exactly the contract's payload", () => {
    expect(JSON.parse(taskTokenClaims(input()))).toEqual({
      iss: ISSUER,
      aud: API,
      iat: NOW,
      nbf: NOW,
      exp: NOW + 600,
      jti: ID.tok,
      client_id: "support-orchestrator",
      sub: "support-orchestrator",
      act: { sub: "triage-bot/pod-7f3c" },
      txn: ID.task,
      scope: "tickets:read tickets:comment",
      authorization_details: [
        {
          type: "task_grant",
          actions: ["tickets:read", "tickets:comment"],
          resources: ["tickets/SUP-1042", "tickets/SUP-1042/comments"],
          rule: RULE,
        },
      ],
      policy: DIGEST,
    })
  })

  test.each([
    ["ES256", es256],
    ["EdDSA", eddsa],
  ])("is read back as it was decided (%s)", (_alg, key) => {
    const decided = input({ jkt: key.thumbprint, sub: "people/ana@example.com" })
    const { token, kid } = opened(signTaskToken(taskTokenClaims(decided), key))
    const { actors, ...rest } = decided
    expect(kid).toBe(key.kid)
    expect(token).toEqual({
      ...rest,
      actors,
      act: actors[0],
      nbf: NOW,
      scope: ["tickets:read", "tickets:comment"],
    })
  })

  test("nests delegators inside the holder, with the delegations outermost first", () => {
    const actors = [
      { agent: "summarizer", instance: "pod-1" },
      { agent: "triage-bot", instance: "pod-7f3c" },
    ]
    const claims = taskTokenClaims(input({ actors, lineage: [ID.del] }))
    expect(JSON.parse(claims)).toMatchObject({
      act: { sub: "summarizer/pod-1", act: { sub: "triage-bot/pod-7f3c" } },
      lineage: [ID.del],
    })
    expect(opened(signTaskToken(claims, es256)).token).toMatchObject({
      act: actors[0],
      actors,
      lineage: [ID.del],
    })
  })

  test("names a resource once, though two inputs had the same value", () => {
    const [grant] = input().grants
    const resources = [
      ["tickets", "A-1"],
      ["tickets", "A-1"],
    ]
    const claims = taskTokenClaims(input({ grants: grant ? [{ ...grant, resources }] : [] }))
    expect(opened(signTaskToken(claims, es256)).token.grants[0]?.resources).toEqual([["tickets", "A-1"]])
  })

  test("holds no purpose, no inputs and nothing of the key", () => {
    const text = taskTokenClaims({ ...input(), ...{ purpose: "why", inputs: { a: 1 } } })
    expect(text).not.toMatch(/purpose|why|inputs/)
  })
})

describe("a mint with a fault stops before anything is signed", () => {
  const cases: [string, Partial<TaskTokenInput>][] = [
    ["a grant of another API", { aud: "https://other.example" }],
    ["no grant", { grants: [] }],
    ["no holder", { actors: [] }],
    ["an id of another kind", { jti: ID.task }],
    ["a delegation without a delegator", { lineage: [ID.del] }],
    ["an end before its beginning", { exp: NOW }],
    ["over 30 minutes", { exp: NOW + 1801 }],
    ["a fraction of a second", { iat: NOW + 0.5 }],
    ["a name that no policy has", { clientId: "Support" }],
    ["a thumbprint that is none", { jkt: "x" }],
  ]
  test.each(cases)("%s", (_what, changes) => {
    expect(() => taskTokenClaims(input(changes))).toThrow(TypeError)
  })
})

test("what is minted, out of good parts and bad, is read back or stopped", () => {
  const odd = <T>(good: T, ...bad: unknown[]) =>
    fc.oneof({ weight: 8, arbitrary: fc.constant(good) }, fc.constantFrom(...bad)) as fc.Arbitrary<T>
  const good = input()
  const grant = fc.record({
    api: odd(API, "https://other.example"),
    operations: fc.array(odd("tickets:read", "tickets:comment", "Tickets", "a b:c"), { maxLength: 3 }),
    resources: fc.array(fc.array(fc.constantFrom("tickets", "*", "A-1"), { minLength: 1, maxLength: 3 }), {
      maxLength: 3,
    }),
    rule: fc.constant(RULE),
  })
  const holder = fc.record({
    agent: odd("triage-bot", "Bot", "", "a/b"),
    instance: odd("pod-7f3c", "", "a/b", " "),
  })
  const changes = fc.record({
    iss: odd(good.iss, "", "\u202e", API),
    aud: odd(good.aud, "", good.iss),
    iat: odd(good.iat, 0.5, -1, 1e13, Number.NaN),
    exp: odd(good.exp, good.iat, good.iat + 1800, good.iat + 1801, 1e13),
    jti: odd(good.jti, ID.task, ""),
    clientId: odd(good.clientId, "Support", ""),
    sub: odd(good.sub, "people/ana", "people/", "", "a\u0000"),
    actors: fc.array(holder, { maxLength: 7 }),
    txn: odd(good.txn, ID.tok),
    lineage: fc.array(odd(ID.del, ID.tok), { maxLength: 2 }),
    grants: fc.array(grant, { maxLength: 3 }),
    policy: odd(good.policy, "", "sha-256:x"),
    jkt: odd<string | undefined>(undefined, "x", "A".repeat(43)),
  })
  fc.assert(
    fc.property(changes, (changed) => {
      const claims = mintedOrStopped(input(changed))
      if (claims !== undefined) expect(parseTaskToken(JSON.parse(claims))).not.toBeInstanceOf(Unreadable)
    }),
    { numRuns: 5000 },
  )
})

function mintedOrStopped(of: TaskTokenInput): string | undefined {
  try {
    return taskTokenClaims(of)
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError)
    return undefined
  }
}

describe("size", () => {
  const sized = (count: number) => {
    const [grant] = input().grants
    const resources = Array.from({ length: count }, (_, at) => ["tickets", `SUP-${1000 + at}`])
    return taskTokenClaims(input({ grants: grant ? [{ ...grant, resources }] : [] }))
  }

  test("is told before signing, to the byte", () => {
    for (const key of [es256, eddsa])
      for (const count of [1, 2, 3, 50])
        expect(taskTokenBytes(sized(count), key.kid)).toBe(signTaskToken(sized(count), key).length)
  })

  test("what is not over the limit is read, what is over it is not", () => {
    const counts = Array.from({ length: 250 }, (_, at) => at + 1)
    const last = counts.findLast((count) => taskTokenBytes(sized(count), es256.kid) <= MAX_TOKEN_BYTES) ?? 0
    expect(last).toBeGreaterThan(100)
    expect(tagOf(open(signTaskToken(sized(last), es256)))).toBe("accepted")
    expect(tagOf(open(signTaskToken(sized(last + 1), es256)))).toBe("size")
  })
})
