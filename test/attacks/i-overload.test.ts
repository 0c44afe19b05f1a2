// Catalogue I06, I25, J01 and J04: more connections, more requests and slower senders than there is room for. Whoever
// floods is refused with a time to come back at, and everybody else is served.
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, describe, expect, test, vi } from "vitest"
import { writeExampleFolder } from "../../src/cli/example-folder.ts"
import { LIMITS, type Listening, listen } from "../../src/cli/server.ts"
import { openDatabase } from "../../src/database/open.ts"
import { type Running, startCliUnder } from "../support/command-line.ts"
import { type House, openHouse, START } from "../support/issuer-house.ts"

const LARGE = 64 * 1024 * 1024
const houses: House[] = []
const servers: Listening[] = []
const sockets: Socket[] = []
const running: Running[] = []
afterEach(async () => {
  for (const { child } of running) child.kill("SIGKILL")
  await Promise.all(running.splice(0).map(({ ended }) => ended))
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(servers.splice(0).map((one) => one.drain(0)))
  await Promise.all(houses.splice(0).map((one) => one.remove()))
})

/** An issuer whose disk stands still while it is held. */
async function openHeld() {
  const house = await openHouse()
  houses.push(house)
  await house.issuer.close()
  const engine = await openDatabase(house.database)
  let held: Promise<void> | undefined
  await house.restart({
    database: {
      query: (statement, values) => engine.query(statement, values),
      async atomically(steps) {
        await held
        return engine.atomically(steps)
      },
      hearOthers: (listener) => engine.hearOthers(listener),
      scrub: () => engine.scrub(),
      close: () => engine.close(),
      broken: engine.broken,
    },
  })
  return {
    house,
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = promise
      return () => {
        held = undefined
        resolve()
      }
    },
  }
}

test("J01 a flood of one caller is bounded and refused to come back at different times; another's start is not behind it", async () => {
  const { house, hold } = await openHeld()
  const flood = { as: "support-orchestrator", json: { ...START, type: "nonsense" } } as const
  const other = { as: "release-orchestrator", json: { ...START, type: "nonsense" } } as const
  for (const one of [flood, other]) expect((await house.call("POST", "/tasks", one)).status).toBe(403)
  const release = hold()
  const answers: Response[] = []
  const asking = Array.from({ length: 3000 }, async () =>
    answers.push(await house.call("POST", "/tasks", flood)),
  )
  await vi.waitFor(() => expect(answers.length).toBeGreaterThan(600))
  const bounded = answers.length
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([429]))
  const waits = new Set(answers.map(({ headers }) => headers.get("retry-after")))
  expect([...waits].sort()).toEqual(["1", "2", "3", "4"])

  const asked = house.call("POST", "/tasks", other)
  await vi.waitFor(() => expect(answers.length).toBe(bounded + 1)) // the flood gave up one place
  release()
  expect((await asked).status).toBe(403)
  expect(answers.length - bounded).toBeLessThan(1200) // of the 2,300 that were there before
  await Promise.all(asking)
  expect(answers.filter(({ status }) => status === 403).length).toBe(3000 - bounded - 1)
  expect(house.faults).toEqual([])
})

