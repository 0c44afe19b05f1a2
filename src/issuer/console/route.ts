// What a page of the console is: an address, who may see it, what can be asked by its query, and what it shows. It decides the
// order (who looks, may they, what do they ask, run) and the headers; a page's file reads, and src/console/ writes HTML.
// A session is ambient: a form is taken from our own pages alone.
import { z } from "@hono/zod-openapi"
import { CONSOLE_POLICY, consolePage, type Page, PLACES, type Role } from "../../console/page.ts"
import { addressOf } from "../../console/parts.ts"
import { Refusal, refuse } from "../../errors.ts"
import { type Clock, toEpochSeconds } from "../../time.ts"
import { once } from "../body.ts"
import { type Call, type Endpoint, type Entrance, formBody, open, readAs, readWith } from "../endpoint.ts"
import { isFresh, type Visitor, type Visitors } from "./visitor.ts"

const PAGE = "text/html"
export const SIGN_IN_PATH = "/console/sign-in"

export interface ConsoleParts {
  /** The issuer's URL: the one origin whose forms are taken. */
  readonly issuer: string
  readonly visitors: Visitors
  readonly clock: Clock
}

export type PageCall<Query> = Omit<Call<undefined, Query>, "body">

interface Shows<Query> {
  readonly path: string
  readonly summary: string
  readonly who: readonly [Role, ...Role[]]
  /** Members with an empty value count as absent: a form sends every field it has. */
  readonly query?: z.ZodType<Query>
  readonly run: (
    call: PageCall<Query>,
    visitor: Visitor,
  ) => Promise<Omit<Page, "reader"> | Response | Refusal>
}

interface Acts<Form> {
  readonly path: string
  readonly summary: string
  readonly who: readonly [Role, ...Role[]]
  /** Asks for a sign-in of the last 15 minutes; whoever has an older one is led to it, and nothing is done. */
  readonly fresh?: true
  readonly form: z.ZodType<Form>
  /** Answers the place of ours where the outcome is seen; never anything that was sent. */
  readonly run: (call: Call<Form, undefined>, visitor: Visitor) => Promise<string | Refusal>
}

/** A page. Whoever has no session is led to signing in. */
export const page = <Query = undefined>(parts: ConsoleParts, shows: Shows<Query>): Endpoint =>
  open({
    method: "get",
    path: shows.path,
    summary: shows.summary,
    group: "console",
    ...(shows.query && { query: shows.query }),
    answers: {
      200: { description: "The page", others: { [PAGE]: z.string() } },
      303: { description: "Nobody is signed in: on to signing in" },
    },
    async run(request, parameter, entrance) {
      const visitor = await visitorOf(parts, request, entrance)
      if (visitor instanceof Refusal) return visitor
      if (!visitor) return onward(signInFor(shows.path))
      if (!mayDo(shows.who, visitor)) return missing(shows.who)
      const query = readGiven(request, shows.query)
      if (query instanceof Refusal) return query
      const call = { request, query: query as Query, parameter }
      const shown = await entrance.admission.pass(visitor.caller.clientId, "later", () =>
        shows.run(call, visitor),
      )
      if (shown instanceof Refusal || shown instanceof Response) return shown
      return htmlAnswer(200, consolePage({ ...shown, reader: readerOf(visitor) }))
    },
  })

/** What a form of a page does. Answers 303 to where the outcome is seen. */
export const action = <Form>(parts: ConsoleParts, acts: Acts<Form>): Endpoint =>
  open({
    method: "post",
    path: acts.path,
    summary: acts.summary,
    group: "console",
    form: acts.form,
    answers: { 303: { description: "Done: on to where it is seen" } },
    async run(request, parameter, entrance) {
      if (!isOwnForm(parts.issuer, request.headers))
        return refuse("form_foreign", "[origin] a form of another site")
      const visitor = await visitorOf(parts, request, entrance)
      if (visitor instanceof Refusal) return visitor
      if (!visitor) return onward(signInFor(acts.path))
      if (!mayDo(acts.who, visitor)) return missing(acts.who)
      if (acts.fresh && !isFresh(visitor, toEpochSeconds(parts.clock.now())))
        return onward(signInFor(acts.path, { again: "yes" }))
      const body = await readWith(request, formBody(acts.form))
      if (body instanceof Refusal) return body
      const call = { request, query: undefined, parameter, body: body as Form }
      const done = await entrance.admission.pass(visitor.caller.clientId, "first", () =>
        acts.run(call, visitor),
      )
      return done instanceof Refusal ? done : onward(done)
    },
  })

/** The way to signing in, and afterwards to the menu's place of this path. */
export function signInFor(path: string, asked: Readonly<Record<string, string>> = {}): string {
  const place = PLACES.findLast((one) => path === one.path || path.startsWith(`${one.path}/`))?.path
  const to = place === undefined || place === PLACES[0].path ? {} : { to: place }
  return addressOf(SIGN_IN_PATH, { ...asked, ...to })
}

async function visitorOf(
  { visitors }: ConsoleParts,
  request: Request,
  { identify }: Entrance,
): Promise<Visitor | Refusal | undefined> {
  if (!request.headers.has("authorization")) return visitors.of(request)
  const caller = await identify()
  return caller instanceof Refusal ? caller : { caller, name: caller.person ?? caller.clientId }
}

/**
 * Whether our own page sent it: `Origin` names us byte for byte, or, where there is none, the browser says so in
 * `Sec-Fetch-Site`. A request with neither is taken from no session.
 */
export function isOwnForm(issuer: string, headers: Headers): boolean {
  if (headers.has("authorization") && !headers.has("cookie")) return true
  const origin = headers.get("origin")
  if (origin !== null) return origin === issuer
  return headers.get("sec-fetch-site") === "same-origin"
}

const mayDo = (who: readonly Role[], { caller }: Visitor): boolean =>
  who.some((one) => caller.scopes.has(one))

const missing = (who: readonly Role[]): Refusal =>
  refuse("role_missing", `[scope] needs one of ${who.join(", ")}`)

const ROLES: readonly Role[] = ["auditor", "approver", "operator"]

const readerOf = ({ caller, name }: Visitor) => ({
  name,
  roles: ROLES.filter((one) => caller.scopes.has(one)),
})

function readGiven<Query>(
  request: Request,
  schema: z.ZodType<Query> | undefined,
): Query | undefined | Refusal {
  const query = once(new URL(request.url).searchParams)
  if (query instanceof Refusal) return query
  const given = Object.fromEntries([...query].filter(([, value]) => value !== ""))
  if (schema) return readAs(schema, given)
  return query.size === 0 ? undefined : refuse("invalid_request", "[query] none is taken here")
}

/** Back to a page, by GET whatever was sent (RFC 9110 section 15.4.4). */
export const onward = (location: string): Response =>
  new Response(null, { status: 303, headers: { location, "cache-control": "no-store" } })

export const htmlAnswer = (
  status: number,
  document: string,
  headers: Readonly<Record<string, string>> = {},
): Response =>
  new Response(document, {
    status,
    headers: {
      "content-type": `${PAGE}; charset=utf-8`,
      "cache-control": "no-store",
      "content-security-policy": CONSOLE_POLICY,
      "x-content-type-options": "nosniff",
      // Nothing for other sites. Not `no-referrer`: by that, browsers send our own forms with `Origin: null`.
      "referrer-policy": "same-origin",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
      ...headers,
    },
  })
