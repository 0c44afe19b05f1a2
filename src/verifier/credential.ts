// Where the credential of a request is, counted on the headers as they came: exactly one Authorization, Bearer or DPoP,
// nowhere else. It decides whether the request is ours to judge, and nothing about the token.
import type { IncomingHttpHeaders, IncomingMessage } from "node:http"
import { type Refusal, refuse } from "../errors.ts"
import type { Scheme } from "./challenge.ts"
import { decodedOnce, valuesUnder } from "./query.ts"

/** What a request presents, before any of it is read. */
export interface Presented {
  /** The one Authorization, exactly as it came. */
  readonly authorization: string
  readonly proof: string | undefined
}

export interface Credential {
  readonly scheme: Scheme
  readonly token: string
}

const CREDENTIAL_NAMES = ["authorization", "dpop"] as const
type CredentialName = (typeof CREDENTIAL_NAMES)[number]

const SCHEMES: ReadonlyMap<string, Scheme> = new Map([
  ["bearer", "Bearer"],
  ["dpop", "DPoP"],
])
const BEARER = /^(bearer|dpop)(?:[\t ]|$)/i
const NO_TOKEN = /[\s,]/
const IN_QUERY = "access_token"
/** Every `iss`, for readers differ on which of two they take, and some on its case. */
const ISS = /"iss"\s*:\s*"([^"]*)"/giu

/**
 * Finds the one credential (RFC 6750 section 2.1, RFC 9449 section 7.1). A second Authorization, a second proof, or a token
 * in the query is ambiguous. Does NOT look into bodies and cookies: what is there is no credential.
 */
export function findCredential(
  rawHeaders: readonly string[],
  target: string,
): Presented | Refusal | "absent" {
  const { authorization, proof, authorizations, proofs } = countCredentials(rawHeaders)
  if (authorizations > 1) return refuse("credential_ambiguous", "authorization_twice")
  if (valuesUnder(IN_QUERY, target).length > 0) return refuse("credential_ambiguous", "token_in_url")
  if (authorization === undefined) return "absent"
  if (proofs > 1 && splitAuthorization(authorization)) return refuse("credential_ambiguous", "proof_twice")
  return { authorization, proof }
}

/** Every request passes here: one look at the length tells most headers apart. */
function countCredentials(rawHeaders: readonly string[]) {
  let authorization: string | undefined
  let proof: string | undefined
  let authorizations = 0
  let proofs = 0
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = credentialName(rawHeaders[at])
    if (name === "authorization") {
      authorization = rawHeaders[at + 1]
      authorizations++
    } else if (name === "dpop") {
      proof = rawHeaders[at + 1]
      proofs++
    }
  }
  return { authorization, proof, authorizations, proofs }
}

/** Which of the two it is, in any case. */
function credentialName(header: string | undefined): CredentialName | undefined {
  if (header?.length === 13) return header.toLowerCase() === "authorization" ? "authorization" : undefined
  return header?.length === 4 && header.toLowerCase() === "dpop" ? "dpop" : undefined
}

/** Reads the one Authorization: schemes in any case, one space, one token. A comma list is ambiguous. */
export function readAuthorization(value: string): Credential | Refusal | "absent" {
  const credential = splitAuthorization(value)
  if (credential) return credential
  if (!BEARER.test(value)) return "absent"
  if (value.includes(",")) return refuse("credential_ambiguous", "authorization_list")
  return refuse("token_invalid", "authorization_format")
}

/** Looked for is what a token does not have: an expression that takes the token in takes ten times as long. */
function splitAuthorization(value: string): Credential | undefined {
  const space = value.indexOf(" ")
  const scheme = SCHEMES.get(value.slice(0, Math.max(0, space)).toLowerCase())
  const token = value.slice(space + 1)
  return scheme !== undefined && token !== "" && !NO_TOKEN.test(token) ? { scheme, token } : undefined
}

/**
 * Whether anything in the request that could be a credential names our issuer, read as leniently as a reader might:
 * what names us never falls through to another authentication.
 */
export function namesIssuer(rawHeaders: readonly string[], target: string, issuer: string): boolean {
  const texts = [
    ...valuesOf(rawHeaders, "authorization"),
    ...valuesUnder(IN_QUERY, target).flatMap(readingsOf),
  ]
  const parts = texts.filter((text) => text.includes(".")).flatMap((text) => text.split(/[\s,.]+/))
  return parts.some((part) => part.length > issuer.length && names(part, issuer))
}

/** A value of the query, decoded once: a plus is itself, or a blank. */
function readingsOf(value: string): string[] {
  const text = decodedOnce(value)
  return value.includes("+") ? [text, text.replaceAll("+", " ")] : [text]
}

function names(part: string, issuer: string): boolean {
  const json = unescaped(Buffer.from(part, "base64url").toString("utf8"))
  for (const [, iss] of json.matchAll(ISS)) if (iss === issuer) return true
  return false
}

/** The text of JSON, its escapes resolved; what would begin or end a string or an escape is no character of ours. */
function unescaped(json: string): string {
  return json.replace(/\\(?:u([0-9a-f]{4})|(.))/gis, (_, hex: string | undefined, letter: string) => {
    const one = hex === undefined ? letter : String.fromCharCode(parseInt(hex, 16))
    return one === '"' || one === "\\" ? "\uFFFD" : one
  })
}

/** Every value of a header, in its own spelling only; `name` in lower case. */
export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = []
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const header = rawHeaders[at]
    if (header?.length === name.length && header.toLowerCase() === name) values.push(rawHeaders[at + 1] ?? "")
  }
  return values
}

/** The raw headers of a request: the node server's own where there is one, for joined ones hide duplicates. */
export const rawHeadersOf = (headers: Headers, incoming?: IncomingMessage): readonly string[] =>
  incoming?.rawHeaders ?? [...headers].flat()

/** Takes the credential off the request that the handler sees, wherever the host can still find it. */
export function hideCredential(headers: Headers, incoming?: IncomingMessage): void {
  const found = incoming ? hideIncomingCredential(incoming) : CREDENTIAL_NAMES
  // In this order: Hono's headers answer for a proof from Node's until the first of them is deleted.
  for (const name of CREDENTIAL_NAMES) {
    if (!found.includes(name) || !headers.has(name)) continue
    headers.delete(name)
    if (headers.has(name)) throw new Error(`the ${name} header can't be taken off the request`)
  }
}

/**
 * The same for a request of a node server that nobody made a `Headers` of. Answers the names of what it took off. The parsed
 * views first: Node builds them on first sight, by the count of raw headers that it once read.
 */
export function hideIncomingCredential(incoming: IncomingMessage): readonly CredentialName[] {
  const { headers, rawHeaders } = incoming
  const hidden: CredentialName[] = []
  if (headers.authorization !== undefined) delete headers.authorization
  if (headers.dpop !== undefined) delete headers.dpop
  for (let at = rawHeaders.length - 2; at >= 0; at -= 2) {
    const name = credentialName(rawHeaders[at])
    if (name === undefined) continue
    delete incoming.headersDistinct?.[name] // absent over HTTP/2, and where a framework injects requests
    rawHeaders.splice(at, 2)
    hidden.push(name)
  }
  return hidden
}

/** Parsed headers without the credential; undefined where they hold none, as is the rule once it was taken off the request. */
export function withoutCredential(headers: IncomingHttpHeaders): IncomingHttpHeaders | undefined {
  if (headers.authorization === undefined && headers.dpop === undefined) return undefined
  const { authorization, dpop, ...others } = headers
  return others
}
