// Entries appended in groups of a hundred while the tree takes them in and signs as the issuer's timer has it, beside the same
// without a tree; each round on databases of its own.
import { createNames } from "../src/database/names.ts"
import { openDatabase } from "../src/database/open.ts"
import type { Event } from "../src/ledger/event.ts"
import { createLedger } from "../src/ledger/ledger.ts"
import { beginLog, createSequence } from "../src/ledger/sequence.ts"
import { systemClock } from "../src/time.ts"
import { signerOf } from "../test/support/served-log.ts"
import type { NewPlace } from "./ledger.ts"
import { median } from "./machine.ts"
import { perSecond, printMeasures, type Settings } from "./table.ts"

const GROUP = 100
const AT_LEAST = 0.8
/** As issuer/timers.ts has it. */
const SIGNED_EVERY_MILLISECONDS = 1000
const ORIGIN = "bench.internal"

export async function benchAppending(
  engine: string,
  settings: Settings,
  newPlace: NewPlace,
): Promise<boolean> {
  const rates = { without: [] as number[], with: [] as number[] }
  for (let round = 0; round < settings.rounds; round++)
    for (const tree of ["without", "with"] as const)
      rates[tree].push(await append(await newPlace(`${tree}_${round}`), tree === "with", settings.seconds))
  const [without, withTree] = [median(rates.without), median(rates.with)]
  return printMeasures(
    `${engine}, entries appended by ${GROUP}, ${settings.rounds} rounds of ${settings.seconds} s`,
    [
      { what: "without a tree", figure: perSecond(without) },
      {
        what: "with tree and checkpoints",
        figure: perSecond(withTree),
        ratio: withTree / without,
        against: "of that",
        atLeast: AT_LEAST,
      },
    ],
  )
}

/** Entries a second. With a tree the last checkpoint, which holds them all, counts into the time. */
async function append(place: string, withTree: boolean, seconds: number): Promise<number> {
  const engine = await openDatabase(place)
  try {
    const ledger = await createLedger({ engine, names: createNames(engine), clock: systemClock })
    const signers = [signerOf(ORIGIN)]
    const signing = async () => ({ signers, steps: [] })
    const origin = await beginLog(engine, ORIGIN)
    const sequence = createSequence({ engine, clock: systemClock, origin, signing })
    await sequence.look()
    await ledger.append(eventsAt(ledger.at())) // names and statements are there from now on
    const began = performance.now()
    let [entries, signedAt] = [0, began]
    let signed: Promise<void> = Promise.resolve()
    while (performance.now() - began < seconds * 1000) {
      await ledger.append(eventsAt(ledger.at()))
      entries += GROUP
      if (!withTree || performance.now() - signedAt < SIGNED_EVERY_MILLISECONDS) continue
      signedAt = performance.now()
      signed = signed.then(() => sequence.advance())
    }
    await signed
    if (withTree) await sequence.advance()
    const rate = (entries * 1000) / (performance.now() - began)
    const size = (await sequence.newest())?.size ?? 0
    if (size !== (withTree ? entries + GROUP : 0)) throw new Error(`${size} entries were signed`)
    return rate
  } finally {
    await engine.close()
  }
}

const eventsAt = (at: number): Event[] =>
  Array.from({ length: GROUP }, (_each, n) => ({
    kind: "use.allowed",
    at,
    agent: "triage-bot",
    instance: "pod-7f3c",
    orchestrator: "support-orchestrator",
    api: "tickets",
    operation: "tickets:read",
    resource: `tickets/SUP-${n}`,
    outcome: "allowed",
    body: { method: "GET", route: "/tickets/:id", status: 200, duration_ms: 12 },
  }))