describe("J04 slow and silent connections", () => {
  const limits = {
    ...LIMITS,
    headersTimeout: 300,
    requestTimeout: 350,
    connectionsCheckingInterval: 50,
    idleTimeout: 400,
    maxConnections: 4096,
  }
  const serveWith = async (changes: Partial<typeof limits> = {}) => {
    const server = await listen("127.0.0.1", 0, { ...limits, ...changes })
    servers.push(server)
    server.serve(async (request) => {
      if (request.method === "POST") await request.text()
      return new Response(new URL(request.url).pathname === "/large" ? "x".repeat(LARGE) : "here")
    })
    return server
  }
  /** What came, and whether the server has ended the connection. */
  const open = (port: number, text: string) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text))
    sockets.push(socket)
    const got = {
      text: "",
      closed: new Promise<void>((resolve) => socket.once("close", () => resolve())),
      socket,
    }
    socket.on("error", () => undefined)
    return got
  }

  test.each([
    ["half a header", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow"],
    ["half a body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"],
    ["nothing at all", ""],
  ])("J04 who sends %s is cut off, and others are served meanwhile", async (_what, text) => {
    const server = await serveWith()
    const slow = open(server.port, text)
    slow.socket.resume()
    expect(await (await fetch(`http://127.0.0.1:${server.port}/`)).text()).toBe("here")
    await slow.closed
  })

  test("J04 who takes nothing of its answer is cut off", async () => {
    const server = await serveWith()
    const lazy = open(server.port, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    let taken = 0
    lazy.socket.on("data", (part) => {
      taken += part.length
    })
    lazy.socket.pause()
    await new Promise((resolve) => setTimeout(resolve, 3.5 * limits.idleTimeout))
    lazy.socket.resume()
    await Promise.race([lazy.closed, vi.waitFor(() => expect(taken).toBeGreaterThan(LARGE), 5000)])
    expect(taken).toBeLessThan(LARGE)
  })

  test("J04 above the limit of connections new ones are closed at once, and taken when there is room", async () => {
    const server = await serveWith({
      maxConnections: 2,
      headersTimeout: 10_000,
      requestTimeout: 10_000,
      idleTimeout: 10_000,
    })
    const [first] = [open(server.port, "GET"), open(server.port, "GET")]
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("connect", resolve))))
    const third = open(server.port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    third.socket.resume()
    await third.closed
    first?.socket.destroy()
    await vi.waitFor(async () => expect((await fetch(`http://127.0.0.1:${server.port}/`)).status).toBe(200))
  })
})

describe("I06 a process with too few file descriptors", () => {
  const folder = mkdtempSync(join(tmpdir(), "taskmint-descriptors-"))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test("I06 takes fewer connections meanwhile, and serves and records again when they are gone", {
    timeout: 60_000,
  }, async () => {
    if (spawnSync("prlimit", ["--version"]).status !== 0)
      return console.warn("NOT TESTED HERE: EMFILE (prlimit is missing)")
    const house = writeExampleFolder(join(folder, "house"))
    const env = {
      TASKMINT_ISSUER: "https://taskmint.example",
      TASKMINT_POLICIES: house.policies,
      TASKMINT_DATABASE: `sqlite:${house.database}`,
      TASKMINT_KEY_ENCRYPTION_KEY_FILE: house.keyEncryptionKeyFile,
    }
    const serving = startCliUnder(["prlimit", "--nofile=64"], ["serve", "--port", "0"], { env })
    running.push(serving)
    const [, address = ""] = await serving.said(/"address":"([^"]+)".*"msg":"listening"/)
    const { port } = new URL(address)
    for (let n = 0; n < 120; n++) {
      const socket = connect(Number(port), "127.0.0.1")
      socket.on("error", () => undefined)
      sockets.push(socket)
    }
    await new Promise((resolve) => setTimeout(resolve, 300))
    for (const socket of sockets.splice(0)) socket.destroy()
    await vi.waitFor(async () => expect((await fetch(`${address}/readyz`)).status).toBe(200), 10_000)
    serving.child.kill("SIGTERM")
    expect((await serving.ended).code).toBe(0)
  })
})

test("I25 however often it is started, nothing is written twice and no key is made anew", async () => {
  const house = await openHouse()
  houses.push(house)
  const look = async () => {
    const { body } = await house.ask("GET", "/ledger/entries?limit=1000", { as: "audit-team" })
    const entries = Array.isArray(body.entries) ? body.entries : []
    const written = entries.filter(({ kind }) => kind !== "access.read" && kind !== "client.authenticated")
    return { written, keys: await house.ask("GET", "/.well-known/jwks.json") }
  }
  const before = await look()
  for (let start = 0; start < 12; start++) await house.restart()
  expect(await look()).toEqual(before)
  expect(before.written.length).toBeGreaterThan(1)
})
