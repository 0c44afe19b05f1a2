// What goes out of a server: a finished answer copied as it stands, the decision's headers joined to those of the host's
// own answer, and its outcome to the recorded use. It decides which of two words about caches stands, nothing else.
import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from "node:http"
import type { Answer } from "./challenge.ts"
import type { Decision, Refused } from "./verifier.ts"

/** What the host has set on the response stays, except where the answer says otherwise. */
export function sendAnswer(outgoing: ServerResponse, { status, headers, body }: Answer): void {
  outgoing.statusCode = status
  for (const name in headers) outgoing.setHeader(name, headers[name] ?? "") // HTTP/2 has no setHeaders
  outgoing.end(body)
}

/**
 * Gives the answer to a request that goes on its headers, and joins the status when the response has ended. When the
 * client went away before any of it was sent, the use keeps no status, and lasted until then.
 */
export function joinOutcome(
  outgoing: ServerResponse,
  { headers, finished }: Exclude<Decision, Refused>,
): void {
  joinHead(outgoing, headers)
  const join = () => finished(outgoing.headersSent ? outgoing.statusCode : 0)
  if (outgoing.closed) join()
  else outgoing.once("close", join)
}

type Added = Readonly<Record<string, string>>
type Given = OutgoingHttpHeaders | OutgoingHttpHeader[]

/** At the last moment, for a handler may set its own until then; every way to begin an answer goes through `writeHead`. */
export function joinHead(outgoing: ServerResponse, added: Added): void {
  const { writeHead } = outgoing
  outgoing.writeHead = (status: number, second?: string | Given, third?: Given) => {
    const given = typeof second === "string" ? third : (second ?? third)
    if (typeof second === "string") outgoing.statusMessage = second
    if (isFree(outgoing, given, added)) return writeHead.call(outgoing, status, { ...given, ...added })
    const left = given && joinGiven(outgoing, given, added)
    for (const name in added)
      outgoing.setHeader(name, joinHeader(name, outgoing.getHeader(name), added[name] ?? ""))
    return writeHead.call(outgoing, status, left)
  }
}

/** Whether the host has said nothing under these names, as most don't. */
function isFree(
  outgoing: ServerResponse,
  given: Given | undefined,
  added: Added,
): given is OutgoingHttpHeaders | undefined {
  if (Array.isArray(given)) return false
  for (const name in added) if (outgoing.hasHeader(name)) return false
  for (const name in given) if (nameIn(added, name)) return false
  return true
}

/** What is given with the status would stand above what was set: those of the same names are set, too, and left out there. */
function joinGiven(outgoing: ServerResponse, given: Given, added: Added): Given {
  const list = Array.isArray(given)
    ? pairsOf(Array.isArray(given[0]) ? given.flat() : given)
    : Object.entries(given)
  const named = list.filter(([name]) => nameIn(added, name))
  if (named.length === 0) return given
  for (const [name] of named) outgoing.removeHeader(name)
  for (const [name, value = ""] of named) outgoing.appendHeader(name, textOf(value))
  const rest = list.filter((pair) => !named.includes(pair))
  return Array.isArray(given) ? rest.flatMap(([name, value = ""]) => [name, value]) : Object.fromEntries(rest)
}

/** The same on a web-standard response whose headers can be changed. */
export function joinAnswer(response: Response, added: Added): Response {
  const { headers } = response
  for (const name in added) headers.set(name, joinHeader(name, headers.get(name) ?? "", added[name] ?? ""))
  return response
}

/** The same on the answer that a framework holds: in place, or on a copy, for those of `fetch` can't be changed. */
export function joinHeld(held: { get res(): Response; set res(value: Response | undefined) }, added: Added) {
  const { res } = held
  try {
    joinAnswer(res, added)
  } catch {
    held.res = undefined // else the old headers would be joined to the new
    held.res = joinAnswer(new Response(res.body, res), added)
  }
}

/** The same on names and values in turn. */
export function joinList(given: readonly string[], added: Added): string[] {
  const list = pairsOf(given)
  const rest = list.filter(([name]) => !nameIn(added, name))
  const joined = Object.entries(added).map(([name, ours]) => {
    const theirs = list.filter(([one]) => isSame(one, name)).map(([, value]) => value)
    return [name, joinHeader(name, theirs, ours)]
  })
  return [...rest, ...joined].flat()
}

function pairsOf<T extends OutgoingHttpHeader>(
  list: readonly T[],
): (readonly [name: string, value: T | ""])[] {
  const pairs: (readonly [string, T | ""])[] = []
  for (let at = 0; at + 1 < list.length; at += 2) pairs.push([String(list[at]), list[at + 1] ?? ""])
  return pairs
}

function nameIn(added: Added, name: string): boolean {
  for (const one in added) if (isSame(one, name)) return true
  return false
}

const isSame = (one: string, other: string): boolean =>
  one.length === other.length && one.toLowerCase() === other.toLowerCase()

const PRIVATE = /(?:^|,)\s*(?:private|no-store)\s*(?:,|$)/i

/**
 * The host's own word on caches stands where it lets no shared one keep the answer: `private` or `no-store`. To what its
 * Vary names ours are added. For the rest the decision's header stands.
 */
function joinHeader(name: string, given: OutgoingHttpHeader | undefined, ours: string): string {
  const theirs = given === undefined ? "" : textOf(given)
  if (theirs === "") return ours
  if (name === "Cache-Control") return PRIVATE.test(theirs) ? theirs : ours
  if (name !== "Vary") return ours
  const names = theirs.toLowerCase().split(/[\s,]+/)
  const added = ours.split(", ").filter((one) => !names.includes(one.toLowerCase()))
  return names.includes("*") ? theirs : [theirs, ...added].join(", ")
}

const textOf = (value: OutgoingHttpHeader): string =>
  Array.isArray(value) ? value.join(", ") : String(value)
