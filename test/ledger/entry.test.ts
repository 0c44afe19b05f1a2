// What stands in the hashed bytes, and what never does.
import { createHmac } from "node:crypto"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { MAX_ENTRY_BYTES, seal, show } from "../../src/ledger/entry.ts"
import type { Event } from "../../src/ledger/event.ts"
import { leafHash } from "../../src/ledger/merkle.ts"

const KEY = new Uint8Array(32).fill(7)
const event: Event = {
  kind: "task.started",
  at: Date.parse("2026-03-01T09:00:00.250Z"),
  task: "task_1",
  jti: "tok_1",
  agent: "triage-bot",
  instance: "pod-7f3c",
  orchestrator: "support-orchestrator",
  sub: "people/ana@example.com",
  api: "https://tickets.internal.example",
  operation: "tickets:read",
  resource: "tickets/SUP-1042",
  reference: "run-77",
  outcome: "allowed",
  code: "some_code",
  body: {
    purpose: "answer Ana's ticket",
    inputs: { ticket: "SUP-1042" },
    reason: "she asked",
    parameters: { amount: 3 },
    policy: "sha-256:abc",
  },
}
const hmac = (name: string, json: string, key: Uint8Array = KEY) => ({
  hmac: createHmac("sha256", key).update(`${name}\0${json}`).digest("base64url"),
})

describe("the hashed bytes", () => {
  test("are the contract's members in canonical order, personal values as commitments", () => {
    const bytes = seal(event, KEY).bytes.toString("utf8")
    const expected = {
      agent: "triage-bot",
      api: "https://tickets.internal.example",
      at: "2026-03-01T09:00:00.250Z",
      body: {
        inputs: hmac("inputs", '{"ticket":"SUP-1042"}'),
        parameters: hmac("parameters", '{"amount":3}'),
        policy: "sha-256:abc",
        purpose: hmac("purpose", '"answer Ana\'s ticket"'),
        reason: hmac("reason", '"she asked"'),
      },
      code: "some_code",
      instance: "pod-7f3c",
      jti: "tok_1",
      kind: "task.started",
      operation: "tickets:read",
      orchestrator: "support-orchestrator",
      outcome: "allowed",
      reference: hmac("reference", '"run-77"'),
      resource: hmac("resource", '"tickets/SUP-1042"'),
      sub: hmac("sub", '"people/ana@example.com"'),
      task_id: "task_1",
    }
    expect(bytes).toBe(JSON.stringify(expected))
  })

  test("absent members are left out", () => {
    const { bytes, key, personal } = seal({ kind: "alarm.raised", at: event.at })
    expect(bytes.toString()).toBe('{"at":"2026-03-01T09:00:00.250Z","kind":"alarm.raised"}')
    expect([key, personal]).toEqual([null, null])
  })

  test("hold no personal value in clear, whatever it is", () => {
    const secret = fc
      .string({ minLength: 12, maxLength: 40, unit: "grapheme-ascii" })
      .map((one) => `~~${one}~~`)
    fc.assert(
      fc.property(secret, (value) => {
        const sealed = seal({
          ...event,
          sub: value,
          resource: value,
          reference: value,
          body: { purpose: value, reason: value, inputs: { a: value }, parameters: [value] },
        })
        expect(sealed.bytes.toString("utf8")).not.toContain(JSON.stringify(value).slice(1, -1))
      }),
    )
  })

  test("their leaf is the hash of exactly these bytes", () => {
    const { bytes, leaf } = seal(event, KEY)
    expect(leaf).toEqual(leafHash(bytes))
  })
})

describe("the key of the commitments", () => {
  test("is the task's where there is one, and is then not stored again", () => {
    expect(seal(event, KEY).key).toBeNull()
    expect(seal(event, KEY).bytes).toEqual(seal(event, KEY).bytes)
  })

  test("is otherwise fresh for each entry, and its commitments can be checked with it", () => {
    const [one, other] = [seal(event), seal(event)]
    expect(one.key).toHaveLength(32)
    expect(one.key).not.toEqual(other.key)
    expect(JSON.parse(one.bytes.toString()).sub).toEqual(
      hmac("sub", '"people/ana@example.com"', one.key ?? KEY),
    )
  })
})

describe("what can't be recorded", () => {
  const of = (length: number): Event => ({ kind: "alarm.raised", at: 0, body: { text: "x".repeat(length) } })
  const frame = seal(of(0)).bytes.length

  test("H12: 60 KiB is the most, to the byte", () => {
    expect(seal(of(MAX_ENTRY_BYTES - frame)).bytes).toHaveLength(MAX_ENTRY_BYTES)
    expect(() => seal(of(MAX_ENTRY_BYTES - frame + 1))).toThrow(/60 KiB/)
  })

  test.each([
    ["a lone surrogate", { text: "\udc00" }],
    ["a number that JSON has not", { number: Number.NaN }],
    ["a lone surrogate in a personal value", { purpose: "\ud800" }],
  ])("%s is refused, and the error does not show it", (_, body) => {
    expect(() => seal({ kind: "alarm.raised", at: 0, body })).toThrow(TypeError)
  })
})

describe("reading an entry back", () => {
  const { bytes, personal } = seal(event, KEY)
  const resting = {
    seq: 5,
    bytes,
    personal,
    sub: event.sub ?? null,
    resource: event.resource ?? null,
    reference: "run-77",
  }

  test("shows what was told, in the contract's spelling", () => {
    const { task, at, ...members } = event
    expect(show(resting)).toEqual({ ...members, task_id: task, at: "2026-03-01T09:00:00.250Z", seq: 5 })
  })

  test("shows the commitments of what was erased, and the rest as ever", () => {
    const erased = show({ ...resting, personal: null, sub: null, resource: null, reference: null })
    expect(erased).toMatchObject({
      sub: hmac("sub", '"people/ana@example.com"'),
      resource: hmac("resource", '"tickets/SUP-1042"'),
      reference: hmac("reference", '"run-77"'),
      body: { purpose: hmac("purpose", '"answer Ana\'s ticket"'), policy: "sha-256:abc" },
      agent: "triage-bot",
    })
  })

  test("an entry without a personal member does not borrow the task's", () => {
    const { bytes: bare } = seal({ kind: "token.issued", at: 0, task: "task_1" })
    expect(show({ ...resting, bytes: bare, personal: null })).not.toHaveProperty("reference")
  })
})
