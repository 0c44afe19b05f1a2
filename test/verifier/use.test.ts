// The text that is written of an allowed use is the record's JSON, whatever hosts call their routes and clients their ids.
import { expect, test } from "vitest"
import { refuse } from "../../src/errors.ts"
import { newId } from "../../src/token/id.ts"
import { isSegment } from "../../src/token/resource.ts"
import { createUses, tailOf } from "../../src/verifier/use.ts"
import { API, opened, validToken } from "../support/forge.ts"

const { token } = opened(validToken())
const uses = createUses(API)
const now = Date.parse("2026-03-01T09:00:00.123Z")
const asked = {
  ...{ id: newId("use", now), now },
  ...{ method: "GET", route: "/tickets/:id", operation: "tickets:read", resource: ["tickets", "7"] },
}

test.each([
  ["an ordinary one", {}],
  ["every character that a segment may have", { resource: ["a", "AZaz09_~!$&'()+,:=@.-"] }],
  ["one segment", { resource: ["tickets"] }],
  ["segments that look like JSON", { resource: ['a","b', 'a"],"code":"x', '"', "'"] }],
  ["as many characters as a segment may have, each of two units", { resource: ["😀".repeat(256)] }],
  ["a route with quotes, controls and letters of others", { route: '/"\\\u0001/é/:id' }],
  ["no route", { route: undefined }],
  ["a method that is none", { method: "GET /" }],
  ["a route too long to be recorded", { route: "/".repeat(513) }],
  ["within a trace", { traceId: "0af7651916cd43dd8448eb211c80319c" }],
])("a use is written as JSON.stringify writes its record: %s", (_, changes) => {
  const use = { ...asked, ...changes }
  const record = uses.describe(token, use, undefined)
  expect(record).toMatchObject({ at: "2026-03-01T09:00:00.123Z", decision: "allowed" })
  const headOf = uses.headsOf(token)
  expect(headOf(use).text + tailOf(use)).toBe(JSON.stringify(record))
  expect(headOf(use)).toBe(headOf({ ...use }))
  expect(headOf(use).task).toBe(token.txn)
})

test("a use is written as its record, whichever characters its segments are made of", () => {
  const headOf = uses.headsOf(token)
  const segments: string[] = []
  const differing: string[] = []
  const hold = () => {
    const use = { ...asked, resource: segments.splice(0) }
    const record = uses.describe(token, use, undefined)
    if (JSON.stringify(record.resource) !== JSON.stringify(use.resource)) differing.push(...use.resource)
    if (headOf(use).text + tailOf(use) !== JSON.stringify(record)) differing.push(...use.resource)
  }
  for (let point = 0; point <= 0x10ffff; point++) {
    const segment = `${String.fromCodePoint(point)}-`
    if (isSegment(segment) && segments.push(segment) === 32) hold()
  }
  hold()
  expect(differing).toEqual([])
})

test("more routes than are remembered are written all the same", () => {
  const headOf = uses.headsOf(token)
  for (let at = 0; at < 2500; at++) {
    const use = { ...asked, route: `/tickets/${at}` }
    expect(headOf(use).text + tailOf(use)).toBe(JSON.stringify(uses.describe(token, use, undefined)))
  }
})

test("a refusal is described with its code and status", () => {
  const use = uses.describe(token, asked, refuse("resource_not_granted", "resource"))
  expect(use).toMatchObject({ decision: "refused", code: "resource_not_granted", status: 403 })
})
