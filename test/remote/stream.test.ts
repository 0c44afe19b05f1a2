// An answer that is read as it comes: its beginning has a deadline, its silences have another, and it can be left.
import { createServer, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, expect, test } from "vitest"
import { Unreachable } from "../../src/remote/exchange.ts"
import { openStream, type StreamLimits } from "../../src/remote/stream.ts"

/** Robust on a loaded machine. */
const soon = <T>(look: () => T) => expect.poll(look, { timeout: 15_000, interval: 10 })

let server: Server
let address: string
let answer: (response: ServerResponse) => void
let closed: number
const ending = () => new AbortController()
const limits = (changes: Partial<StreamLimits> = {}): StreamLimits => ({
  timeoutMilliseconds: 5000,
  silenceMilliseconds: 5000,
  maxBytes: 1000,
  signal: ending().signal,
  ...changes,
})

beforeEach(async () => {
  closed = 0
  server = createServer((_request, response) => {
    response.on("close", () => closed++)
    answer(response)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const read = async (changes: Partial<StreamLimits> = {}) => {
  const opened = await openStream(address, {}, limits(changes))
  let text = ""
  for await (const part of opened.parts ?? []) text += part
  return text
}

test("what came is handed over as it comes, characters whole", async () => {
  answer = (response) => {
    response.write(Buffer.from("é").subarray(0, 1))
    setImmediate(() => response.end(Buffer.from("é").subarray(1)))
  }
  expect(await read()).toBe("é")
})

test.each<[string, (response: ServerResponse) => void]>([
  ["no beginning", () => undefined],
  ["silence after the beginning", (response) => response.write("x")],
])("%s ends it, and the connection", async (_what, script) => {
  answer = script
  await expect(read({ timeoutMilliseconds: 200, silenceMilliseconds: 200 })).rejects.toBeInstanceOf(
    Unreachable,
  )
  await soon(() => closed).toBe(1)
})

test("bytes that are no text, and an answer that breaks off, are no answer", async () => {
  answer = (response) => response.end(Buffer.of(0xff))
  await expect(read()).rejects.toBeInstanceOf(Unreachable)
  answer = (response) => {
    response.write("x")
    setImmediate(() => response.destroy())
  }
  await expect(read()).rejects.toBeInstanceOf(Unreachable)
})

test("an answer other than 200 is read whole, within its limit", async () => {
  answer = (response) => response.writeHead(404).end("no")
  expect(await openStream(address, {}, limits())).toMatchObject({ status: 404, text: "no" })
  answer = (response) => response.writeHead(404).end("x".repeat(2000))
  await expect(openStream(address, {}, limits())).rejects.toBeInstanceOf(Unreachable)
})

test("it is left at any time: before it is read, while it is read, by its signal", async () => {
  answer = (response) => response.write("x")
  const unread = await openStream(address, {}, limits())
  if (unread.parts) unread.leave()
  await soon(() => closed).toBe(1)
  const opened = await openStream(address, {}, limits())
  for await (const _part of opened.parts ?? []) break
  await soon(() => closed).toBe(2)
  const controller = ending()
  const reading = read({ signal: controller.signal })
  controller.abort()
  await expect(reading).rejects.toBeInstanceOf(Unreachable)
  await expect(read({ signal: controller.signal })).rejects.toBeInstanceOf(Unreachable)
})
