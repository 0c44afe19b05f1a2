// What the issuer takes, read from the document that its own schemas make: a new endpoint or filter is in the list by
// itself. It decides nothing; what must hold of each of them is said by who asks for the list.
import { consoleEndpoints } from "../../src/issuer/console/endpoints.ts"
import { describeSurface } from "../../src/issuer/openapi.ts"
import type { Rooms } from "../../src/issuer/rooms.ts"
import { type Call, type CallerName, type House, ISSUER } from "./issuer-house.ts"

export interface Parameter {
  readonly name: string
  readonly place: "path" | "query"
  readonly isRequired: boolean
  /** How it is spelled, where the document says so: the source of a regular expression, or the words there are. */
  readonly pattern: string | undefined
  readonly words: readonly string[]
}

export interface Asked {
  readonly method: "GET" | "POST" | "DELETE"
  /** As it is documented, with `{name}` for each parameter. */
  readonly path: string
  readonly parameters: readonly Parameter[]
  /** Who may ask; nobody where anyone may. */
  readonly callers: readonly CallerName[]
  readonly bodyType: string | undefined
}

interface Documented {
  readonly security?: readonly { readonly service_token: readonly string[] }[]
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly required?: boolean
    readonly schema: { readonly pattern?: string; readonly enum?: readonly string[] }
  }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> }
}

/** Who of a house has which role. Nobody approves in it: its policies have no person. */
const OF_ROLE: Readonly<Record<string, CallerName>> = {
  orchestrator: "support-orchestrator",
  api: "tickets",
  auditor: "audit-team",
  operator: "operations-team",
}

const roleOf = ({ service_token: [role = ""] }: { readonly service_token: readonly string[] }) =>
  OF_ROLE[role] ?? []

/** The console's pages take a service token, too, and say for themselves who may see them. */
const STAFF: readonly CallerName[] = ["audit-team", "operations-team"]

type Paths = Readonly<Record<string, Readonly<Record<string, Documented>>>>

/** Endpoints for programs, and pages of the console with what their forms send. */
export async function surfaceOf(house: House): Promise<Asked[]> {
  const { body } = await house.ask("GET", "/openapi.json")
  return [...askedIn(body.paths as Paths), ...consoleSurface()]
}

/** What pages show is read when they are asked: to list them, rooms are enough that have anything and answer nothing. */
const ANYTHING: object = new Proxy(() => undefined, { get: () => ANYTHING, apply: () => ANYTHING })
const ROOMS = ANYTHING as Rooms

/** The console's pages are in no document that is served; it is made of them here as the others' is. */
export function consoleSurface(): Asked[] {
  const { paths } = JSON.parse(describeSurface(ISSUER, consoleEndpoints(ROOMS))) as { paths: Paths }
  return askedIn(paths)
}

const askedIn = (paths: Paths): Asked[] =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security = [], parameters = [], requestBody }]) => ({
      method: method.toUpperCase() as Asked["method"],
      path,
      parameters: parameters
        .filter(({ in: place }) => place === "path" || place === "query")
        .map(({ name, in: place, required = false, schema }) => ({
          name,
          place: place as Parameter["place"],
          isRequired: required,
          pattern: schema.pattern,
          words: schema.enum ?? [],
        })),
      callers: path.startsWith("/console") ? STAFF : security.flatMap(roleOf),
      bodyType: Object.keys(requestBody?.content ?? {})[0],
    })),
  )

/** What a parameter is given where another one is looked at: what there is, or could be. */
const PLAIN: Readonly<Record<string, string>> = {
  operation: "tickets:read",
  task: "task_01a2015d-9a60-7bc1-8d89-654aa2e41021",
}

/** The request line with this one parameter set to the text; those that have to be there are plain. */
export function lineWith(asked: Asked, given: Parameter, text: string): string {
  const value = ({ name }: Parameter) => encodeURIComponent(name === given.name ? text : (PLAIN[name] ?? "x"))
  const path = asked.parameters
    .filter(({ place }) => place === "path")
    .reduce((line, one) => line.replace(`{${one.name}}`, value(one)), asked.path)
  const query = asked.parameters
    .filter((one) => one.place === "query" && (one.isRequired || one.name === given.name))
    .map((one) => `${one.name}=${value(one)}`)
  return query.length === 0 ? path : `${path}?${query.join("&")}`
}

/** A body that fits what is taken there, in which nothing is. */
export function emptyBody(asked: Asked): Call {
  if (asked.bodyType === undefined) return {}
  const headers = { "content-type": asked.bodyType }
  return { headers, body: asked.bodyType === "application/json" ? "{}" : "x=1" }
}
