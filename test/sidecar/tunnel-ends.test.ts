// Catalogue B20: a WebSocket lasts as long as what let it in: with its token it ends on both sides, the caller is told why, and nothing
// passes any more.
import { once } from "node:events"
import { createServer } from "node:http"
import type { Socket } from "node:net"
import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import { closeFrame, watchFrames } from "../../src/sidecar/frames.ts"
import { newId } from "../../src/token/id.ts"
import { listen } from "../support/hosts.ts"
import { openProxied, type Proxied } from "../support/proxied.ts"

let api: Proxied
beforeEach(async () => {
  api = await openProxied()
})
afterEach(async () => {
  api.endProxies()
  await api.close()
})

/** An open WebSocket, what the API hears of it, and the API's end of it. */
async function openSocket(
  of = api,
  { task = newId("task"), ticket = "42", operation = "tickets:read" } = {},
) {
  const server = createServer()
  const sockets = new WebSocketServer({ noServer: true })
  const heard: string[] = []
  let raw: Socket | undefined
  server.on("upgrade", (req, socket, head) => {
    raw = req.socket
    sockets.handleUpgrade(req, socket, head, (one) => one.on("message", (data) => heard.push(String(data))))
  })
  const rule = { method: "GET", path: "/tickets/{id}", operation, resource: "tickets/{id}" }
  const { port } = await of.place(await listen(server), { routes: [rule] })
  const headers = { authorization: `Bearer ${of.mint(task)}` }
  const socket = new WebSocket(`ws://127.0.0.1:${port}/tickets/${ticket}`, { headers })
  const closed = once(socket, "close")
  await once(socket, "open")
  const [behind] = sockets.clients
  if (!behind || !raw) throw new Error("nothing arrived")
  const gone = once(behind, "close")
  return { socket, behind, raw, heard, task, closed, gone }
}

const saidOf = async (closed: Promise<unknown[]>) => {
  const [status, reason] = await closed
  return [status, String(reason)]
}

describe("a WebSocket whose upgrade would be refused by now", () => {
  const ways: Readonly<Record<string, readonly [act: (task: string) => void, status: number, code: string]>> =
    {
      "nobody knows whether its token still lives": [
        () => {
          api.stub.setDown(true)
          api.clock.advance(40_000)
        },
        1013,
        "revocations_stale",
      ],
      "its token has expired": [() => api.clock.advance(606_000), 1008, "token_expired"],
      "its token is revoked": [
        (value) => api.stub.revoke({ kind: "task", value, code: "token_revoked" }),
        1008,
        "token_revoked",
      ],
      "its task has ended": [
        (value) => api.stub.revoke({ kind: "task", value, code: "task_ended" }),
        1008,
        "task_ended",
      ],
      "its task is paused": [
        (value) => api.stub.revoke({ kind: "task", value, code: "task_paused" }),
        1008,
        "task_paused",
      ],
    }
  test.each(Object.entries(ways))(
    "B20 %s: ends on both sides, and says so",
    async (_, [act, status, code]) => {
      const other = await openSocket()
      const { behind, task, closed, gone } = await openSocket(api, { operation: "tickets:close" }) // of high risk
      behind.send("whole")
      act(task)
      expect(await saidOf(closed)).toEqual([status, code])
      await gone
      if (code !== "token_expired") expect(other.socket.readyState).toBe(WebSocket.OPEN)
      api.stub.setDown(false)
      expect(await api.usesOf(task)).toMatchObject([{ decision: "allowed", status: 101 }])
    },
  )

  test("in the middle of what the API says it is cut off without a word", async () => {
    const { socket, raw, task, closed, gone } = await openSocket()
    const messages: unknown[] = []
    socket.on("message", (data) => messages.push(data))
    raw.write(Buffer.from([0x82, 10, 1, 2, 3])) // seven to come, which the last words could be taken for
    api.stub.revoke({ kind: "task", value: task })
    expect(await saidOf(closed)).toEqual([1006, ""])
    expect(messages).toEqual([])
    await gone
  })

  test("passes nothing that the caller says from then on", async () => {
    const { socket, heard, task, closed, gone } = await openSocket()
    socket.send("before")
    await expect.poll(() => heard).toEqual(["before"])
    const talking = setInterval(() => socket.readyState === WebSocket.OPEN && socket.send("more"), 5)
    api.stub.revoke({ kind: "task", value: task })
    await Promise.all([closed, gone])
    clearInterval(talking)
    const until = heard.length
    expect(heard.slice(0, until)).toEqual(["before", ...Array.from({ length: until - 1 }, () => "more")])
  })
})

test("in observe mode it lasts until that is over", async () => {
  const until = new Date(api.clock.now() + 60_000).toISOString()
  const observed = await openProxied({ mode: { observe: { until } } })
  const [refused, revoked] = [await openSocket(observed, { ticket: "43" }), await openSocket(observed)]
  observed.stub.revoke({ kind: "task", value: revoked.task })
  await expect.poll(async () => (await observed.verifier.ready()).ready).toBe(true)
  revoked.behind.send("still here")
  expect(String((await once(revoked.socket, "message"))[0])).toBe("still here")
  observed.clock.advance(61_000)
  expect(await saidOf(refused.closed)).toEqual([1008, "resource_not_granted"])
  expect(await saidOf(revoked.closed)).toEqual([1008, "token_revoked"])
  observed.endProxies()
  await observed.close()
})

describe("frames", () => {
  const frame = fc
    .record({
      length: fc.oneof(fc.integer({ min: 0, max: 130 }), fc.constantFrom(65_535, 65_536, 70_000)),
      masked: fc.boolean(),
    })
    .map(({ length, masked }) => {
      const mask = masked ? 0x80 : 0
      const long = Buffer.alloc(length > 65_535 ? 8 : 2)
      if (length > 65_535) long.writeBigUInt64BE(BigInt(length))
      else long.writeUInt16BE(length)
      const short = length < 126 ? [length | mask] : [(length > 65_535 ? 127 : 126) | mask, ...long]
      return Buffer.concat([Buffer.from([0x82, ...short]), Buffer.alloc(length + (masked ? 4 : 0), 0x82)])
    })

  test("are told apart wherever they are cut", () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(fc.array(frame, { minLength: 1, maxLength: 6 }), cuts, (all, sizes) => {
        const ends = new Set<number>([0])
        for (const { length } of all) ends.add(Math.max(...ends) + length)
        const bytes = Buffer.concat(all)
        const frames = watchFrames()
        for (let at = 0, n = 0; at < bytes.length; n++) {
          const to = Math.min(bytes.length, at + (sizes[n % sizes.length] ?? 1))
          frames.pass(bytes.subarray(at, to))
          at = to
          expect(frames.isBetween()).toBe(ends.has(at))
        }
      }),
      { numRuns: 200 },
    )
  })

  test("the last one is a server's", () => {
    expect([...closeFrame(1008, "no")]).toEqual([0x88, 4, 0x03, 0xf0, 0x6e, 0x6f])
  })
})
