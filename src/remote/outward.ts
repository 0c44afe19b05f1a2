// One bounded GET of a document that somebody else publishes, or one POST to them, at an address that policy, an operator or
// that somebody else named: https, no redirects, no coding, a deadline over all of it, and only to addresses that may be
// asked. The address that was checked is the one that is connected to, so that a name can't mean another one the second
// time. It decides nothing about what a document means. What is told outwards is answered with a status that is read, and
// nothing else; only who converses, in a protocol whose answers are documents, reads what a POST is answered.
import { type LookupAddress, lookup as systemLookup } from "node:dns"
import { type IncomingMessage, request as plainRequest } from "node:http"
import { request as secureRequest } from "node:https"
import { BlockList, isIP, type LookupFunction } from "node:net"
import { Unreachable } from "./exchange.ts"

export interface Outward {
  /** Addresses that no one outside can reach may be asked: of a private network, of this host. Default false. */
  readonly privateAddresses: boolean
  /** Plain http anywhere; on loopback it is always taken. Default false. */
  readonly plainHttp?: boolean
  /** Who translates names. Default: the system. */
  readonly lookup?: Lookup
}

/** All addresses of a name, as `dns.lookup` answers with `all`. */
export type Lookup = (
  name: string,
  options: { readonly all: true },
  told: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** What was named may not be asked, or what it answered may not be taken: asking again changes nothing. */
export class NotAllowed extends Unreachable {
  override readonly name = "NotAllowed"
}

const MAX_BYTES = 64 * 1024
const DEADLINE_MILLISECONDS = 3000

/** The text of a JSON document. Throws NotAllowed, or Unreachable. */
export function fetchDocument(address: string, outward: Outward): Promise<string> {
  const headers = { accept: "application/json" }
  return exchangeOnce(address, outward, { method: "GET", headers }, readAnswer)
}

export interface Posting {
  readonly type: string
  readonly text: string
  /** Gives up at once. */
  readonly signal: AbortSignal
}

/** Hands a text over. Throws NotAllowed, or Unreachable: nobody said within three seconds that they have it. */
export function postDocument(address: string, outward: Outward, posting: Posting): Promise<void> {
  const { type, text, signal } = posting
  const body = Buffer.from(text, "utf8")
  const headers = { accept: "application/json", "content-type": type, "content-length": body.length }
  return exchangeOnce(address, outward, { method: "POST", headers, body, signal }, takeStatus)
}

export interface Sent {
  readonly method: "GET" | "POST"
  readonly headers: Readonly<Record<string, string | number>>
  readonly body?: Uint8Array
  /** Gives up at once. */
  readonly signal?: AbortSignal
}

export interface Said {
  readonly status: number
  readonly type: string
  readonly text: string
}

/**
 * What is answered, whatever the status, for a library that speaks the protocol (its error documents come with 400 and the
 * like). Throws NotAllowed, also for a redirect, or Unreachable.
 */
export function converse(address: string, outward: Outward, sent: Sent): Promise<Said> {
  return exchangeOnce(address, outward, sent, async (answer, url) => {
    const status = answer.statusCode ?? 0
    if (isRedirect(status)) throw dropped(answer, redirected(url))
    return { status, type: answer.headers["content-type"] ?? "", text: await readText(answer, url) }
  })
}

async function exchangeOnce<T>(
  address: string,
  outward: Outward,
  sent: Sent,
  read: (answer: IncomingMessage, url: URL) => T | Promise<T>,
): Promise<T> {
  const url = new URL(address)
  const wrong = urlFault(url, outward)
  if (wrong !== undefined) throw new NotAllowed(wrong)
  const deadline = AbortSignal.timeout(DEADLINE_MILLISECONDS)
  const signal = sent.signal ? AbortSignal.any([deadline, sent.signal]) : deadline
  try {
    return await read(await ask(url, outward, sent, signal), url)
  } catch (cause) {
    if (cause instanceof Unreachable) throw cause
    throw new Unreachable(`no answer from ${url.host}`, { cause })
  }
}

/** Why an address is never asked, whatever its name means; undefined: it may be. */
export function urlFault(url: URL, { privateAddresses, plainHttp = false }: Outward): string | undefined {
  const host = url.hostname.replace(/^\[|\]$/g, "")
  const loopback = host === "localhost" || host === "::1" || /^127\./.test(host)
  if (url.protocol !== "https:" && !(url.protocol === "http:" && (loopback || plainHttp)))
    return `${url.host} is not asked without https`
  return isIP(host) === 0 || mayBeAsked(host, privateAddresses) ? undefined : notAsked(url.host)
}

const notAsked = (host: string) => `${host} is at an address that may not be asked`

function ask(url: URL, outward: Outward, sent: Sent, signal: AbortSignal): Promise<IncomingMessage> {
  const request = url.protocol === "https:" ? secureRequest : plainRequest
  const { method, body } = sent
  const headers = { ...sent.headers, "user-agent": "taskmint" }
  const lookup = checkedLookup(outward)
  return new Promise((resolve, reject) => {
    request(url, { method, headers, signal, agent: false, lookup, maxHeaderSize: 16_384 }, resolve)
      .on("error", reject)
      .end(body)
  })
}

/** One address that may not be asked refuses the name: whoever answers for it is not to be believed. */
function checkedLookup({ privateAddresses, lookup = systemLookup }: Outward): LookupFunction {
  return (name, options, told) =>
    lookup(name, { all: true }, (error, addresses) => {
      const [first] = addresses ?? []
      if (error || !first) return told(error ?? new Error("no address"), "")
      if (!addresses.every((one) => mayBeAsked(one.address, privateAddresses)))
        return told(new NotAllowed(notAsked(name)), "")
      return options.all ? told(null, addresses) : told(null, first.address, first.family)
    })
}

/** The rest of the answer is dropped unread: nothing that is told outwards is a way back in. */
function takeStatus(answer: IncomingMessage, url: URL): void {
  const status = answer.statusCode ?? 0
  answer.destroy()
  if (status >= 200 && status < 300) return
  throw isRedirect(status) ? redirected(url) : new Unreachable(`${url.host} answered ${status}`)
}

const isRedirect = (status: number) => status >= 300 && status < 400
const redirected = (url: URL) => new NotAllowed(`${url.host} redirects elsewhere`)

async function readAnswer(answer: IncomingMessage, url: URL): Promise<string> {
  const status = answer.statusCode ?? 0
  if (isRedirect(status)) throw dropped(answer, redirected(url))
  if (status !== 200) throw dropped(answer, new Unreachable(`${url.host} answered ${status}`))
  return readText(answer, url)
}

async function readText(answer: IncomingMessage, url: URL): Promise<string> {
  if ((answer.headers["content-encoding"] ?? "identity") !== "identity")
    throw dropped(answer, new NotAllowed(`${url.host} answered in a coding that was not asked for`))
  const parts: Buffer[] = []
  let size = 0
  for await (const part of answer) {
    size += part.length
    if (size > MAX_BYTES)
      throw dropped(answer, new NotAllowed(`${url.host} answered more than ${MAX_BYTES} bytes`))
    parts.push(part)
  }
  return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(parts))
}

