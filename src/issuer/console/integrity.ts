// The page of integrity. It reads what this issuer knows of its own ledger and of those who report; what that is worth, and
// how to find out without it, the page says.
import { z } from "@hono/zod-openapi"
import { INTEGRITY_PATH, integrityPage } from "../../console/integrity-page.ts"
import { findBack } from "../../ledger/search-back.ts"
import { newestPlace } from "../../ledger/statements.ts"
import type { Endpoint } from "../endpoint.ts"
import { recordReading } from "../reading.ts"
import type { Rooms } from "../rooms.ts"
import { page } from "./route.ts"

const LIMIT = 25
const MOST_ALARMS = 10
const LOOKED = 50_000

const Query = z.strictObject({
  shows: z.enum(["incomplete", "all"]).default("incomplete"),
  before: z
    .string()
    .regex(/^[1-9]\d{0,14}$/, "as an earlier page led on")
    .transform(Number)
    .optional(),
})

export const integrityPages = (rooms: Rooms): Endpoint[] => [
  page(rooms, {
    path: INTEGRITY_PATH,
    summary: "The newest checkpoint, whether the ledger goes on, and who does not report",
    who: ["auditor", "operator"],
    query: Query,
    async run({ query: { shows, before } }, visitor) {
      const { engine, sequence, ledgerKeys, verifiers, issuer, ledger } = rooms
      await recordReading(rooms, visitor.caller, { report: "completeness" })
      const signed = await sequence.newest()
      const newest = (await engine.query(newestPlace))[0]?.seq ?? 0
      const incomplete = shows === "incomplete"
      return integrityPage({
        issuer,
        origin: sequence.origin,
        checkpoint: signed && { ...signed, root: signed.note.split("\n")[2] ?? "" },
        unsigned: newest - (signed?.place ?? 0),
        keys: await ledgerKeys.verifiers(),
        stopped: sequence.stopped(),
        broken: await findBroken(rooms),
        verifiers: await verifiers.page({ before, limit: LIMIT, incomplete }),
        shows,
        before,
        now: ledger.at(),
        audits: visitor.caller.scopes.has("auditor"),
      })
    },
  }),
]

/** Verifiers tell of them. As long as one of them stands the log does, too: those of long ago are in the ledger. */
async function findBroken({ engine }: Rooms) {
  const broken = { kind: "alarm.raised", code: "ledger_broken" } as const
  return (await findBack(engine, broken, { limit: MOST_ALARMS, looked: LOOKED })).entries
}
