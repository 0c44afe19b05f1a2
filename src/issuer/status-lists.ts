// Status lists on the wire (draft-ietf-oauth-status-list, sections 8 and 9), for anyone: who holds a token knows which
// list to ask for, and a list names no token. It translates; what a list says is decided in the task room.
import { z } from "@hono/zod-openapi"
import { Refusal, refuse } from "../errors.ts"
import type { ServedList } from "../task/status-list.ts"
import { STATUS_LISTS_PATH } from "../token/status.ts"
import { STATUS_LIST_TYPE, STATUS_TTL_SECONDS } from "../token/status-list.ts"
import { type Endpoint, json, open } from "./endpoint.ts"
import { etagOf, hasAlready } from "./etag.ts"
import { INERT } from "./inert.ts"
import type { Rooms } from "./rooms.ts"

/** Pages may read it too: it is public, and no cookie means anything here. */
const ANY_ORIGIN = { "access-control-allow-origin": "*" }

const Aggregation = z.strictObject({ status_lists: z.array(z.string()) }).openapi("StatusListAggregation")

export const statusListEndpoints = (rooms: Rooms): Endpoint[] => [aggregation(rooms), statusList(rooms)]

const aggregation = ({ statusLists }: Rooms): Endpoint =>
  open({
    method: "get",
    path: STATUS_LISTS_PATH,
    summary: "The URIs of all status lists",
    group: "metadata",
    answers: { 200: { description: "Status list aggregation", schema: Aggregation } },
    async run() {
      const lists = { status_lists: await statusLists.uris() }
      return json(200, lists, {
        "cache-control": `public, max-age=${STATUS_TTL_SECONDS}`,
        ...ANY_ORIGIN,
      })
    },
  })

const statusList = ({ statusLists }: Rooms): Endpoint =>
  open({
    method: "get",
    path: `${STATUS_LISTS_PATH}/{id}`,
    summary: "A token status list: which tokens of foreign APIs stand now",
    group: "metadata",
    answers: {
      200: { description: "The list, signed", others: { [STATUS_LIST_TYPE]: z.string() } },
      304: { description: "Unchanged" },
    },
    async run(request, parameter) {
      // `time` would ask for a list of the past, and an answer of now must not be taken for one.
      if (request.url.includes("?")) return refuse("invalid_request", "[query] none is taken here")
      const list = await statusLists.read(parameter("id"))
      if (list === undefined) return refuse("not_found", "[status_list] no such list")
      return list instanceof Refusal ? list : answer(request, list)
    },
  })

function answer(request: Request, { jwt, freshForSeconds }: ServedList): Response {
  const etag = etagOf(jwt)
  const headers = { etag, "cache-control": `public, max-age=${freshForSeconds}`, ...ANY_ORIGIN }
  if (hasAlready(request, etag)) return new Response(null, { status: 304, headers })
  return new Response(jwt, { headers: { ...headers, ...INERT, "content-type": STATUS_LIST_TYPE } })
}
