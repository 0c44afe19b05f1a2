// The auditor's reading of the ledger. Each query is itself an entry, durable before a line is answered. What filters
// mean is the ledger's to say; a filter that is not one is refused, because a misspelled one would answer too much.
import { z } from "@hono/zod-openapi"
import { KINDS } from "../ledger/event.ts"
import { type EntryFilter, isCursor, MOST_ENTRIES } from "../ledger/search.ts"
import { parseInstant } from "../time.ts"
import { type Endpoint, guarded, json } from "./endpoint.ts"
import type { Rooms } from "./rooms.ts"

const text = z.string().min(1, "1 to 512 characters").max(512, "1 to 512 characters").optional()
const instant = z
  .string()
  .refine((value) => parseInstant(value) !== undefined, "an RFC 3339 time")
  .optional()

const EntryQuery = z.strictObject({
  task: text,
  reference: text,
  jti: text,
  agent: text,
  instance: text,
  orchestrator: text,
  sub: text,
  api: text,
  operation: text,
  resource: text,
  kind: z.enum(KINDS).optional(),
  outcome: z.enum(["allowed", "refused"]).optional(),
  from: instant,
  to: instant,
  after: z.string().refine(isCursor, "the `next` of an earlier answer").optional(),
  limit: z
    .string()
    .regex(/^([1-9]\d{0,2}|1000)$/, "1 to 1,000")
    .transform(Number)
    .optional(),
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
      const parameters = Object.fromEntries(
        Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
      )
      await ledger.append([
        { kind: "access.read", at: ledger.at(), body: { by: caller.clientId, parameters } },
      ])
      const page = await ledger.read({ ...filter, ...between(from, to) })
      return json(200, { entries: page.entries, next: page.next })
    },
  }),
]

const between = (from: string | undefined, to: string | undefined): Pick<EntryFilter, "from" | "to"> => ({
  from: from === undefined ? undefined : parseInstant(from),
  to: to === undefined ? undefined : parseInstant(to),
})
