// The filters of entries as they stand in a query: how each is spelled, and what of them is written down about a reading.
// What they mean is the ledger's to say; a filter that is not one is refused, because a misspelled one would answer too much.
import { z } from "@hono/zod-openapi"
import { KINDS } from "../ledger/event.ts"
import type { EntryFilter } from "../ledger/search.ts"
import { parseInstant } from "../time.ts"

export const filterText = z.string().min(1, "1 to 512 characters").max(512, "1 to 512 characters").optional()

export const filterInstant = z
  .string()
  .refine((value) => parseInstant(value) !== undefined, "an RFC 3339 time")
  .optional()

export const filterLimit = z
  .string()
  .regex(/^([1-9]\d{0,2}|1000)$/, "1 to 1,000")
  .transform(Number)
  .optional()

export const FILTERS = {
  task: filterText,
  reference: filterText,
  jti: filterText,
  agent: filterText,
  instance: filterText,
  orchestrator: filterText,
  sub: filterText,
  api: filterText,
  operation: filterText,
  resource: filterText,
  kind: z.enum(KINDS).optional(),
  outcome: z.enum(["allowed", "refused"]).optional(),
  from: filterInstant,
  to: filterInstant,
}

/** Those that were given, for the entry that tells of the reading. */
export const givenIn = (query: Readonly<Record<string, string | number | undefined>>) =>
  Object.fromEntries(
    Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
  )

export const between = (
  from: string | undefined,
  to: string | undefined,
): Pick<EntryFilter, "from" | "to"> => ({
  from: from === undefined ? undefined : parseInstant(from),
  to: to === undefined ? undefined : parseInstant(to),
})
