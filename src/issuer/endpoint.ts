// What an endpoint is: a path, who may use it, the schemas that read its request, and what it answers. The same schemas
// make the OpenAPI document. It decides the order (authenticate, read, run); what is done is each group's own.
import { z } from "@hono/zod-openapi"
import { type FieldError, Refusal, refuse } from "../errors.ts"
import type { Admission, Lane } from "./admission.ts"
import { BODY_LIMIT, once, readBody, readForm, readJson } from "./body.ts"
import type { Caller, Scope } from "./caller.ts"
import { INERT } from "./inert.ts"

type Schema<T> = z.ZodType<T>

/** One documented answer; `schema` absent: no body, or one that is not JSON (`others` then says what it is). */
export interface Documented {
  readonly description: string
  readonly schema?: z.ZodType
  /** What else the same answer can be, by media type. */
  readonly others?: Readonly<Record<string, z.ZodType>>
}

interface Description {
  readonly method: "get" | "post" | "delete"
  /** As OpenAPI writes it: `/tasks/{id}`. */
  readonly path: string
  /** Its last parameter takes slashes. */
  readonly deep?: boolean
  readonly summary: string
  readonly group: string
  readonly answers: Readonly<Record<number, Documented>>
  /** Headers that mean something here beside those of every request; the endpoint reads them itself. */
  readonly headers?: z.ZodObject
  /** Where its requests wait when there are too many; default `first`. */
  readonly lane?: Lane
}

/** What an endpoint reads of a request besides its caller. */
export interface Call<Body, Query> {
  readonly request: Request
  readonly body: Body
  readonly query: Query
  /** The decoded path parameter; "" when the path has none of that name. */
  readonly parameter: (name: string) => string
}

export interface BodyRule<Body> {
  readonly type: string
  readonly limit: number
  readonly schema: Schema<Body>
  /** A request without any body is read as `{}`: curl -X POST is enough. */
  readonly optional?: boolean
}

/** What is left to do where no turn is needed: who waits for something takes no room from those who work. */
type Rest = () => Promise<Response>

interface Guarded<Body, Query> extends Description {
  /** Scopes of which the caller needs one. */
  readonly who: readonly [Scope, ...Scope[]]
  readonly body?: BodyRule<Body>
  readonly query?: Schema<Query>
  readonly run: (call: Call<Body, Query>, caller: Caller) => Promise<Response | Refusal | Rest>
}

interface Open extends Description {
  /** What is documented of the body; whoever runs reads it. */
  readonly form?: z.ZodType
  /** The same of the query. */
  readonly query?: z.ZodType
  readonly run: (
    request: Request,
    parameter: (name: string) => string,
    entrance: Entrance,
  ) => Promise<Response | Refusal> | Response | Refusal
}

/** An endpoint whose types are closed over: what the route table and the document need. */
export interface Endpoint extends Description {
  readonly who: readonly Scope[]
  readonly query?: z.ZodType
  readonly body?: { readonly type: string; readonly schema: z.ZodType; readonly optional?: boolean }
  readonly answer: (
    request: Request,
    parameter: (name: string) => string,
    entrance: Entrance,
  ) => Promise<Response | Refusal>
}

/** What stands before an endpoint that is not open: who asks, and whether it is their turn. */
export interface Entrance {
  readonly identify: () => Promise<Caller | Refusal>
  readonly admission: Admission
}

export const JSON_TYPE = "application/json"

/** A JSON body of at most 64 KiB. */
export const jsonBody = <T>(schema: Schema<T>): BodyRule<T> => ({
  type: JSON_TYPE,
  limit: BODY_LIMIT,
  schema,
})

/** The same, or none at all: then it is read as `{}`. */
export const optionalJsonBody = <T>(schema: Schema<T>): BodyRule<T> => ({
  ...jsonBody(schema),
  optional: true,
})

/** Of what changes something and takes nothing: none, or an empty JSON object. What is sent is read like any body. */
const NOTHING = optionalJsonBody(z.strictObject({}))

export const FORM_TYPE = "application/x-www-form-urlencoded"

/** A form of at most 64 KiB, each parameter at most once (RFC 6749 section 3.2). */
export const formBody = <T>(schema: Schema<T>): BodyRule<T> => ({
  type: FORM_TYPE,
  limit: BODY_LIMIT,
  schema,
})

/** An endpoint that anyone may use. */
export function open(endpoint: Open): Endpoint {
  const { form, run, ...description } = endpoint
  return {
    ...description,
    who: [],
    ...(form && { body: { type: FORM_TYPE, schema: form } }),
    answer: async (request, parameter, entrance) => run(request, parameter, entrance),
  }
}

