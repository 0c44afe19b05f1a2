// One exchange over a real socket: what goes out is what was given, and what comes back is bounded.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { buffer } from "node:stream/consumers"
import { afterEach, beforeEach, expect, test } from "vitest"
import { exchange, Unreachable } from "../../src/remote/exchange.ts"

const LIMITS = { maxBytes: 1000, timeoutMilliseconds: 5000 }

let server: Server
let address: string
let answer: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>
beforeEach(async () => {
  server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

test.each([0, 1, 700_000])(
  "bytes arrive as they are, %i of them, their length said, each time they are sent",
  async (count) => {
    const bytes = Uint8Array.from({ length: count }, (_, at) => (at * 31) % 256)
    const got: unknown[] = []
    answer = async (request, response) => {
      const body = await buffer(request)
      const { "content-length": length, "transfer-encoding": coding, "content-type": type } = request.headers
      got.push([length, coding, type, body.equals(bytes)])
      response.end("taken")
    }
    const init = { method: "POST", headers: { "content-type": "application/jwt" }, body: bytes }
    expect(await exchange(address, init, LIMITS)).toMatchObject({ status: 200, text: "taken" })
    expect(await exchange(address, init, LIMITS)).toMatchObject({ status: 200, text: "taken" })
    expect(got).toEqual(Array(2).fill([String(count), undefined, "application/jwt", true]))
  },
)

test("bytes that are refused before they have arrived: the answer is told", async () => {
  answer = (_, response) => void response.writeHead(413).end("too large")
  const init = { method: "POST", body: new Uint8Array(700_000) }
  const told = await exchange(address, init, LIMITS).catch((fault: unknown) => fault)
  // Where the server closes first, the rest can't be sent.
  expect(told instanceof Unreachable || (told as { status: number }).status === 413).toBe(true)
})

test.each<[string, (response: ServerResponse) => void, string]>([
  [
    "sends elsewhere",
    (response) => void response.writeHead(307, { location: "/elsewhere" }).end(),
    "no answer from",
  ],
  ["breaks off", (response) => void response.destroy(), "no answer from"],
  ["says too much", (response) => void response.end("x".repeat(1001)), "larger than 1000 bytes"],
])("a server that %s has not answered", async (_, act, words) => {
  answer = (_request, response) => act(response)
  await expect(exchange(address, { method: "POST", body: Buffer.from("x") }, LIMITS)).rejects.toThrow(words)
})

test("nor has one that is too slow", async () => {
  answer = () => undefined
  const limits = { ...LIMITS, timeoutMilliseconds: 50 }
  await expect(exchange(address, {}, limits)).rejects.toBeInstanceOf(Unreachable)
})
