// The report of what was granted against what was used, and counting it anew. It decides the window where none is named; what
// counts, the audit room says. A page is one query and one entry.
import { z } from "@hono/zod-openapi"
import { isPrivilegeCursor, leastPrivilege } from "../audit/least-privilege.ts"
import { parseInstant } from "../time.ts"
import { type Endpoint, guarded, json } from "./endpoint.ts"
import { filterInstant, filterLimit, filterText, givenIn } from "./ledger-query.ts"
import { recordReading } from "./reading.ts"
import type { Rooms } from "./rooms.ts"

const DEFAULT_DAYS = 30
const DAY_MILLISECONDS = 86_400_000
const MOST_ITEMS = 1000

const PrivilegeQuery = z.strictObject({
  type: filterText,
  agent: filterText,
  rule: filterText,
  from: filterInstant.openapi({ description: `Default: ${DEFAULT_DAYS} days before \`to\`` }),
  to: filterInstant.openapi({ description: "Default: now" }),
  after: z.string().refine(isPrivilegeCursor, "the `next` of an earlier answer").optional(),
  limit: filterLimit,
})

const instant = z.iso.datetime()
const count = z.int().min(0)

const PrivilegeAnswer = z
  .strictObject({
    from: instant.openapi({ description: "Whole days, UTC: the window as it was counted" }),
    to: instant.openapi({ description: "Exclusive" }),
    entries: count.openapi({ description: "Of any kind in these days" }),
    up_to: count.openapi({ description: "Entries up to this place are counted" }),
    up_to_at: instant.nullable().openapi({ description: "When that one was written" }),
    checkpoint: z.string().optional().openapi({ description: "The newest signed note" }),
    items: z.array(
      z.strictObject({
        type: z.string(),
        agent: z.string().openapi({ description: "The holder: of a delegation the sub-agent" }),
        rule: z.string().openapi({ description: "Empty: none of the token's rules grants it" }),
        api: z.string(),
        operation: z.string(),
        granted: count.openapi({ description: "Tasks that were given it" }),
        used: count,
        refused: count,
        last_used: instant.nullable(),
        resources: count.nullable().openapi({ description: "How many: not counted yet" }),
      }),
    ),
    dormant: z
      .strictObject({ agents: z.array(z.string()), types: z.array(z.string()) })
      .openapi({ description: "Enabled in the policy in force, and neither given nor using anything" }),
    next: z.string().nullable(),
  })
  .openapi("LeastPrivilege")

export const privilegeEndpoints = (rooms: Rooms): Endpoint[] => [report(rooms), rebuild(rooms)]

const report = (rooms: Rooms): Endpoint =>
  guarded({
    method: "get",
    path: "/reports/least-privilege",
    lane: "later",
    summary:
      "What was granted against what was used, for a task type, an agent or a rule over a window of days",
    group: "ledger",
    who: ["auditor"],
    query: PrivilegeQuery,
    answers: { 200: { description: "A page of rights", schema: PrivilegeAnswer } },
    async run({ query }, caller) {
      const { from, to, limit = MOST_ITEMS, ...filter } = query
      const { engine, ledger, policies, sequence } = rooms
      await recordReading(rooms, caller, { report: "least-privilege", parameters: givenIn(query) })
      const until = (to === undefined ? undefined : parseInstant(to)) ?? ledger.at()
      const since =
        (from === undefined ? undefined : parseInstant(from)) ?? until - DEFAULT_DAYS * DAY_MILLISECONDS
      const signed = await sequence.newest()
      const window = { from: since, to: until, limit }
      const found = await leastPrivilege(engine, policies.inForce(), { ...filter, ...window })
      return json(200, { ...found, ...(signed && { checkpoint: signed.note }) })
    },
  })

const rebuild = ({ rollups }: Rooms): Endpoint =>
  guarded({
    method: "post",
    path: "/reports/least-privilege/rebuild",
    lane: "later",
    summary:
      "Forgets what was counted for the report, and of what is usual, and counts it anew from the ledger",
    group: "ledger",
    who: ["operator"],
    answers: {
      202: { description: "It is counted from now on; `up_to` of the report says how far it has come" },
    },
    async run() {
      await rollups.reset()
      return new Response(null, { status: 202, headers: { "cache-control": "no-store" } })
    },
  })