/**
 * An endpoint for callers with a service token: who asks is settled before a byte of the body is read, and it waits for its
 * turn with the body read, so that a slow sender keeps nobody waiting.
 */
export function guarded<Body = undefined, Query = undefined>(endpoint: Guarded<Body, Query>): Endpoint {
  const { run, body, query, lane = "first", ...description } = endpoint
  const rule: BodyRule<unknown> | undefined = body ?? (endpoint.method === "get" ? undefined : NOTHING)
  return {
    ...description,
    ...(body && { body }),
    ...(query && { query }),
    async answer(request, parameter, { identify, admission }) {
      const caller = await identify()
      if (caller instanceof Refusal) return caller
      if (!endpoint.who.some((scope) => caller.scopes.has(scope))) return notOf(endpoint.who)
      const asked = readQuery(request, query)
      if (asked instanceof Refusal) return asked
      const read = await readWith(request, rule)
      if (read instanceof Refusal) return read
      const call = { request, body: (body && read) as Body, query: asked as Query, parameter }
      const done = await admission.pass(caller.clientId, lane, () => run(call, caller))
      return typeof done === "function" ? done() : done
    },
  }
}

/** Who may is in the API's description: it is told, so that a person knows whose credential to use. */
const notOf = (who: readonly Scope[]): Refusal =>
  refuse("role_missing", `[scope] needs one of ${who.join(", ")}`, {
    errors: [{ pointer: "", expected: `a caller with the role ${who.join(" or ")}` }],
  })

/** The body as its rule reads it; undefined where there is no rule. */
export async function readWith<Body>(
  request: Request,
  body: BodyRule<Body> | undefined,
): Promise<Body | undefined | Refusal> {
  if (!body) return undefined
  if (body.optional && isBodiless(request.headers)) return readAs(body.schema, {})
  const text = await readBody(request, body.type, body.limit)
  if (text instanceof Refusal) return text
  // Some clients name a type with every request, and not all of them say that nothing follows.
  if (body.optional && text === "") return readAs(body.schema, {})
  const value = valueIn(body.type, text)
  return value instanceof Refusal ? value : readAs(body.schema, value)
}

function valueIn(type: string, text: string): unknown | Refusal {
  if (type === JSON_TYPE) return readJson(text)
  if (type !== FORM_TYPE) return text
  const form = readForm(text)
  return form instanceof Refusal ? form : Object.fromEntries(form)
}

/** What has no length and is not chunked has no body over the wire; a request that was made in this process may say its type alone. */
function isBodiless(headers: Headers): boolean {
  if (headers.has("transfer-encoding")) return false
  const length = headers.get("content-length")
  return length === null ? !headers.has("content-type") : length === "0"
}

function readQuery<Query>(request: Request, schema: Schema<Query> | undefined): Query | undefined | Refusal {
  const mark = request.url.indexOf("?")
  if (mark < 0 && !schema) return undefined
  const parameters = once(new URLSearchParams(mark < 0 ? "" : request.url.slice(mark + 1).split("#")[0]))
  if (parameters instanceof Refusal) return parameters
  if (schema) return readAs(schema, Object.fromEntries(parameters))
  return parameters.size === 0 ? undefined : refuse("invalid_request", "[query] none is taken here")
}

/** The value as the schema reads it, or where it doesn't fit. Never repeats what was sent. */
export function readAs<T>(schema: Schema<T>, value: unknown): T | Refusal {
  const read = schema.safeParse(value)
  if (read.success) return read.data
  return refuse("invalid_request", "[schema]", { errors: read.error.issues.slice(0, 20).map(toFieldError) })
}

function toFieldError(issue: z.core.$ZodIssue): FieldError {
  const pointer = issue.path.map((step) => `/${escapePointer(String(step))}`).join("")
  if (issue.code === "unrecognized_keys")
    return { pointer, expected: "no members besides the documented ones" }
  return {
    pointer,
    expected: issue.message
      .replace(/^Invalid (input|option): (expected )?/, "")
      .replace(/, received .*$/s, ""),
  }
}

/** RFC 6901 section 3. */
const escapePointer = (text: string): string => text.replaceAll("~", "~0").replaceAll("/", "~1")

/** A JSON answer. `no-store` unless told otherwise: most answers here are about tokens or tasks. */
export function json(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = { "cache-control": "no-store" },
): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { "content-type": JSON_TYPE, ...INERT, ...headers },
  })
}
