// The API behind the sidecar: how one request reaches it, and what is said when it does not answer. It decides nothing
// about who may.
import { Agent, type ClientRequest, type IncomingMessage, request as overHttp } from "node:http"
import { request as overHttps, Agent as TlsAgent } from "node:https"
import type { Answer } from "../verifier/challenge.ts"
import { valuesOf } from "../verifier/credential.ts"
import type { RouteMatch } from "./routes.ts"

export interface Upstream {
  /** Its own name, for `Host`. */
  readonly host: string
  /** Starts one request, to the path that was matched; its body follows. Throws for headers that can't be sent. */
  start(method: string, match: RouteMatch, headers: readonly string[]): ClientRequest
  close(): void
}

/** Shorter than servers keep idle connections, so that none is used at the moment when it is closed. */
const IDLE = { keepAlive: true, timeout: 1000 }

/** Connections are kept open between requests. Throws TypeError for what is not an origin. */
export function openUpstream(address: string): Upstream {
  const url = readOrigin(address)
  const secure = url.protocol === "https:"
  const agent = secure ? new TlsAgent(IDLE) : new Agent(IDLE)
  const place = {
    agent,
    protocol: url.protocol,
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port,
    setHost: false,
  }
  return {
    host: url.host,
    start: (method, { path, query }, headers) =>
      (secure ? overHttps : overHttp)({ ...place, method, path: path + query, headers }),
    close: () => agent.destroy(),
  }
}

/** Throws TypeError for what is not one. */
export function readOrigin(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`) return url
  throw new TypeError(
    "proxy: upstream is an http or https origin without a path, as in http://127.0.0.1:9000",
  )
}

/** Whether an answer can be passed on: codings that were not asked for can't. */
export const isPassable = ({ rawHeaders }: IncomingMessage): boolean =>
  /^(chunked)?$/i.test(valuesOf(rawHeaders, "transfer-encoding").join())

/** The reason of an answer, where HTTP has such a one: what its reader lets in, its writer may throw at. */
export const reasonOf = ({ statusMessage = "" }: IncomingMessage): string | undefined =>
  /^[\t\x20-\x7e\x80-\xff]*$/.test(statusMessage) ? statusMessage : undefined

/** The upstream's failure, not a refusal of ours: the use is recorded with this status. */
export const UPSTREAM_FAILED: Answer = Object.freeze({
  status: 502,
  headers: Object.freeze({ "Content-Type": "application/problem+json", "Cache-Control": "no-store" }),
  body: JSON.stringify({
    type: "about:blank",
    title: "The API behind did not answer",
    status: 502,
    code: "upstream_failed",
    next: "wait",
  }),
})
