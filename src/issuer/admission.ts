// Whose request runs now, whose waits and whose is refused, when more is asked than can be answered at once. Callers take
// turns, so that a flood of one costs that one alone; what agents wait for goes before reports. It decides by counting; what
// a request asks is its endpoint's.
import { type Refusal, refuse } from "../errors.ts"
import type { Clock } from "../time.ts"

/** `first`: mints, endings, revocations. `later`: what nobody waits for, or what takes long. */
export type Lane = "first" | "later"

export interface Admission {
  /**
   * Runs the work when it is the caller's turn. `too_many_requests` when there is no room and nobody has more waiting than
   * this caller; `temporarily_unavailable` when its turn did not come in time. Then the work never ran.
   */
  pass<T>(caller: string, lane: Lane, work: () => Promise<T>): Promise<T | Refusal>
  /** How many run, and how many wait for it. */
  count(): Readonly<Record<Lane, { readonly running: number; readonly waiting: number }>>
}

export interface AdmissionLimits {
  /** At once, of both lanes together. */
  readonly running: number
  /** Of these, how many `later` may have; and how many it has even while others wait. */
  readonly later: number
  readonly reserved: number
  readonly waiting: Readonly<Record<Lane, number>>
  readonly waitMilliseconds: number
}

/** Enough to share an fsync; a batch of uses can take the writer for 8 ms, and hold 1 MiB. */
const LIMITS: AdmissionLimits = {
  running: 256,
  later: 16,
  reserved: 4,
  waiting: { first: 2048, later: 128 },
  waitMilliseconds: 4000,
}

interface Waiting {
  readonly since: number
  readonly start: () => void
  readonly refuse: (refusal: Refusal) => void
}

/** Seconds after which to come back: different for each, so that those who were refused together don't return together. */
export const retryAfterSeconds = (): number => 1 + Math.floor(Math.random() * 4)

export function createAdmission(clock: Clock, limits: AdmissionLimits = LIMITS): Admission {
  const lanes = { first: new Queue(), later: new Queue() }
  const running = { first: 0, later: 0 }
  let timer: NodeJS.Timeout | undefined

  const hasRoom = (lane: Lane): boolean => {
    if (lane === "first") return running.first < limits.running - Math.max(limits.reserved, running.later)
    return running.later < limits.later && running.first + running.later < limits.running
  }
  const startNext = () => {
    for (const lane of ["first", "later"] as const)
      while (lanes[lane].size > 0 && hasRoom(lane)) lanes[lane].next()?.start()
  }
  const run = async <T>(lane: Lane, work: () => Promise<T>): Promise<T> => {
    running[lane] += 1
    try {
      return await work()
    } finally {
      running[lane] -= 1
      startNext()
    }
  }
  const endWaits = () => {
    timer = undefined
    const before = clock.monotonic() - limits.waitMilliseconds
    for (const lane of Object.values(lanes)) for (const late of lane.takeOlder(before)) late.refuse(tooLate())
    watchWaits()
  }
  const watchWaits = () => {
    if (lanes.first.size + lanes.later.size > 0) timer ??= setTimeout(endWaits, limits.waitMilliseconds / 8)
    timer?.unref()
  }

  return {
    pass(caller, lane, work) {
      const queue = lanes[lane]
      // Nobody is overtaken: room that comes free is given to whoever waits before anything else happens.
      if (hasRoom(lane)) return run(lane, work)
      if (queue.size >= limits.waiting[lane]) {
        const most = queue.longest()
        if (most === undefined || queue.waitingOf(caller) >= queue.waitingOf(most))
          return Promise.resolve(tooMany())
        queue.takeNewest(most)?.refuse(tooMany())
      }
      return new Promise((resolve, reject) => {
        const start = () => void run(lane, work).then(resolve, reject)
        queue.add(caller, { since: clock.monotonic(), start, refuse: resolve })
        watchWaits()
      })
    },
    count: () => ({
      first: { running: running.first, waiting: lanes.first.size },
      later: { running: running.later, waiting: lanes.later.size },
    }),
  }
}

const tooMany = (): Refusal =>
  refuse("too_many_requests", "[share] no room, and this caller has the most waiting", {
    retryAfterSeconds: retryAfterSeconds(),
  })

const tooLate = (): Refusal =>
  refuse("temporarily_unavailable", "[overload] its turn did not come in time", {
    retryAfterSeconds: retryAfterSeconds(),
  })

/** Callers take turns; each one's own requests stay in their order. */
class Queue {
  readonly #byCaller = new Map<string, Waiting[]>()
  #size = 0

  get size(): number {
    return this.#size
  }

  waitingOf(caller: string): number {
    return this.#byCaller.get(caller)?.length ?? 0
  }

  add(caller: string, one: Waiting): void {
    const own = this.#byCaller.get(caller)
    if (own) own.push(one)
    else this.#byCaller.set(caller, [one])
    this.#size += 1
  }

  /** The oldest of the caller whose turn it is, who then goes to the end of the line. */
  next(): Waiting | undefined {
    for (const [caller, own] of this.#byCaller) {
      const one = own.shift()
      this.#byCaller.delete(caller)
      if (own.length > 0) this.#byCaller.set(caller, own)
      if (one) this.#size -= 1
      return one
    }
    return undefined
  }

  longest(): string | undefined {
    let most: string | undefined
    for (const caller of this.#byCaller.keys())
      if (most === undefined || this.waitingOf(caller) > this.waitingOf(most)) most = caller
    return most
  }

  takeNewest(caller: string): Waiting | undefined {
    const own = this.#byCaller.get(caller)
    const one = own?.pop()
    if (own?.length === 0) this.#byCaller.delete(caller)
    if (one) this.#size -= 1
    return one
  }

  takeOlder(than: number): Waiting[] {
    const taken: Waiting[] = []
    for (const [caller, own] of this.#byCaller) {
      while (own[0] && own[0].since <= than) taken.push(...own.splice(0, 1))
      if (own.length === 0) this.#byCaller.delete(caller)
    }
    this.#size -= taken.length
    return taken
  }
}
