// An upstream behind the sidecar's proxy, on real sockets, and tokens for one ticket.
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { newId } from "../../src/token/id.ts"
import type { VerifierOptions } from "../../src/verifier/options.ts"
import { sendRaw, startVerifier } from "./guarded-api.ts"
import { listen } from "./hosts.ts"
import { API, OPERATIONS } from "./issuer-stub.ts"
import { startProxy } from "./sidecar-host.ts"

export type Proxied = Awaited<ReturnType<typeof openProxied>>

export async function openProxied(more: Partial<VerifierOptions> = {}) {
  const started = await startVerifier(more)
  const { verifier, stub, clock } = started
  const closing: (() => unknown)[] = []
  const stop = (server: Server) => {
    server.closeAllConnections?.()
    server.close()
  }
  return {
    verifier,
    clock,
    stub,
    mint: (txn = newId("task"), id = "42", jkt?: string) => {
      const resources = [["tickets", id]]
      const grants = [{ api: API, operations: OPERATIONS, resources, rule: "support.yaml#/0" }]
      return stub.mint({ txn, grants, ...(jkt !== undefined && { jkt }) })
    },
    seconds: () => Math.floor(clock.now() / 1000),
    async usesOf(task: string) {
      await verifier.flush()
      return stub.uses().filter((use) => use.task === task)
    },
    /** A proxy before that upstream, until `endProxies`. */
    async place(upstream: Server, more: Parameters<typeof startProxy>[2] = {}) {
      const { server, proxy } = await startProxy(verifier, upstream, more)
      closing.push(
        () => stop(upstream),
        () => proxy.endTunnels(),
        () => proxy.close(),
        () => stop(server),
      )
      const { port } = server.address() as AddressInfo
      const send = (line: string, ...headers: string[]) =>
        sendRaw(String(port), [`${line} HTTP/1.1`, "Host: evil.example", ...headers, "", ""].join("\r\n"))
      return { upstream, proxy, port, send, host: `127.0.0.1:${(upstream.address() as AddressInfo).port}` }
    },
    async before(listener: RequestListener) {
      return this.place(await listen(createServer(listener)))
    },
    /** An upstream that tells what it got. */
    async beforeWitness() {
      const got: IncomingMessage[] = []
      const place = await this.before((req, res) => {
        got.push(req)
        req.resume().once("end", () => res.end("told"))
      })
      return { ...place, got }
    },
    endProxies() {
      for (const close of closing.splice(0).reverse()) close()
    },
    close: started.close,
  }
}

export const pairsOf = ({ rawHeaders }: IncomingMessage) =>
  rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []))
export const CLOSE = "Connection: close"
