// Work of which one turn at a time is enough for all who want it done: looking at what was committed, for one. And work that one
// of several processes does for all of them, without asking each other.

export interface Turns {
  /** Resolves when a turn that began after this call is over; all who ask meanwhile share it. Rejects as that turn does. */
  now(): Promise<void>
  /** Resolves when no turn is under way and none was asked for; never rejects. */
  settled(): Promise<void>
}

export function oneAtATime(work: () => Promise<void>): Turns {
  let running: Promise<void> | undefined
  let waiting: Promise<void> | undefined
  const start = (): Promise<void> => {
    running = work().finally(() => {
      running = undefined
    })
    return running
  }
  return {
    now() {
      if (!running) return start()
      waiting ??= running
        .catch(() => undefined) // told to those who asked for that turn
        .then(() => {
          waiting = undefined
          return start()
        })
      return waiting
    },
    async settled() {
      while (running || waiting) await (waiting ?? running)?.catch(() => undefined)
    },
  }
}

/** What is done in the order of places, up to the newest there is. */
export interface Shared {
  /**
   * Whether this process ought to do it now: always, until another was first. From then on only what nobody has done so many
   * looks later, since whoever did it may be gone. To be asked at each look.
   */
  isOurs(done: number, newest: number): boolean
  /** Another process was first. */
  taken(): void
}

/** `patience`: looks. Two at once cost more than to wait: whoever is too late has its whole transaction done again. */
export function createShared(patience: number): Shared {
  let isAnothers = false
  let wanted = 0
  let waited = 0
  return {
    isOurs(done, newest) {
      if (!isAnothers) return true
      if (done >= wanted) {
        wanted = newest
        waited = 0
        return false
      }
      waited += 1
      isAnothers = waited < patience
      return !isAnothers
    },
    taken() {
      isAnothers = true
      wanted = 0
      waited = 0
    },
  }
}
