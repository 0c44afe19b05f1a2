// The pages of the ledger. They take the filters of GET /ledger/entries, and a code; each reading is itself an entry, durable
// before a line is shown.
import { z } from "@hono/zod-openapi"
import { entryPage, type Proved } from "../../console/entry-page.ts"
import { LEDGER_PATH, ledgerPage } from "../../console/ledger-page.ts"
import { refuse } from "../../errors.ts"
import { show as showEntry } from "../../ledger/entry.ts"
import { leafHash } from "../../ledger/merkle.ts"
import { withBytes } from "../../ledger/resting.ts"
import { findBack } from "../../ledger/search-back.ts"
import { entryAt, newestPlace } from "../../ledger/statements.ts"
import type { Endpoint } from "../endpoint.ts"
import { between, FILTERS, filterInstant, filterText, givenIn } from "../ledger-query.ts"
import { recordReading } from "../reading.ts"
import type { Rooms } from "../rooms.ts"
import { page } from "./route.ts"

const LIMIT = 40

const PLACE = /^[1-9]\d{0,14}$/
/** As a browser's field for a time writes it: that of UTC is meant. */
const WITHOUT_ZONE = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?$/

const time = z.preprocess((value) => {
  if (typeof value !== "string" || !WITHOUT_ZONE.test(value)) return value
  return value.length === 16 ? `${value}:00Z` : `${value}Z`
}, filterInstant)

const Query = z.strictObject({
  ...FILTERS,
  from: time,
  to: time,
  code: filterText,
  below: z.string().regex(PLACE, "a place of the ledger").transform(Number).optional(),
})

export const ledgerPages = (rooms: Rooms): Endpoint[] => [search(rooms), show(rooms)]

const search = (rooms: Rooms): Endpoint =>
  page(rooms, {
    path: LEDGER_PATH,
    summary: "Entries of the ledger that meet every filter given, the newest first",
    who: ["auditor"],
    query: Query,
    async run({ query }, visitor) {
      const { below, from, to, ...filter } = query
      await recordReading(rooms, visitor.caller, { parameters: givenIn(query) })
      const found = await findBack(rooms.engine, { ...filter, ...between(from, to) }, { below, limit: LIMIT })
      const { agents, apis } = rooms.policies.inForce()
      const operations = [...apis.values()].flatMap((api) => [...api.operations.keys()])
      const names = { agents: [...agents.keys()].sort(), operations: operations.sort() }
      return ledgerPage({ asked: { ...filter, from, to }, below, found, names })
    },
  })

const show = (rooms: Rooms): Endpoint =>
  page(rooms, {
    path: `${LEDGER_PATH}/{place}`,
    summary: "One entry, its place in the tree and what proves it",
    who: ["auditor"],
    async run({ parameter }, visitor) {
      const place = parameter("place")
      if (!PLACE.test(place)) return refuse("not_found", "[place] no place of the ledger")
      const seq = Number(place)
      await recordReading(rooms, visitor.caller, { parameters: { place: seq } })
      const [resting] = await withBytes(rooms.engine, await rooms.engine.query(entryAt, { seq }))
      if (!resting) return refuse("not_found", "[place] no entry has this place")
      const newest = (await rooms.engine.query(newestPlace))[0]?.seq ?? 0
      return entryPage({
        entry: showEntry(resting),
        hashed: Buffer.from(resting.bytes).toString("utf8"),
        leaf: base64Of(leafHash(resting.bytes)),
        proof: await proofOf(rooms, seq),
        newest,
      })
    },
  })

/** A log may have begun behind entries of one that was left. */
async function proofOf({ sequence }: Rooms, seq: number): Promise<Proved | "later" | "before"> {
  const newest = await sequence.newest()
  if (!newest || seq > newest.place) return "later"
  const { size, place, note: checkpoint } = newest
  const index = seq - 1 - (place - size)
  if (index < 0) return "before"
  const path = await sequence.tree().inclusion(index, size)
  return { index, size, checkpoint, path: path.map(base64Of) }
}

const base64Of = (hash: Uint8Array): string => Buffer.from(hash).toString("base64")
