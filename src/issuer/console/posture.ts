// The page of posture. What it shows was read within the last minute and a half, else it is read anew; src/console/ shows.
import type { Finding, KeyAge, PostureReport } from "../../audit/posture/report.ts"
import { posturePage, type ShownFinding } from "../../console/posture-page.ts"
import { spanOf } from "../../console/values.ts"
import { toInstant } from "../../time.ts"
import type { Endpoint } from "../endpoint.ts"
import { servedBy } from "../posture.ts"
import { FRESH_MILLISECONDS } from "../posture-watch.ts"
import { recordReading } from "../reading.ts"
import type { Rooms } from "../rooms.ts"
import { page } from "./route.ts"

export const posturePages = (rooms: Rooms): Endpoint[] => [
  page(rooms, {
    path: "/console/posture",
    summary: "How the installation stands",
    who: ["auditor", "operator"],
    async run(_call, visitor) {
      await recordReading(rooms, visitor.caller, { report: "posture" })
      const now = rooms.ledger.at()
      const { at, findings, tasks, tokens, keys } = await reportOf(rooms, now)
      return posturePage({
        ...{ now, tasks, tokens },
        at: toInstant(at),
        findings: findings.map(shownFinding),
        keys: keys.map((key) => ({ ...key, createdAt: toInstant(key.createdAt), waits: waitsOf(key, now) })),
        apis: await servedBy(rooms),
      })
    },
  }),
]

async function reportOf({ posture, policies }: Rooms, now: number): Promise<PostureReport> {
  const newest = posture.newest()
  const isFresh =
    newest && now - newest.at < FRESH_MILLISECONDS && newest.policy === policies.inForce().digest
  return isFresh ? newest : posture.read()
}

const shownFinding = ({ place, ...finding }: Finding): ShownFinding => ({
  ...finding,
  ...(place && { line: `${place.file}:${place.line}` }),
})

const WAITS = {
  publication: "readers to know it",
  first_use: "its first use",
  last_token: "what it signed to run out",
} as const

function waitsOf({ waitsFor }: KeyAge, now: number): string | undefined {
  if (!waitsFor) return undefined
  const { what, until = now } = waitsFor
  return until > now ? `${WAITS[what]}, another ${spanOf(until - now)}` : WAITS[what]
}