function dropped(answer: IncomingMessage, fault: Unreachable): Unreachable {
  answer.destroy()
  return fault
}

/** Reached from inside only (RFC 6890 and its like). */
const PRIVATE = blockList(
  [
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
  ],
  ["::1/128", "fc00::/7", "64:ff9b:1::/48"],
)
/** Never a server that is meant: this network, link-local (where clouds keep their metadata), documentation, multicast. */
const NEVER = blockList(
  [
    "0.0.0.0/8",
    "169.254.0.0/16",
    "192.0.2.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
  ],
  ["::/128", "fe80::/10", "fec0::/10", "ff00::/8", "2001:db8::/32", "3fff::/20", "fd00:ec2::254/128"],
)
/** Addresses that hold another one: they are judged by what they hold, or not taken. */
const WRAPPED = blockList([], ["::ffff:0:0/96", "::/96", "64:ff9b::/96", "2001::/32", "2002::/16"])
const GLOBAL = blockList([], ["2000::/3"])

/** Whether an IP address may be asked. */
export function mayBeAsked(address: string, privateAddresses: boolean): boolean {
  const plain = address.split("%", 1)[0] ?? ""
  const version = isIP(plain)
  if (version === 0) return false
  const family = version === 4 ? "ipv4" : "ipv6"
  const isPrivate = PRIVATE.check(plain, family)
  if (NEVER.check(plain, family)) return false
  if (isPrivate) return privateAddresses
  return version === 4 || (!WRAPPED.check(plain, family) && GLOBAL.check(plain, family))
}

function blockList(v4: readonly string[], v6: readonly string[]): BlockList {
  const list = new BlockList()
  for (const [nets, family] of [
    [v4, "ipv4"],
    [v6, "ipv6"],
  ] as const)
    for (const net of nets) {
      const [base = "", bits = ""] = net.split("/")
      list.addSubnet(base, Number(bits), family)
    }
  return list
}
