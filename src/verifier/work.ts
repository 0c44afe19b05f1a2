// What a verifier does beside requests: keys, revocations and the catalogue kept fresh, uses shipped, what it serves told, old
// proofs swept.
// It decides when; each part decides what.
import { setTimeout as sleep } from "node:timers/promises"
import { createBackoff, type Loop, repeat } from "../remote/backoff.ts"
import { toEpochSeconds } from "../time.ts"
import { createListener } from "./listener.ts"
import type { Rooms } from "./rooms.ts"
import { OUTCOME_WAIT_MILLISECONDS } from "./shipper.ts"

export interface Work {
  /** Resolves when every use recorded before the call is acknowledged. */
  flush(): Promise<void>
  /** Ships for at most five seconds more, says the last word, stops. */
  close(): Promise<void>
  /** What failed last, of what still fails. */
  faults(): string[]
  /** What no waiting heals. */
  fatal(): string[]
}

const KEYS_MILLISECONDS = 300_000
const FEED_MILLISECONDS = 1000
const CATALOGUE_MILLISECONDS = 60_000
const DECLARE_MILLISECONDS = 1000
const SHIP_MILLISECONDS = 300
const UNFOLD_MILLISECONDS = 1000
const SWEEP_MILLISECONDS = 30_000
const CLOSE_MILLISECONDS = 5000
/** How long a flush lets busy handlers finish before their uses go without an outcome. */
const FLUSH_WAIT_MILLISECONDS = 1000
const FLUSH_LOOK_MILLISECONDS = 10
/** What has run out is kept this much longer: the time floor that remains of it then lies well behind what still lives. */
const REVOCATION_GRACE_SECONDS = 3600
const PROOF_GRACE_SECONDS = 120

export function startWork(rooms: Rooms): Work {
  const { keys, revocations, catalogue, recorder, shipper, spool, memorySpool, clock } = rooms
  const failing = new Map<string, string>()
  let broken: string[] = []
  spool.broken.then((cause) => {
    broken = [`the spool can't be written until a restart: ${cause.message}`]
  })
  const loop = (name: string, work: () => Promise<void>, every: number, limit: number): Loop => {
    const watched = async () => {
      await work()
      failing.delete(name)
    }
    return repeat(watched, every, createBackoff(250, limit), (fault) =>
      failing.set(name, describe(name, fault)),
    )
  }
  const ending = new AbortController()
  const listen = createListener({
    revocations,
    clock,
    signal: ending.signal,
    told() {
      failing.delete("revocations")
      failing.delete("stream")
    },
    failed(fault) {
      if (fault === undefined) failing.delete("stream")
      else failing.set("stream", describe("revocations as a stream", fault))
    },
  })
  const ship = loop("uses", shipper.ship, SHIP_MILLISECONDS, 15_000)
  if (memorySpool) memorySpool.onWaiting = ship.wake
  const others = [
    loop("keys", keys.refresh, KEYS_MILLISECONDS, 30_000),
    loop("revocations", listen, FEED_MILLISECONDS, 5000),
    loop("catalogue", catalogue.refresh, CATALOGUE_MILLISECONDS, 30_000),
    loop("declaration", rooms.declaration.send, DECLARE_MILLISECONDS, 60_000),
    loop("folding", async () => recorder.unfold(), UNFOLD_MILLISECONDS, UNFOLD_MILLISECONDS),
    loop("sweeping", () => sweep(rooms), SWEEP_MILLISECONDS, SWEEP_MILLISECONDS),
  ]
  return {
    flush: () => flush(rooms, ship),
    async close() {
      ending.abort()
      const stopped = others.map((one) => one.stop())
      await within(CLOSE_MILLISECONDS, Promise.all([...stopped, lastWord(rooms, ship)]))
    },
    faults: () => [...failing.values()],
    fatal: () => broken,
  }
}

/** Forgets what has run out. By a clock that can't be believed nothing has. */
export async function sweep({
  revocations,
  spool,
  clock,
  issuerTime,
}: {
  readonly revocations: Pick<Rooms["revocations"], "forget">
  readonly spool: Pick<Rooms["spool"], "sweep">
} & Pick<Rooms, "clock" | "issuerTime">): Promise<void> {
  if (issuerTime.judge()) return
  const now = toEpochSeconds(clock.now())
  const floor = revocations.forget(now - REVOCATION_GRACE_SECONDS)
  await spool.sweep(now - PROOF_GRACE_SECONDS, now - REVOCATION_GRACE_SECONDS, floor)
}

async function flush({ recorder, shipper }: Rooms, ship: Loop): Promise<void> {
  recorder.unfold()
  await recorder.settled()
  const last = recorder.lastSeq()
  shipper.waitForOutcomes(FLUSH_WAIT_MILLISECONDS)
  ship.wake()
  while (!shipper.acknowledged(last)) await sleep(FLUSH_LOOK_MILLISECONDS)
  shipper.waitForOutcomes(OUTCOME_WAIT_MILLISECONDS)
}

async function lastWord({ recorder, shipper }: Rooms, ship: Loop): Promise<void> {
  recorder.unfold()
  shipper.waitForOutcomes(0)
  await recorder.settled() // with direct recording, by shipping
  await ship.stop()
  await shipper.finish()
}

/** What is not shipped by then is shipped after the next start: closing never fails for want of the issuer. */
async function within(milliseconds: number, work: Promise<unknown>): Promise<void> {
  const timer = new AbortController()
  const late = sleep(milliseconds, undefined, { signal: timer.signal })
  await Promise.race([work, late]).catch(() => undefined)
  timer.abort()
  await late.catch(() => undefined)
}

function describe(name: string, fault: unknown): string {
  return `${name}: ${fault instanceof Error ? fault.message : "failed"}`
}
