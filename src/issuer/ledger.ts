// The auditor's reading of the ledger. Each query is itself an entry, durable before a line is answered. How filters
// are spelled is ledger-query.ts's.
import { z } from "@hono/zod-openapi"
import { KINDS } from "../ledger/event.ts"
import { isCursor, MOST_ENTRIES } from "../ledger/search.ts"
import { type Endpoint, guarded, json } from "./endpoint.ts"
import { between, FILTERS, filterLimit, givenIn } from "./ledger-query.ts"
import { recordReading } from "./reading.ts"
import type { Rooms } from "./rooms.ts"

const EntryQuery = z.strictObject({
  ...FILTERS,
  after: z.string().refine(isCursor, "the `next` of an earlier answer").optional(),
  limit: filterLimit,
})

const committed = z.union([z.string(), z.strictObject({ hmac: z.string() })])

export const EntryAnswer = z
  .strictObject({
    seq: z.int(),
    at: z.string().openapi({ format: "date-time" }),
    kind: z.enum(KINDS),
    task_id: z.string().optional(),
    jti: z.string().optional(),
    agent: z.string().optional(),
    instance: z.string().optional(),
    orchestrator: z.string().optional(),
    sub: committed.optional(),
    api: z.string().optional(),
    operation: z.string().optional(),
    resource: committed.optional(),
    reference: committed.optional(),
    outcome: z.enum(["allowed", "refused"]).optional(),
    code: z.string().optional(),
    body: z.record(z.string(), z.unknown()).optional(),
  })
  .openapi("Entry")

const Page = z
  .strictObject({ entries: z.array(EntryAnswer), next: z.string().nullable() })
  .openapi("Entries", { description: `At most ${MOST_ENTRIES} entries, in the ledger's order` })

export const ledgerEndpoints = ({ ledger }: Rooms): Endpoint[] => [
  guarded({
    method: "get",
    path: "/ledger/entries",
    lane: "later",
    summary: "Entries that meet every filter given",
    group: "ledger",
    who: ["auditor"],
    query: EntryQuery,
    answers: { 200: { description: "A page of entries", schema: Page } },
    async run({ query }, caller) {
      const { from, to, ...filter } = query
      await recordReading({ ledger }, caller, { parameters: givenIn(query) })
      const page = await ledger.read({ ...filter, ...between(from, to) })
      return json(200, { entries: page.entries, next: page.next })
    },
  }),
]
