// One PostgreSQL server for a whole run, started when the first test asks for it and stopped when the run is over.
// TASKMINT_TEST_POSTGRES names another to be used instead, by an address of a role that may create databases.
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { TestProject } from "vitest/node"
import { type PostgresServer, startPostgres } from "./postgres-server.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Where the server's address is told, on loopback. */
    readonly postgresDesk: number
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let server: Promise<PostgresServer> | undefined
  const address = async () => {
    const given = process.env.TASKMINT_TEST_POSTGRES
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
  }
}
