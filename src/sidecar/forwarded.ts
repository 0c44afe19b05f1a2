// The headers that pass the sidecar, both ways: nothing of one connection alone (RFC 9110 section 7.6.1), no credential of
// ours, and nothing by which a caller could speak as the sidecar or rename what was checked. It decides nothing about the
// request.
import type { IncomingMessage } from "node:http"
import { valuesOf } from "../verifier/credential.ts"
import type { Decision, Refused, TaskUse } from "../verifier/verifier.ts"

/** Allowed, or in observe mode what would have been refused: with a credential of ours, or of somebody else. */
export type Passing = Exclude<Decision, Refused>

/** Names and values in turn, as they go over the wire. */
type RawHeaders = readonly string[]

const OF_ONE_CONNECTION = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
])
/** Set anew where they are wanted, or of no use behind: `proxy` is what CGI programs read as HTTP_PROXY. */
const NEVER_FORWARDED = new Set(["host", "content-length", "expect", "proxy", "forwarded"])
const CREDENTIAL = new Set(["authorization", "dpop"])
const OF_THE_SIDECAR = /^(taskmint|x-forwarded|x-original|x-rewrite)-|^x-real-ip$/
const RENAMES_METHOD = /^x-(http-)?method(-override)?$/

/** As the most lenient reader spells it: CGI and WSGI make one of `-` and `_`. */
const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, "-")

/** What the upstream may know of an allowed use. */
export function useHeaders({ task, agent, instance, resource }: TaskUse): Readonly<Record<string, string>> {
  return {
    "Taskmint-Task": task,
    "Taskmint-Agent": `${agent}/${instance}`,
    "Taskmint-Resource": resource.map(encodeURIComponent).join("/"),
  }
}

/** The same of a request that went on without one. */
export const WITHOUT_USE: ReturnType<typeof useHeaders> = Object.freeze({
  "Taskmint-Task": "",
  "Taskmint-Agent": "",
  "Taskmint-Resource": "",
})

/**
 * Of the request, without what frames its body. `host` is the upstream's own name, whatever the caller's was. A credential
 * that is not ours passes, which observe mode alone lets through.
 */
export function requestHeaders({ rawHeaders }: IncomingMessage, passing: Passing, host: string): string[] {
  const kept = passedHeaders(rawHeaders, passing.outcome === "not_ours")
  const told = passing.outcome === "allowed" ? Object.entries(useHeaders(passing.use)) : []
  return [["Host", host], ...kept, ...told].flat()
}

/** Of a request, what another server may know: nothing of this connection, nothing by which a caller could speak as a proxy. */
export function passedHeaders(rawHeaders: RawHeaders, withCredential: boolean): Pair[] {
  const named = connectionNames(rawHeaders)
  return pairs(rawHeaders).filter(([name]) => {
    const spelled = plain(name)
    return !(
      named.has(name.toLowerCase()) ||
      OF_ONE_CONNECTION.has(spelled) ||
      NEVER_FORWARDED.has(spelled) ||
      (CREDENTIAL.has(spelled) && !withCredential) ||
      OF_THE_SIDECAR.test(spelled)
    )
  })
}

/** Of the upstream's answer. */
export function answerHeaders({ rawHeaders }: IncomingMessage): string[] {
  const named = connectionNames(rawHeaders)
  const passes = ([name]: Pair) =>
    !named.has(name.toLowerCase()) && !OF_ONE_CONNECTION.has(name.toLowerCase())
  return pairs(rawHeaders).filter(passes).flat()
}

/**
 * Whether headers may be missing: after the thousandth some versions of Node drop them, and still frame the body by a length
 * that was among them. Whatever the version, such a list is not believed.
 */
export const mayLackHeaders = (rawHeaders: RawHeaders): boolean => rawHeaders.length >= 2000

/** Whether a header asks to be read as another method, in any spelling: the upstream could do as it says. */
export const renamesMethod = (rawHeaders: RawHeaders): boolean =>
  pairs(rawHeaders).some(([name]) => RENAMES_METHOD.test(plain(name)))

type Pair = readonly [name: string, value: string]

function pairs(rawHeaders: RawHeaders): Pair[] {
  const found: Pair[] = []
  for (let at = 0; at + 1 < rawHeaders.length; at += 2)
    found.push([rawHeaders[at] ?? "", rawHeaders[at + 1] ?? ""])
  return found
}

/** What `Connection` names is of that connection alone. */
const connectionNames = (rawHeaders: RawHeaders) =>
  new Set(
    valuesOf(rawHeaders, "connection").flatMap((value) =>
      value.split(",").map((name) => name.trim().toLowerCase()),
    ),
  )
