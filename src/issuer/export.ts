// The ledger's export: every entry that meets the filters, up to the place that was signed when it was asked for. It decides
// what a stream of them promises: it is one query and one entry, it holds a page at a time, and one that breaks off never
// ends as if it were whole. What a line looks like is the ledger's.
import { z } from "@hono/zod-openapi"
import { refuse } from "../errors.ts"
import { EXPORT_FORMATS, type ExportFormat, headOf, linesOf } from "../ledger/export.ts"
import { type EntryFilter, findAll } from "../ledger/search.ts"
import type { Caller } from "./caller.ts"
import { type Endpoint, guarded } from "./endpoint.ts"
import { INERT } from "./inert.ts"
import { between, FILTERS, givenIn } from "./ledger-query.ts"
import { recordReading } from "./reading.ts"
import type { Rooms } from "./rooms.ts"

const ExportQuery = z.strictObject({
  ...FILTERS,
  format: z.enum(EXPORT_FORMATS).optional().openapi({ description: "Default: ndjson" }),
})

/** Each holds a page; an auditor needs one. */
const MOST_AT_ONCE = 4
const RETRY_SECONDS = 30

const TYPES: Readonly<Record<ExportFormat, string>> = {
  ndjson: "application/x-ndjson",
  csv: "text/csv",
}

export function exportEndpoints(rooms: Rooms): Endpoint[] {
  const open = new Set<ReadableStream>()
  return [
    guarded({
      method: "get",
      path: "/ledger/export",
      lane: "later",
      summary: "Every entry that meets the filters, as a stream; `taskmint ledger export` adds a manifest",
      group: "ledger",
      who: ["auditor"],
      query: ExportQuery,
      answers: { 200: { description: DESCRIPTION, others: TYPED } },
      async run({ query }, caller) {
        if (open.size < MOST_AT_ONCE) return begin(rooms, open, { query, caller })
        const reason = "[exports] as many as there may be"
        return refuse("temporarily_unavailable", reason, { retryAfterSeconds: RETRY_SECONDS })
      },
    }),
  ]
}

const DESCRIPTION =
  "The entries, oldest first, up to the place in `Taskmint-Up-To`: it was the newest under a checkpoint, which is " +
  "`Taskmint-Checkpoint` (base64 of the signed note). An export that can't go on is broken off, never ended"

const TYPED = Object.fromEntries(Object.values(TYPES).map((type) => [type, z.string()]))

interface Asked {
  readonly query: z.infer<typeof ExportQuery>
  readonly caller: Caller
}

type Streams = Set<ReadableStream>

async function begin(rooms: Rooms, open: Streams, { query, caller }: Asked): Promise<Response> {
  const { sequence, engine } = rooms
  const { format = "ndjson", from, to, ...filter } = query
  await sequence.advance()
  const signed = await sequence.newest()
  const upTo = signed?.place ?? 0
  const parameters = { ...givenIn(query), format }
  await recordReading(rooms, caller, { export: true, up_to: upTo, parameters })
  const wanted: EntryFilter = { ...filter, ...between(from, to) }
  const pages = findAll(engine, wanted, { after: 0, upTo })
  return new Response(streamOf(pages, format, open), {
    headers: {
      "content-type": `${TYPES[format]}; charset=utf-8`,
      ...INERT,
      "cache-control": "no-store, no-transform",
      "content-disposition": `attachment; filename="entries-up-to-${upTo}.${format}"`,
      "taskmint-up-to": String(upTo),
      "taskmint-checkpoint": Buffer.from(signed?.note ?? "").toString("base64"),
    },
  })
}

type Pages = ReturnType<typeof findAll>

/**
 * A page is read when the one before it was taken: whoever reads slowly makes nothing pile up. It is open from the first
 * reading on, for a HEAD is never read.
 */
function streamOf(pages: Pages, format: ExportFormat, open: Streams): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let head = headOf(format)
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        open.add(stream)
        try {
          const page = await pages.next()
          const text = head + (page.done ? "" : linesOf(page.value, format))
          head = ""
          if (text !== "") controller.enqueue(encoder.encode(text))
          if (!page.done) return
          controller.close()
        } catch (error) {
          controller.error(error)
        }
        open.delete(stream)
      },
      async cancel() {
        open.delete(stream)
        await pages.return()
      },
    },
    { highWaterMark: 0 },
  )
  return stream
}
