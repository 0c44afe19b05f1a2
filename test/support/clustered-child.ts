// A guarded API in several processes on one port, as node:cluster runs it, with one spool; to be killed, one or all. Each
// worker writes a line for every handler that runs, then answers with its process id. Arguments: how many workers, then
// those of guarded-child. The parent is told of each worker ({ pid, address, own } once it serves, `own` being a port that
// no other worker has; { pid, ended }), and may say "fork" and "close".
import cluster, { type Worker } from "node:cluster"
import { openSync, writeSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { getRequestListener } from "@hono/node-server"
import { Hono } from "hono"
import { guard } from "../../src/guard/hono.ts"
import { createVerifier } from "../../src/verifier/verifier.ts"
import { optionsOf } from "./guarded-api.ts"

const [count = "2", issuer = "", privateJwk = "", spool = "", log = "", issuerAddress = issuer] =
  process.argv.slice(2)

if (cluster.isPrimary) {
  const tell = (message: object) => process.send?.(message)
  cluster.on("message", (_: Worker, message: object) => tell(message))
  cluster.on("exit", ({ process: { pid } }) => tell({ pid, ended: true }))
  process.on("message", (message) => {
    if (message === "fork") cluster.fork()
    else for (const worker of Object.values(cluster.workers ?? {})) worker?.send("close")
  })
  process.on("disconnect", () => process.exit())
  for (let started = 0; started < Number(count); started++) cluster.fork()
} else await serveOne()

async function serveOne(): Promise<void> {
  const credential = { clientId: "tickets", privateJwk: JSON.parse(privateJwk) }
  const verifier = await createVerifier({
    ...optionsOf(issuer, spool, { credential, issuerAddress }),
    spool: { path: spool, shared: true },
  })
  while (!verifier.ready().ready) await new Promise((resolve) => setTimeout(resolve, 20))
  const file = openSync(log, "a")
  const app = new Hono()
  app.get("/tickets/:id", guard(verifier, "tickets:read", "tickets/{id}"), (c) => {
    writeSync(file, `${c.get("task").useId}\n`)
    return c.json({ pid: process.pid })
  })
  const servers = [createServer(getRequestListener(app.fetch)), createServer(getRequestListener(app.fetch))]
  const [address, own] = await Promise.all(
    servers.map(
      (server, at) =>
        new Promise<string>((resolve) => {
          server.listen({ port: 0, host: "127.0.0.1", exclusive: at === 1 }, () =>
            resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
          )
        }),
    ),
  )
  process.on("message", async (message) => {
    if (message !== "close") return
    for (const server of servers) server.close()
    await verifier.close()
    process.exit()
  })
  process.send?.({ pid: process.pid, address, own })
}
