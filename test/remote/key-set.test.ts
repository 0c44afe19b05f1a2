import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { Unreachable } from "../../src/remote/exchange.ts"
import { createKeySet, followKeys, type KeySetSnapshot, PoisonedKeySet } from "../../src/remote/key-set.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { createFakeClock } from "../support/fake-clock.ts"

const key = importSigningKey(generatePrivateJwk("ES256"))
const next = importSigningKey(generatePrivateJwk("EdDSA"))
const clock = createFakeClock()
const HOUR = 3_600_000
let answer: (request: IncomingMessage, response: ServerResponse) => void
let fetches = 0
let kept: KeySetSnapshot[] = []
let address = ""

const server = createServer((request, response) => {
  fetches++
  answer(request, response)
})
const good = (...keys: (typeof key)[]) => {
  const text = JSON.stringify({ keys: keys.map((one) => one.publicJwk) })
  answer = (_, response) => response.writeHead(200, { "content-type": "application/json" }).end(text)
}
const body = (text: string, status = 200, type: string | undefined = "application/json") => {
  answer = (_, response) => response.writeHead(status, { ...(type && { "content-type": type }) }).end(text)
}
const away = () => {
  answer = (request) => request.socket.destroy()
}
const create = (stored?: KeySetSnapshot) =>
  createKeySet({ address, clock, stored, keep: (snapshot) => void kept.push(snapshot) })
