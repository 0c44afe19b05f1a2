// A guarded API on one framework, with its verifier and an issuer, spoken to in bytes.
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import type { VerifierOptions } from "../../src/verifier/options.ts"
import { closeServer, sendRaw, startVerifier } from "./guarded-api.ts"
import { type Host, Seen } from "./hosts.ts"
import { API, OPERATIONS } from "./issuer-stub.ts"

/** What every challenge ends with. */
export const METADATA = `resource_metadata="${API}/.well-known/oauth-protected-resource"`

/** A host with its verifier, spoken to in bytes. */
export async function openHost(host: Pick<Host, "start">, more: Partial<VerifierOptions> = {}) {
  const started = await startVerifier(more)
  const { verifier, stub, clock } = started
  const [seen, unmapped] = [new Seen(), [] as string[]]
  const onUnmapped = (routes: readonly string[]) => void unmapped.push(...routes)
  const server = await host.start(verifier, seen, { onUnmapped })
  const { port } = server.address() as AddressInfo
  return {
    ...started,
    seen,
    unmapped,
    server,
    port,
    seconds: () => Math.floor(clock.now() / 1000),
    /** For ticket 42. */
    mint: (changes: Parameters<typeof stub.mint>[0] = {}, key?: Parameters<typeof stub.mint>[1]) =>
      stub.mint({ grants: grantsFor(API, OPERATIONS), ...changes }, key),
    async send(line: string, ...headers: string[]) {
      const head = [`${line} HTTP/1.1`, "Host: tickets.internal.example", "Connection: close", ...headers]
      const { status, text } = await sendRaw(String(port), [...head, "", ""].join("\r\n"))
      return { status, text, ...partsOf(text) }
    },
    /** What the issuer's side has heard of a task's uses. */
    async usesOf(task: string) {
      await verifier.flush()
      return stub.uses().filter((use) => use.task === task)
    },
    async close() {
      await closeServer(server)
      await started.close()
    },
  }
}

export type HostedApi = Awaited<ReturnType<typeof openHost>>

export const grantsFor = (api: string, operations: readonly string[]) => [
  { api, operations, resources: [["tickets", "42"]], rule: "support.yaml#/0" },
]

/** What a raw answer says, header by header, and its body as JSON. */
export function partsOf(text: string) {
  const [head = ""] = text.split("\r\n\r\n", 1)
  const header = (name: string) => new RegExp(`^${name}: (.*)$`, "im").exec(head)?.[1]?.trim()
  const json = (): unknown => JSON.parse(/\{.*\}/s.exec(text.slice(head.length))?.[0] ?? "null")
  return { header, json }
}

export const bearer = (token: string) => `Authorization: Bearer ${token}`

/** Statuses of GET requests with that token, at a listener on a real socket. */
export async function statusesOf(
  token: string,
  listener: RequestListener,
  ...paths: string[]
): Promise<number[]> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const answers = await Promise.all(
    paths.map((path) =>
      sendRaw(
        String(port),
        [`GET ${path} HTTP/1.1`, "Host: x", "Connection: close", bearer(token), "", ""].join("\r\n"),
      ),
    ),
  )
  await closeServer(server)
  return answers.map(({ status }) => status)
}
