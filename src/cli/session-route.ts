// Where a request to the session's proxy goes: to an API of the task, to somebody else, to the credential endpoint, or
// nowhere. Pure; it decides who may ask and what is covered, and sends nothing.
import { hash, timingSafeEqual } from "node:crypto"
import type { IncomingHttpHeaders } from "node:http"

export interface SessionApi {
  /** As the policy names it. */
  readonly name: string
  /** Its RFC 8707 resource URL. */
  readonly resource: string
}

export interface Routing {
  readonly secret: string
  readonly apis: readonly SessionApi[]
  /** `127.0.0.1:<port>`; undefined on a Unix socket, where the file's mode says who may ask. */
  readonly authority: string | undefined
  /** Whether requests to other hosts go on, without a token. */
  readonly passOthers: boolean
  /** Whether programs may have tokens. */
  readonly givesTokens: boolean
}

export interface Asked {
  readonly method: string
  /** The request target as it came: `/path`, or a whole URL as proxies get it. */
  readonly target: string
  readonly headers: IncomingHttpHeaders
}

export type Route =
  | { readonly to: "api"; readonly url: URL; readonly api: SessionApi; readonly base: string | undefined }
  | { readonly to: "other"; readonly url: URL }
  | { readonly to: "token" | "headers"; readonly query: URLSearchParams }
  | TurnedAway

export interface TurnedAway {
  readonly to: "nowhere"
  readonly status: number
  readonly code: string
  readonly title: string
  readonly headers?: Readonly<Record<string, string>>
}

/** The path under which an API stands, whatever its own URL: `/<secret>/<name>`. */
export const pathOf = (secret: string, { name }: SessionApi): string => `/${secret}/${name}`

/** The header in which programs name the secret at the credential endpoint: no page of a browser can send it unasked. */
const SECRET_HEADER = "taskmint-session"

