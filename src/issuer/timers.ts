// What the issuer does without being asked: tasks that ran out, locks whose time is over, signing keys whose turn it is,
// entries to be signed, counted and archived, silence looked for, tasks closed, webhooks told, counts summed up, posture read,
// old rows forgotten. It decides when, and that nothing is over by a clock that was set; a fault is told and the next round
// tries again.
import type { Rollups } from "../audit/rollup.ts"
import type { Engine } from "../database/database.ts"
import type { Rotation } from "../keys/rotation.ts"
import type { Sequence } from "../ledger/sequence.ts"
import type { Approvals } from "../task/approvals.ts"
import { type Archives, retain } from "../task/archive.ts"
import type { Revocations } from "../task/revocation.ts"
import type { Tasks } from "../task/task.ts"
import type { Clock } from "../time.ts"
import type { Closings } from "./closing.ts"
import type { Sessions } from "./console/sessions.ts"
import type { Deliveries } from "./delivery.ts"
import type { Failures } from "./failures.ts"
import type { PostureWatch } from "./posture-watch.ts"
import { forgetSpent } from "./replay.ts"
import { pruneClientHours } from "./statements.ts"
import type { Watch } from "./watch.ts"

export interface ChoresOptions {
  readonly engine: Engine
  readonly clock: Clock
  readonly rotation: Rotation
  readonly sequence: Sequence
  readonly tasks: Tasks
  readonly approvals: Approvals
  readonly revocations: Revocations
  readonly failures: Failures
  readonly watch: Watch
  readonly closings: Closings
  readonly rollups: Rollups
  readonly posture: PostureWatch
  readonly deliveries: Deliveries
  readonly archives: Archives
  /** How old entries get before they are archived; undefined: none is. */
  readonly retentionSeconds: number | undefined
  readonly sessions: Sessions
  readonly onFault: (error: unknown) => void
}

export interface Chores {
  /** Does everything now, whatever its turn, each after the round of it that is under way. */
  all(): Promise<void>
  /** Stops the timers and waits for what is under way. */
  stop(): Promise<void>
}

const HOUR_MILLISECONDS = 3_600_000
const KEPT_HOURS = 48
/** Of what a new policy covers no more verifiers are told within a second. */
const REVIEW_MILLISECONDS = 250
/** What was committed is in the tree and signed within a quarter of a second, also where nobody waits for it. */
const SEQUENCE_MILLISECONDS = 200

/** Starts the timers. They keep no process alive. */
export function startChores(options: ChoresOptions): Chores {
  const chores = worksOf(options).map(([milliseconds, work, onTimer]) =>
    repeat({ milliseconds, work, onTimer }, options.onFault),
  )
  return {
    async all() {
      for (const { now } of chores) await now()
    },
    async stop() {
      await Promise.all(chores.map(({ stop }) => stop()))
    },
  }
}

/** `onTimer`: instead of the work itself, where one issuer of several is enough. */
type Work = readonly [
  everyMilliseconds: number,
  work: () => Promise<void>,
  onTimer?: (() => Promise<void>) | undefined,
]

/** Everything that is done, in the order in which one round of all does it. */
function worksOf(options: ChoresOptions): readonly Work[] {
  const { rotation, sequence, tasks, failures, watch, closings, rollups, posture, deliveries } = options
  // By a clock an hour ahead, locks would lift, tasks and keys would end, silence would be told of, and what was spent could
  // be spent again.
  const whileSteady = (work: () => Promise<void>) => async () => {
    if (tasks.unsteady() === undefined) await work()
  }
  return [
    [REVIEW_MILLISECONDS, whileSteady(tasks.review)],
    [1000, whileSteady(() => expire(options))],
    [1000, whileSteady(rotation.tick)],
    [SEQUENCE_MILLISECONDS, sequence.advance, sequence.tend],
    // Before it is looked at: what is unusual is found in what was counted.
    [5000, rollups.advance, rollups.tend],
    [5000, whileSteady(watch.look)],
    [5000, whileSteady(closings.look)],
    // After what writes them, so that one round of everything tells them, too.
    ...deliveries.looks.map((look): Work => [1000, whileSteady(look)]),
    [5000, whileSteady(deliveries.tend)],
    [10_000, whileSteady(() => archive(options))],
    [60_000, whileSteady(posture.look)],
    [60_000, failures.sum],
    [60_000, whileSteady(() => forget(options))],
  ]
}

async function expire({ tasks, approvals, revocations }: ChoresOptions): Promise<void> {
  await tasks.sweep()
  await approvals.sweep()
  await revocations.sweep()
}

async function archive({ archives, clock, retentionSeconds }: ChoresOptions): Promise<void> {
  if (retentionSeconds !== undefined) await retain(archives, clock.now() - retentionSeconds * 1000)
}

async function forget({ engine, clock, sequence, sessions }: ChoresOptions): Promise<void> {
  await forgetSpent(engine, clock)
  const hour = Math.floor(clock.now() / HOUR_MILLISECONDS) - KEPT_HOURS
  await engine.atomically([{ statement: pruneClientHours, values: { hour } }])
  await sequence.prune()
  await sessions.prune()
}

/** Never two rounds at once: on its timer a slow one skips those that it overlaps, and who asks for one waits. */
function repeat(
  {
    milliseconds,
    work,
    onTimer = work,
  }: {
    readonly milliseconds: number
    readonly work: () => Promise<void>
    readonly onTimer: Work[2]
  },
  onFault: (error: unknown) => void,
) {
  let underWay: Promise<unknown> | undefined
  const begin = (does: () => Promise<void>): Promise<void> => {
    const round = does()
    const ended = () => {
      underWay = undefined
    }
    underWay = round.then(ended, ended)
    return round
  }
  const timer = setInterval(() => {
    if (!underWay) begin(onTimer).catch(onFault)
  }, milliseconds)
  timer.unref()
  return {
    async now(): Promise<void> {
      while (underWay) await underWay
      await begin(work)
    },
    async stop(): Promise<void> {
      clearInterval(timer)
      await underWay
    },
  }
}