const fetched = async () => {
  good(key)
  const keys = create()
  await keys.refresh()
  return keys
}

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/.well-known/jwks.json`
})
beforeEach(() => {
  fetches = 0
  kept = []
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

describe("a key that the issuer has told of", () => {
  test("is found by the first token, though the set was fetched before it stood there", async () => {
    const keys = await fetched()
    await keys.announce(next.kid)
    expect(await keys.seek(next.kid)).toBe("unknown")
    good(key, next)
    expect(await keys.seek(next.kid)).toMatchObject({ kid: next.kid })
  })

  test("lets no other be sought sooner, and itself for half a minute only", async () => {
    const keys = await fetched()
    await keys.announce(next.kid)
    const before = fetches
    good(key, next)
    expect(await keys.seek("absent")).toBe("unknown")
    expect(fetches).toBe(before)
    good(key)
    clock.advance(30_000)
    expect(await keys.seek(next.kid)).toBe("unknown")
    good(key, next)
    expect(await keys.seek(next.kid)).toBe("unknown")
    expect(fetches).toBe(before + 1)
  })

  test("is told of while the issuer is away without a word", async () => {
    const keys = await fetched()
    away()
    await keys.announce(next.kid)
    expect(keys.keyOf(key.kid)?.kid).toBe(key.kid)
  })
})

describe("without the issuer", () => {
  test("a set is believed for an hour, on a clock that nobody sets", async () => {
    const keys = await fetched()
    away()
    clock.step(-10 * HOUR)
    clock.advance(HOUR)
    expect(keys.keyOf(key.kid)?.kid).toBe(key.kid)
    await expect(keys.refresh()).rejects.toBeInstanceOf(Unreachable)
    expect(keys.usable()).toBe(true)
    clock.advance(1)
    expect([keys.usable(), keys.keyOf(key.kid)]).toEqual([false, undefined])
  })

  test("a restart believes what was kept for the rest of that hour", async () => {
    await fetched()
    const [snapshot] = kept
    away()
    clock.advance(HOUR)
    expect(create(snapshot).keyOf(key.kid)?.kid).toBe(key.kid)
    clock.advance(1)
    expect(create(snapshot).usable()).toBe(false)
  })

  test("what a clock that was ahead has kept is believed for that hour, and no longer", async () => {
    await fetched()
    const text = kept[0]?.text ?? ""
    away()
    const keys = create({ text, fetchedAt: clock.now() + 10 * HOUR })
    clock.advance(HOUR)
    expect(keys.usable()).toBe(true)
    clock.advance(1)
    expect(keys.usable()).toBe(false)
  })

  test("a kept set is parsed as strictly as a fetched one", () => {
    const text = JSON.stringify({ keys: [{ ...key.publicJwk, d: "AA" }] })
    expect(create({ text, fetchedAt: clock.now() }).usable()).toBe(false)
    expect(create({ text: "{", fetchedAt: clock.now() }).usable()).toBe(false)
  })
})

test("a set that has aged is asked for again, once in half a minute while nobody answers", async () => {
  let asked = 0
  let isAway = false
  const fetchText = async () => {
    asked++
    if (isAway) throw new Unreachable("away")
    return ""
  }
  const keys = followKeys({ fetchText, read: () => new Map([["k", "key"]]) }, { clock })
  await keys.refresh()
  isAway = true
  clock.advance(299_999)
  expect(keys.freshen(300_000), "young").toBeUndefined()
  clock.advance(1)
  const look = keys.freshen(300_000)
  expect(keys.freshen(300_000), "under way").toBeUndefined()
  await expect(look).rejects.toBeInstanceOf(Unreachable)
  clock.advance(29_999)
  expect(keys.freshen(300_000), "just asked").toBeUndefined()
  clock.advance(1)
  await expect(keys.freshen(300_000)).rejects.toBeInstanceOf(Unreachable)
  expect([asked, keys.keyOf("k")]).toEqual([3, "key"])
})

describe("a key that is not known", () => {
  test("is asked for once by all callers together, and again after 30 seconds", async () => {
    const keys = await fetched()
    clock.advance(30_000)
    good(key, next)
    const found = await Promise.all(Array.from({ length: 200 }, () => keys.seek(next.kid)))
    expect(found.every((one) => typeof one === "object" && one.kid === next.kid)).toBe(true)
    expect(fetches).toBe(2)
    for (let at = 0; at < 50; at++) expect(await keys.seek(`absent-${at}`)).toBe("unknown")
    expect(fetches).toBe(2)
    clock.advance(30_000)
    expect(await keys.seek("absent")).toBe("unknown")
    expect(fetches).toBe(3)
  })

  test("can't be told unknown while the issuer can't be asked, however often it is sought", async () => {
    const keys = await fetched()
    away()
    clock.advance(30_000)
    const before = fetches
    for (let at = 0; at < 50; at++) expect(await keys.seek("absent")).toBe("unavailable")
    expect(fetches - before).toBeLessThanOrEqual(2)
    expect(keys.keyOf(key.kid)?.kid).toBe(key.kid)
  })
})

describe("A12 L05 a poisoned set is refused whole, the old one kept", () => {
  const { kty, crv, x, y } = key.publicJwk
  const keysOf = (...keys: unknown[]) => JSON.stringify({ keys })
  const ours = { kty, crv, x, y, kid: "ours" }
  test.each<[string, string, number?, string?]>([
    ["a page", "<html>"],
    ["nothing", ""],
    ["no keys", keysOf()],
    ["a list", "[]"],
    ["half of it", keysOf(ours).slice(0, 40)],
    ["a symmetric key beside", keysOf(ours, { kty: "oct", k: "AAAA", kid: "s" })],
    ["an RSA key beside", keysOf(ours, { kty: "RSA", n: "AQAB", e: "AQAB", kid: "r" })],
    ["a private key", keysOf({ ...ours, d: x })],
    ["one name twice", keysOf(ours, ours)],
    ["seventeen keys", keysOf(...Array.from({ length: 17 }, (_, at) => ({ ...ours, kid: `k${at}` })))],
    ["more than 64 KiB", `${keysOf(ours)}${" ".repeat(70_000)}`],
    ["an error", keysOf(ours), 500],
    ["not found", keysOf(ours), 404],
    ["a set that is served as a page", keysOf(ours), 200, "text/html"],
    ["a set that is served as text", keysOf(ours), 200, "text/plain; charset=application/json"],
    ["a set of no type", keysOf(ours), 200, ""],
  ])("%s", async (_, text, status, type) => {
    const keys = await fetched()
    body(text, status, type)
    const failed = await keys.refresh().catch((fault: unknown) => fault)
    expect(failed instanceof PoisonedKeySet || failed instanceof Unreachable).toBe(true)
    expect(keys.keyOf("ours")).toBeUndefined()
    expect(keys.keyOf(key.kid)?.kid).toBe(key.kid)
    expect(kept.length).toBe(1)
  })

  test.each(["application/json", "application/json; charset=utf-8", "application/jwk-set+json"])(
    "a set that comes as %s is taken",
    async (type) => {
      const keys = await fetched()
      body(keysOf(ours), 200, type)
      await keys.refresh()
      expect(keys.keyOf("ours")?.kid).toBe("ours")
    },
  )

  test("a redirect is not followed", async () => {
    const keys = await fetched()
    answer = (_, response) => response.writeHead(302, { location: "/elsewhere" }).end()
    const before = fetches
    await expect(keys.refresh()).rejects.toBeInstanceOf(Unreachable)
    expect(fetches - before).toBe(1)
  })
})
