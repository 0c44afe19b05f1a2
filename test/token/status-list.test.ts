// The encoding against the draft's own examples, and the one shape of the claim that names a place.
import { inflateSync } from "node:zlib"
import { describe, expect, test } from "vitest"
import { compressStatuses, packStatuses, STATUS, signStatusList } from "../../src/token/status-list.ts"
import { taskTokenClaims } from "../../src/token/token.ts"
import { claims, compact, eddsa, es256, header, ISSUER, input, NOW, open, opened } from "../support/forge.ts"
import { readStatusList } from "../support/status-reader.ts"

const ID = "AbCdEfGhIjKlMnOpQrStUw"
const URI = `${ISSUER}/status-lists/${ID}`

describe("the encoding", () => {
  test("of two bits is the draft's example", () => {
    const values = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]
    // 3 is nobody's status here; two that share a place make it, which shows that each has bits of its own.
    const told = values.flatMap((value, idx) => [
      ...(value & 1 ? [{ idx, status: STATUS.invalid }] : []),
      ...(value & 2 ? [{ idx, status: STATUS.suspended }] : []),
    ])
    const bytes = packStatuses(told, 12)
    expect([...bytes]).toEqual([0xc9, 0x44, 0xf9])
    expect(compressStatuses(bytes)).toBe("eNo76fITAAPfAgc")
  })

  test("of one bit is the draft's example, in what it shares with ours", () => {
    expect(compressStatuses(Uint8Array.of(0xb9, 0xa3))).toBe("eNrbuRgAAhcBXQ")
  })

  test.each([0, 1, 2, 3, 4, 65_535])("place %i is told alone", (idx) => {
    const bytes = packStatuses([{ idx, status: STATUS.suspended }])
    expect(bytes).toHaveLength(16_384)
    expect(bytes.reduce((sum, byte) => sum + byte, 0)).toBe(2 << ((idx % 4) * 2))
    expect((bytes[Math.floor(idx / 4)] ?? 0) >> ((idx % 4) * 2)).toBe(2)
  })

  test.each([65_536, -1, 12.5e9])("there is no place %d", (idx) => {
    expect(() => packStatuses([{ idx, status: STATUS.invalid }])).toThrow(TypeError)
  })
})

test.each([es256, eddsa])("a signed list is read by somebody else's reader ($alg)", async (key) => {
  const bytes = packStatuses([{ idx: 7, status: STATUS.invalid }])
  const jwt = signStatusList({ issuer: ISSUER, uri: URI, iat: NOW, bytes }, key)
  const expected = { keys: { keys: [es256.publicJwk, eddsa.publicJwk] }, uri: URI, now: NOW * 1000 }
  const list = await readStatusList(jwt, expected)
  expect([list.statusAt(6), list.statusAt(7), list.statusAt(8)]).toEqual([0, 1, 0])
  expect(list.claims).toEqual({
    iss: ISSUER,
    sub: URI,
    iat: NOW,
    exp: NOW + 300,
    ttl: 5,
    status_list: { bits: 2, lst: expect.any(String) },
  })
  const { lst } = list.claims.status_list as { lst: string }
  expect(Buffer.from(bytes).equals(inflateSync(Buffer.from(lst, "base64url")))).toBe(true)
  await expect(readStatusList(jwt, { ...expected, uri: `${URI}x` })).rejects.toThrow("sub")
  await expect(readStatusList(jwt, { ...expected, now: (NOW + 301) * 1000 })).rejects.toThrow("exp")
})

test("a list is no task token, whatever key signed it", () => {
  const jwt = signStatusList({ issuer: ISSUER, uri: URI, iat: NOW, bytes: packStatuses([]) }, es256)
  expect(open(jwt)).toMatchObject({ tag: "typ" })
})

describe("the claim", () => {
  const status = { idx: 65_535, uri: URI }

  test("is minted as the draft writes it, and read back", () => {
    const text = taskTokenClaims(input({ status }))
    expect(JSON.parse(text).status).toEqual({ status_list: status })
    expect(opened(compact(header(), text)).token.status).toEqual(status)
    expect(opened(compact(header(), taskTokenClaims(input()))).token).not.toHaveProperty("status")
  })

  const list = (changes: object) => ({ status_list: { ...status, ...changes } })
  test.each([
    ["null", null],
    ["a text", URI],
    ["a list", [list({})]],
    ["empty", {}],
    ["another mechanism", { identifier_list: { id: "x", uri: URI } }],
    ["another mechanism beside it", { ...list({}), identifier_list: {} }],
    ["a list of lists", { status_list: [status] }],
    ["no index", { status_list: { uri: URI } }],
    ["no URI", { status_list: { idx: 1 } }],
    ["a further member", list({ bits: 2 })],
    ["an index as text", list({ idx: "1" })],
    ["an index below 0", list({ idx: -1 })],
    ["an index behind the list", list({ idx: 65_536 })],
    ["a list of another issuer", list({ uri: `https://other.example/status-lists/${ID}` })],
    ["a list of an issuer whose name begins alike", list({ uri: `${ISSUER}.evil/status-lists/${ID}` })],
    ["another path", list({ uri: `${ISSUER}/lists/${ID}` })],
    ["no id", list({ uri: `${ISSUER}/status-lists/` })],
    ["a longer id", list({ uri: `${URI}A` })],
    ["a query", list({ uri: `${ISSUER}/status-lists/${ID.slice(2)}?a` })],
    ["a URI that is none", list({ uri: 1 })],
  ])("%s is not read", (_what, value) => {
    const read = open(compact(header(), claims({ status: value })))
    expect(read).toMatchObject({ tag: "claims", member: "status" })
  })

  test.each([
    [{ idx: -1, uri: URI }],
    [{ idx: 0.5, uri: URI }],
    [{ idx: 65_536, uri: URI }],
    [{ idx: 1, uri: `https://other.example/status-lists/${ID}` }],
  ])("%j is not minted", (wrong) => {
    expect(() => taskTokenClaims(input({ status: wrong }))).toThrow(TypeError)
  })
})