export function routeOf(routing: Routing, asked: Asked): Route {
  const { authority } = routing
  if (isToUs(asked.target, authority))
    return routeOf(routing, { ...asked, target: asked.target.slice(prefixOf(authority)) })
  if (/^https?:\/\//i.test(asked.target)) return forwardRoute(routing, asked)
  if (authority !== undefined && asked.headers.host?.toLowerCase() !== authority)
    return away(
      421,
      "invalid_request",
      "This is not the host that you mean; use the address in the environment",
    )
  if (!asked.target.startsWith("/")) return away(400, "invalid_request", "The request has no path")
  const [path = "", search = ""] = cut(asked.target, "?")
  if (path === "/token" || path === "/headers") return credentialRoute(routing, asked, path, search)
  return apiRoute(routing, path, search)
}

const prefixOf = (authority = "") => `http://${authority}`.length

/** Programs that ask a proxy for everything ask it for the addresses on the proxy itself, too. */
const isToUs = (target: string, authority: string | undefined): boolean =>
  authority !== undefined && target.toLowerCase().startsWith(`http://${authority}/`)

/** `CONNECT host:port`: a tunnel, into which nothing can be put. */
export function tunnelOf(
  routing: Routing,
  asked: Asked,
): { readonly host: string; readonly port: number } | TurnedAway {
  if (!mayForward(routing, asked.headers)) return proxySecretWanted
  const [, host = "", port = ""] = /^(\[[0-9a-f:.]+\]|[^:/?#@\s]+):(\d{1,5})$/i.exec(asked.target) ?? []
  if (host === "") return away(400, "invalid_request", "The target is not host:port")
  const api = routing.apis.find(({ resource }) => isOrigin(new URL(resource), host, Number(port)))
  if (api)
    return away(
      403,
      "url_not_granted",
      `No token can be put into a tunnel; call this API at $${variableOf(api)}`,
    )
  return routing.passOthers
    ? { host: host.replace(/^\[|\]$/g, ""), port: Number(port) }
    : notOfThisTask(routing)
}

/** The variable that holds an API's base URL: `TASKMINT_API_TICKETS`. */
export const variableOf = ({ name }: SessionApi): string =>
  `TASKMINT_API_${name.toUpperCase().replace(/[^A-Z0-9]/g, "_")}`

function forwardRoute(routing: Routing, { target, headers }: Asked): Route {
  if (!mayForward(routing, headers)) return proxySecretWanted
  if (!URL.canParse(target)) return away(400, "invalid_request", "The URL can't be read")
  const url = new URL(target)
  if (url.username || url.password)
    return away(400, "invalid_request", "The URL must not hold a user or a password")
  const api = coveringApi(routing.apis, url)
  if (api) return { to: "api", url, api, base: undefined }
  return routing.passOthers ? { to: "other", url } : notOfThisTask(routing)
}

function apiRoute(routing: Routing, path: string, search: string): Route {
  const [secret = "", rest = ""] = cut(path.slice(1), "/")
  const [name = "", below = ""] = cut(rest, "/")
  const api = isSame(secret, routing.secret) ? routing.apis.find((one) => one.name === name) : undefined
  if (!api) return away(404, "not_found", "There is nothing here; use the addresses in the environment")
  const { origin, pathname } = new URL(api.resource)
  const text = `${origin}${pathname.replace(/\/$/, "")}/${below}${search === "" ? "" : `?${search}`}`
  const url = URL.canParse(text) ? new URL(text) : undefined
  // Dot segments have been resolved: what they lead out of is not this API's any more.
  if (!url || coveringApi(routing.apis, url) !== api)
    return away(403, "url_not_granted", "The path leads out of this API")
  return { to: "api", url, api, base: pathOf(routing.secret, api) }
}

function credentialRoute(
  { givesTokens, secret }: Routing,
  { method, headers }: Asked,
  path: "/token" | "/headers",
  search: string,
): Route {
  const shown = headers[SECRET_HEADER]
  if (typeof shown !== "string" || !isSame(shown, secret))
    return away(
      401,
      "invalid_request",
      "Name the secret of $TASKMINT_SESSION_SECRET in the header Taskmint-Session",
    )
  if (!givesTokens)
    return away(403, "access_denied", "This session gives no tokens to programs; start it with --give-tokens")
  if (method !== "GET") return away(405, "method_not_allowed", "Only GET is offered here")
  return { to: path === "/token" ? "token" : "headers", query: new URLSearchParams(search) }
}

/** The longest resource wins, as it does for `fetch`. */
function coveringApi(apis: readonly SessionApi[], url: URL): SessionApi | undefined {
  const covering = apis.filter(({ resource }) => {
    const { origin, pathname } = new URL(resource)
    const folder = pathname.replace(/\/$/, "")
    return url.origin === origin && (url.pathname === folder || url.pathname.startsWith(`${folder}/`))
  })
  return covering.sort((one, other) => other.resource.length - one.resource.length)[0]
}

function isOrigin(resource: URL, host: string, port: number): boolean {
  const standard = resource.protocol === "https:" ? 443 : 80
  return resource.hostname === host.toLowerCase() && Number(resource.port || standard) === port
}

/** RFC 7617, as a proxy URL with a user and a password makes programs send it; the user's name does not count. */
function mayForward({ authority, secret }: Routing, headers: IncomingHttpHeaders): boolean {
  if (authority === undefined) return true
  const [, encoded = ""] = /^Basic ([A-Za-z0-9+/=]{1,512})$/i.exec(headers["proxy-authorization"] ?? "") ?? []
  const [, password = ""] = cut(Buffer.from(encoded, "base64").toString("utf8"), ":")
  return isSame(password, secret)
}

const isSame = (one: string, other: string): boolean =>
  timingSafeEqual(hash("sha256", one, "buffer"), hash("sha256", other, "buffer"))

function cut(text: string, at: string): readonly [string, string] {
  const place = text.indexOf(at)
  return place < 0 ? [text, ""] : [text.slice(0, place), text.slice(place + at.length)]
}

const away = (status: number, code: string, title: string): TurnedAway => ({
  to: "nowhere",
  status,
  code,
  title,
})

const proxySecretWanted: TurnedAway = {
  ...away(407, "invalid_request", "Name the secret, as $http_proxy does"),
  headers: { "Proxy-Authenticate": 'Basic realm="taskmint session"' },
}

const notOfThisTask = ({ apis }: Routing): TurnedAway =>
  away(
    403,
    "url_not_granted",
    `This task has no token for this place; it has tokens for ${apis.map((one) => one.resource).join(", ") || "no API"}`,
  )
