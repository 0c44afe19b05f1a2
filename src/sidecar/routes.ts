// Which route of the sidecar a request target is, read as it came over the wire. What could be read in two ways is not
// canonical and no route; what is no route is unmapped. It decides nothing about tokens.
import { Members } from "../token/members.ts"
import { isOperation } from "../token/name.ts"
import { prepareTarget, type Target } from "../verifier/target.ts"

/** As the routes file writes it: `/tickets/{id}`, parameters as whole segments, on `tickets/{id}`. */
export interface RouteRule {
  readonly method: string
  readonly path: string
  readonly operation: string
  readonly resource: string
}

/** A rule that was read, with its path cut into segments. */
export interface ProxyRoute {
  readonly rule: RouteRule
  readonly parts: readonly PathPart[]
  readonly target: Target
}

type PathPart = { readonly literal: string } | { readonly parameter: string }

/** What is wrong with a rule, and with which member. */
export interface RouteFault {
  readonly member: keyof RouteRule
  readonly expected: string
}

export interface RouteMatch {
  readonly route: ProxyRoute
  /** Of the path, decoded once. Does NOT check that they are data: the verifier does for those of the resource. */
  readonly parameters: Readonly<Record<string, string>>
  /** The path that was matched, made anew from the route and the parameters. */
  readonly path: string
  /** As received, with its `?`; empty where there is none. */
  readonly query: string
}

/** Finds the route of a method and a raw request target. */
export type FindRoute = (method: string, target: string) => RouteMatch | "unmapped" | "not_canonical"

const METHOD = /^[A-Z][A-Z-]{0,31}$/
const LITERAL = /^[A-Za-z0-9._~!$&'()*+,=:@-]+$/
const PARAMETER = /^\{([A-Za-z_][A-Za-z0-9_-]{0,63})\}$/

/** Reads one rule. */
export function readRoute(rule: RouteRule): ProxyRoute | RouteFault {
  const { method, path, operation, resource } = rule
  if (!METHOD.test(method) || method === "CONNECT" || method === "TRACE")
    return { member: "method", expected: "a method in capitals, such as GET, not CONNECT or TRACE" }
  if (!isOperation(operation)) return { member: "operation", expected: "an operation, such as tickets:read" }
  const parts = readPath(path)
  if (typeof parts === "string") return { member: "path", expected: parts }
  const names = new Set(parts.flatMap((part) => ("parameter" in part ? [part.parameter] : [])))
  const absent = [...resource.matchAll(/\{([^{}]*)\}/g)].find(([, name = ""]) => !names.has(name))
  if (absent) return { member: "resource", expected: `parameters of the path, of which ${absent[0]} is none` }
  try {
    return { rule: Object.freeze({ ...rule }), parts, target: prepareTarget(operation, resource) }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return {
      member: "resource",
      expected: "a resource such as tickets/{id}, of literals and whole parameters",
    }
  }
}

function readPath(path: string): readonly PathPart[] | string {
  if (!path.startsWith("/")) return "a path that begins with /"
  const texts = path.slice(1).split("/")
  const parts: PathPart[] = []
  for (const [index, text] of texts.entries()) {
    const parameter = PARAMETER.exec(text)?.[1]
    const empty = text === "" && index === texts.length - 1
    if (parameter === undefined && !empty && (!LITERAL.test(text) || isDots(text)))
      return "segments that are plain text or a whole {parameter}, without % . .. // ; ? #"
    parts.push(parameter === undefined ? { literal: text } : { parameter })
  }
  const names = parts.flatMap((part) => ("parameter" in part ? [part.parameter] : []))
  return new Set(names).size === names.length ? parts : "each parameter once"
}

const isDots = (text: string) => text === "." || text === ".."

/** Two routes of one shape are one and the same to a request. */
export const shapeOf = ({ rule, parts }: ProxyRoute): string =>
  `${rule.method} /${parts.map((part) => ("literal" in part ? part.literal : "{}")).join("/")}`

/**
 * Prepares the routes. Where two match, the one with the earlier literal is meant, in whatever order they are written.
 * A HEAD is a GET's unless it has a route of its own. Throws TypeError for a faulty rule and for two of one shape.
 */
export function createRoutes(rules: readonly RouteRule[]): FindRoute {
  const routes = rules.map((rule) => {
    const route = readRoute(rule)
    if ("rule" in route) return route
    throw new TypeError(`routes: ${rule.method} ${rule.path}: ${route.member}: expected ${route.expected}`)
  })
  const shapes = new Set(routes.map(shapeOf))
  if (shapes.size !== routes.length) throw new TypeError("routes: expected each method and path once")
  routes.sort(literalsFirst)
  return (method, target) => {
    const read = readTarget(target)
    if (!read) return "not_canonical"
    const of = (wanted: string) => {
      const route = routes.find((one) => one.rule.method === wanted && fits(one.parts, read.segments))
      return route && describe(route, read.segments, read.query)
    }
    return of(method) ?? (method === "HEAD" ? of("GET") : undefined) ?? "unmapped"
  }
}

function literalsFirst(one: ProxyRoute, other: ProxyRoute): number {
  const [a, b] = [kindsOf(one), kindsOf(other)]
  return a < b ? -1 : a > b ? 1 : 0
}

const kindsOf = ({ parts }: ProxyRoute) => parts.map((part) => ("literal" in part ? "0" : "1")).join("")

/** What one reader decodes and another does not, or cuts at: escapes of `/ \ . %`, of controls, and of what needs none. */
const NOT_CANONICAL =
  /\/\/|[\\;#]|[^\x21-\x7e]|%(?:2f|5c|2e|25|[01][0-9a-f]|7f|2d|5f|7e|3[0-9]|[46][1-9a-f]|[57][0-9a])/i
const NOT_IN_QUERY = /[^\x21-\x7e]|#/

/** Of an absolute target (RFC 9112 section 3.2.2) what follows the authority: no host is part of a decision. */
function readTarget(target: string): { segments: readonly string[]; query: string } | undefined {
  const origin = target.replace(/^https?:\/\/[^/?#]*/i, "")
  const cut = origin.indexOf("?")
  const [path, query] = cut < 0 ? [origin, ""] : [origin.slice(0, cut), origin.slice(cut)]
  if (!path.startsWith("/") || NOT_CANONICAL.test(path) || NOT_IN_QUERY.test(query)) return undefined
  const segments = path.slice(1).split("/")
  return segments.some((text) => isDots(text) || decode(text) === undefined) ? undefined : { segments, query }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined // no UTF-8, or half an escape
  }
}

const fits = (parts: readonly PathPart[], segments: readonly string[]): boolean =>
  parts.length === segments.length &&
  parts.every((part, at) => ("literal" in part ? part.literal === segments[at] : segments[at] !== ""))

function describe(route: ProxyRoute, segments: readonly string[], query: string): RouteMatch {
  const parameters = new Members<string>()
  const made = route.parts.map((part, at) => {
    if ("literal" in part) return part.literal
    const value = decode(segments[at] ?? "") ?? ""
    parameters[part.parameter] = value
    return encodeURIComponent(value)
  })
  return { route, parameters, path: `/${made.join("/")}`, query }
}
