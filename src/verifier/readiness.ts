// Whether a verifier can serve, and what an operator should know, in words. It decides which of what the rooms say keeps it from
// serving; nothing is asked of anybody.
import type { Rooms } from "./rooms.ts"
import type { LedgerFork } from "./witness.ts"
import type { Work } from "./work.ts"

export interface Readiness {
  readonly ready: boolean
  /** What is missing, and what failed last, in words for an operator; empty when all is well. */
  readonly reasons: readonly string[]
  /** Where the issuer's ledger was found to be another than it was: the proof. Nothing is served then. */
  readonly fork?: LedgerFork
}

/** Parts of the spool at which somebody should look why the issuer takes nothing, while there is time. */
const [HALF, MOST] = [0.5, 0.8]

export function readinessOf(rooms: Rooms, work: Work): Readiness {
  const { keys, revocations, catalogue, recorder, observer, issuerTime, witness } = rooms
  const fork = witness.fork()
  const clocks = issuerTime.complaints()
  const cannotTell = issuerTime.judge() !== undefined
  const reasons = [
    ...(keys.usable() ? [] : ["the issuer's keys are not known"]),
    ...(revocations.age() === undefined ? ["revocations were never fetched"] : []),
    ...(recorder.full() ? ["the spool is full"] : []),
    ...(cannotTell ? clocks : []),
    ...[witness.complaint()].filter((one) => one !== undefined),
    ...work.fatal(),
  ]
  const counted = [
    [recorder.dropped(), "refusals were not recorded for want of room in the spool"],
    [recorder.lost(), "uses were served and could not be recorded"],
  ] as const
  const losses = counted.flatMap(([count, what]) => (count === 0 ? [] : [`${count} ${what}`]))
  const observing = observer?.active() ? [observer.notice] : []
  const misnamed = [catalogue.complaint()].filter((one) => one !== undefined)
  const degraded = [...misnamed, ...(cannotTell ? [] : clocks), ...fillingUp(recorder.filled())]
  return {
    ready: reasons.length === 0,
    reasons: [...reasons, ...degraded, ...work.faults(), ...losses, ...observing],
    ...(fork && { fork }),
  }
}

/** Full is another thing: then nothing is served. */
function fillingUp(filled: number): string[] {
  if (filled < HALF || filled >= 1) return []
  return [`the spool is ${filled < MOST ? "half full" : "80 % full"}: uses wait until the issuer takes them`]
}
