// The report of posture, read anew every minute, so that metrics and the console's page cost nothing: it decides how old what
// they show may be. Who asks for the report itself gets one that was read for them.
import { type PostureReport, type PostureSources, readPosture } from "../audit/posture/report.ts"
import type { Ledger } from "../ledger/ledger.ts"
import { createDeclarations } from "../task/declarations.ts"

export interface PostureWatch {
  /** Throws Unavailable. */
  read(): Promise<PostureReport>
  /** Every minute is meant. Throws Unavailable; what was read before stays. */
  look(): Promise<void>
  /** As of the last look; undefined: there was none. */
  newest(): PostureReport | undefined
  /** The same; before the first look, it is read. Throws Unavailable. */
  latest(): Promise<PostureReport>
}

/** A page may show what is so old. */
export const FRESH_MILLISECONDS = 90_000

export function createPostureWatch(
  rooms: Omit<PostureSources, "now" | "served"> & { readonly ledger: Ledger },
): PostureWatch {
  const declarations = createDeclarations(rooms)
  let newest: PostureReport | undefined
  const read = async () => {
    const served = new Map((await declarations.list()).map((one) => [one.api, one]))
    return readPosture({ ...rooms, now: rooms.ledger.at(), served })
  }
  let first: Promise<PostureReport> | undefined
  return {
    read,
    async look() {
      newest = await read()
    },
    newest: () => newest,
    async latest() {
      if (newest) return newest
      first ??= read().finally(() => {
        first = undefined
      })
      newest = await first
      return newest
    },
  }
}
