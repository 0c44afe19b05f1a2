// Catalogue, section E, E08: which addresses are asked at all for another issuer's keys, or told by webhook. A name counts for what it means at
// the moment of connecting, and for nothing else.
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { describe, expect, test } from "vitest"
import { readWebhooks } from "../../src/issuer/webhook.ts"
import {
  fetchDocument,
  type Lookup,
  mayBeAsked,
  NotAllowed,
  type Outward,
  postDocument,
} from "../../src/remote/outward.ts"

const posted = (address: string, outward: Outward) =>
  postDocument(address, outward, { type: "text/plain", text: "x", signal: new AbortController().signal })

describe("E08 addresses", () => {
  test.each([
    ["127.0.0.1", true],
    ["10.1.2.3", true],
    ["172.16.0.1", true],
    ["172.31.255.255", true],
    ["192.168.1.1", true],
    ["100.64.0.1", true],
    ["198.18.0.1", true],
    ["::1", true],
    ["fd12:3456::1", true],
    ["0.0.0.0", false],
    ["169.254.169.254", false],
    ["224.0.0.1", false],
    ["255.255.255.255", false],
    ["192.0.2.1", false],
    ["::", false],
    ["fe80::1", false],
    ["fe80::1%eth0", false],
    ["fd00:ec2::254", false],
    ["ff02::1", false],
    ["::ffff:127.0.0.1", true],
    ["::ffff:7f00:1", true],
    ["::ffff:169.254.169.254", false],
    ["::127.0.0.1", false],
    ["64:ff9b::7f00:1", false],
    ["2002:7f00:1::", false],
    ["2001:0:7f00:1::", false],
    ["localhost", false],
    ["", false],
  ])("E08 %s is not asked; where a policy allows private ones: %s", (address, allowed) => {
    expect([mayBeAsked(address, false), mayBeAsked(address, true)]).toEqual([false, allowed])
  })

  test.each(["140.82.112.3", "172.32.0.1", "2606:50c0:8000::1", "9.255.255.255"])(
    "E08 %s may be",
    (address) => {
      expect(mayBeAsked(address, false)).toBe(true)
    },
  )

  test.each([
    ["plain http beyond loopback", "http://keys.example/"],
    ["an address in decimals", "https://2130706433/"],
    ["one in octals", "https://0177.0.0.1/"],
    ["one cut short", "https://127.1/"],
    ["one in IPv6", "https://[::ffff:127.0.0.1]/"],
    ["one of a cloud's metadata", "https://169.254.169.254/"],
    ["a file", "file:///etc/passwd"],
  ])("E08 %s is refused before anything is sent", async (_what, address) => {
    const outward = { privateAddresses: false }
    await expect(fetchDocument(address, outward)).rejects.toBeInstanceOf(NotAllowed)
    await expect(posted(address, outward)).rejects.toBeInstanceOf(NotAllowed)
    const webhooks = { addresses: [address] }
    expect(() => readWebhooks(webhooks)).toThrow(/a webhook can't be told/)
  })

  const server = createServer((_request, response) => response.end("{}"))
  const listening = () => new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", () => resolve()))
  const closed = () => new Promise<void>((resolve) => void server.close(() => resolve()))

  test("E08 a name that means an address of ours is not asked, whatever else it means", async () => {
    await listening()
    const { port } = server.address() as AddressInfo
    let connections = 0
    server.on("connection", () => connections++)
    const told =
      (...addresses: string[]): Lookup =>
      (_name, _options, answer) =>
        answer(
          null,
          addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
        )
    const fetched = (lookup: Lookup, privateAddresses = false) =>
      fetchDocument(`http://rebound.example:${port}/`, { privateAddresses, plainHttp: true, lookup })
    await expect(fetched(told("127.0.0.1"))).rejects.toBeInstanceOf(NotAllowed)
    await expect(fetched(told("140.82.112.3", "127.0.0.1"))).rejects.toBeInstanceOf(NotAllowed)
    await expect(fetched(told("169.254.169.254"), true)).rejects.toBeInstanceOf(NotAllowed)
    const post = (lookup: Lookup, privateAddresses: boolean) =>
      posted(`http://rebound.example:${port}/`, { privateAddresses, plainHttp: true, lookup })
    await expect(post(told("127.0.0.1"), false)).rejects.toBeInstanceOf(NotAllowed)
    await expect(post(told("140.82.112.3", "127.0.0.1"), false)).rejects.toBeInstanceOf(NotAllowed)
    await expect(post(told("169.254.169.254"), true)).rejects.toBeInstanceOf(NotAllowed)
    expect(connections).toBe(0)
    expect(await fetched(told("127.0.0.1"), true)).toBe("{}")
    await closed()
  })

  test("E08 a name is looked up once for each connection, and the address that was checked is connected to", async () => {
    const asked: string[] = []
    const lookup: Lookup = (name, _options, answer) => {
      asked.push(name)
      // Public when it is checked, this host ever after.
      answer(null, [{ address: asked.length === 1 ? "192.88.99.1" : "127.0.0.1", family: 4 }])
    }
    const outward = { privateAddresses: false, plainHttp: true, lookup }
    await expect(fetchDocument("http://rebound.example:9/", outward)).rejects.not.toBeInstanceOf(NotAllowed)
    expect(asked).toEqual(["rebound.example"])
  })
})
