// What a whole run has in common: one PostgreSQL server, started when the first test asks for it and stopped when the run is
// over, and a folder for the files of databases that stay open from one test to the next.
// TASKMINT_TEST_POSTGRES names another to be used instead, by an address of a role that may create databases.
import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Client } from "pg"
import type { TestProject } from "vitest/node"
import { type PostgresServer, startPostgres } from "./postgres-server.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Where the server's address is told, on loopback. */
    readonly postgresDesk: number
    /** How the names of this run's databases begin. */
    readonly postgresRun: string
    /** For files of databases; it goes with the run. */
    readonly runFolder: string
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let server: Promise<PostgresServer> | undefined
  const given = process.env.TASKMINT_TEST_POSTGRES
  const run = `test_${randomBytes(6).toString("hex")}`
  project.provide("postgresRun", run)
  const folder = mkdtempSync(join(tmpdir(), "taskmint-run-"))
  project.provide("runFolder", folder)
  const address = async () => {
    if (given) return given
    server ??= startPostgres()
    return (await server).address
  }
  const desk = createServer((_, response) => {
    address().then(
      (text) => response.end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  await new Promise<void>((resolve) => desk.listen(0, "127.0.0.1", resolve))
  project.provide("postgresDesk", (desk.address() as AddressInfo).port)
  return async () => {
    desk.closeAllConnections()
    desk.close()
    await server?.then((one) => one.remove()).catch(() => undefined)
    if (given) await dropDatabases(given, run)
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What this run has left on a server that is not its own. */
async function dropDatabases(address: string, run: string): Promise<void> {
  const client = new Client(address)
  await client.connect()
  const { rows } = await client.query("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", [run])
  for (const { datname } of rows) await client.query(`DROP DATABASE ${datname} WITH (FORCE)`)
  await client.end()
}
