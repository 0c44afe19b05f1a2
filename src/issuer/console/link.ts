// The endpoints of links that sign in, which are there in development alone: one uses a link, the other makes one for whoever
// has the key of staff.
import { z } from "@hono/zod-openapi"
import { Refusal, refuse } from "../../errors.ts"
import { toEpochSeconds } from "../../time.ts"
import { type Endpoint, guarded, json, open } from "../endpoint.ts"
import type { Rooms } from "../rooms.ts"
import { sessionCookie } from "./cookie.ts"
import { LINK_SECONDS, type Links } from "./links.ts"
import { onwardAnswer, withCookies } from "./sign-in.ts"
import { entriesOf } from "./staff.ts"

export const linkEndpoints = (rooms: Rooms): Endpoint[] =>
  rooms.links ? [useLink(rooms, rooms.links), makeLink(rooms.links)] : []

const useLink = ({ policies, sessions, ledger }: Rooms, links: Links): Endpoint =>
  open({
    method: "get",
    path: "/console/link/{link}",
    summary: "Signs in once, in development",
    group: "console",
    answers: { 200: { description: "Signed in", others: { "text/html": z.string() } } },
    async run(request, parameter) {
      if (request.method !== "GET") return refuse("method_not_allowed", "[method]")
      const link = links.take(parameter("link"))
      const entries = link === undefined ? [] : entriesOf(policies.inForce(), { link })
      if (link === undefined || entries.length === 0)
        return refuse("invalid_client", "[link] none that opens", OPENS)
      const identity = { link }
      const signedInAt = toEpochSeconds(ledger.at())
      const replaces = sessions.digestIn(request)
      const how = { by: "link" }
      const id = await sessions.begin({ person: link, identity, entries, signedInAt, how, replaces })
      return id instanceof Refusal ? id : withCookies(onwardAnswer("/console", link), sessionCookie(id))
    },
  })

const OPENS = { errors: [{ pointer: "", expected: "a link of the last 60 seconds that nobody used" }] }

const Link = z.strictObject({ url: z.string(), expires_in: z.int() }).openapi("ConsoleLink")

/** Whoever has the key of staff gets a link to be that staff: in development, keys stand for people. */
const makeLink = (links: Links): Endpoint =>
  guarded({
    method: "post",
    path: "/console/links",
    summary: "A link that signs in as the caller, in development",
    group: "console",
    who: ["auditor", "operator", "approver"],
    answers: { 201: { description: "The link", schema: Link } },
    run: async (_call, { clientId }) => json(201, { url: links.make(clientId), expires_in: LINK_SECONDS }),
  })
