// The tokens of a session, kept fresh: when each is renewed, by one request at a time, and what follows when that fails. It
// decides nothing about rights, and not what is done with a token.
import { type Backoff, createBackoff } from "../remote/backoff.ts"
import { ClientError } from "./error.ts"
import type { TaskTokenHeld } from "./held-token.ts"
import type { Surroundings } from "./surroundings.ts"

/** Fresh tokens: of the API asked for at least, or of others of the task besides. Throws ClientError. */
export type Renew = (resource: string) => Promise<readonly TaskTokenHeld[]>

export interface Keeper {
  readonly tokens: readonly TaskTokenHeld[]
  readonly renews: boolean
  /**
   * The token of this API: the held one while it lives, even when renewing it fails; after that a renewed one, which is
   * waited for until `giveUpAt`. Throws ClientError.
   */
  fresh(resource: string, giveUpAt: number, signal?: AbortSignal | null): Promise<TaskTokenHeld>
  /** A later token than this one, for an API that would not have it. Throws what the renewal threw. */
  replace(held: TaskTokenHeld): Promise<void>
  /** Takes tokens that somebody else renewed. */
  take(tokens: readonly TaskTokenHeld[]): void
  /** Throws what ended the session, if anything did. */
  check(): void
  close(): Promise<void>
}

/** One API's token and its renewal. */
interface Place {
  held: TaskTokenHeld
  pending: Promise<void> | undefined
  callOff: () => void
  readonly backoff: Backoff
  /** After a failure: not before then. */
  restUntil: number
  failure: ClientError | undefined
}

/** A token that ends while its request is on its way is of no use. */
const TRAVEL_MILLISECONDS = 2000
const LEAST_GAIN_MILLISECONDS = 1000
const FIRST_PAUSE_MILLISECONDS = 1000
const LONGEST_PAUSE_MILLISECONDS = 30_000
const LONGEST_TIMER_MILLISECONDS = 3_600_000
/** The issuer's words for a task that does not come back. */
const ENDED = new Set(["task_ended", "token_revoked"])

interface Places {
  readonly all: ReadonlyMap<string, Place>
  take(tokens: readonly TaskTokenHeld[]): void
  /** One renewal at a time of each place; all who ask meanwhile share it. */
  renewed(place: Place): Promise<void>
  end(reason: ClientError): void
  check(): void
}

function createPlaces(
  renew: Renew | undefined,
  around: Surroundings,
  changed: (() => void) | undefined,
): Places {
  const { clock } = around
  const all = new Map<string, Place>()
  let ended: ClientError | undefined
  const schedule = (place: Place, at: number) => {
    place.callOff()
    if (!renew || ended) return
    const wait = Math.min(Math.max(at - clock.now(), 0), LONGEST_TIMER_MILLISECONDS)
    place.callOff = around.later(() => {
      if (clock.now() < at) schedule(place, at)
      else renewed(place).catch(() => undefined) // told to whoever needs the token; the next try has its timer
    }, wait)
  }
  const take = (fresh: readonly TaskTokenHeld[]) => {
    for (const held of fresh) {
      const place = all.get(held.resource) ?? emptyPlace(held, around)
      const gain = held === place.held ? Number.POSITIVE_INFINITY : held.expiresAt - place.held.expiresAt
      Object.assign(place, { held, restUntil: 0, failure: undefined })
      place.backoff.reset()
      all.set(held.resource, place)
      if (gain >= LEAST_GAIN_MILLISECONDS) schedule(place, held.renewAt)
      else place.callOff() // the deadline is near: nothing more is to be had
    }
    changed?.()
  }
  const end = (reason: ClientError) => {
    ended ??= reason
    for (const place of all.values()) place.callOff()
  }
  const attempt = async (place: Place): Promise<void> => {
    const { held } = place
    try {
      take((await renew?.(held.resource)) ?? [])
      if (place.held === held) throw nothingCame(held)
    } catch (error) {
      if (!(error instanceof ClientError)) throw error
      place.failure = error
      if (ENDED.has(error.code)) end(error)
      place.restUntil = clock.now() + restAfter(error, place.backoff)
      if (Number.isFinite(place.restUntil)) schedule(place, place.restUntil)
      throw error
    }
  }
  const renewed = (place: Place): Promise<void> => {
    place.pending ??= attempt(place).finally(() => {
      place.pending = undefined
    })
    return place.pending
  }
  const check = () => {
    if (ended) throw ended
  }
  return { all, take, renewed, end, check }
}

/** Without `renew` tokens are used as they are. The first timers are set at once; `close` calls them off. */
export function createKeeper(
  tokens: readonly TaskTokenHeld[],
  renew: Renew | undefined,
  around: Surroundings,
  changed?: () => void,
): Keeper {
  const { clock } = around
  const places = createPlaces(renew, around, changed)
  const placeOf = (resource: string): Place => {
    const place = places.all.get(resource)
    if (!place) throw new TypeError("There is no token for this API")
    return place
  }
  places.take(tokens)
  return {
    get tokens() {
      return [...places.all.values()].map((place) => place.held)
    },
    renews: renew !== undefined,
    check: places.check,
    take: places.take,
    async fresh(resource, giveUpAt, signal) {
      const place = placeOf(resource)
      for (;;) {
        places.check()
        const now = clock.now()
        if (!renew || now < place.held.expiresAt - TRAVEL_MILLISECONDS) return place.held
        const rest = place.restUntil - now
        if (place.failure && now + rest > giveUpAt) throw place.failure
        const { held } = place
        if (rest > 0) await around.sleep(rest, signal)
        else await places.renewed(place).catch(unlessToWait)
        if (place.held !== held) return place.held
      }
    },
    async replace(held) {
      const place = placeOf(held.resource)
      if (place.held !== held || !renew) return
      if (place.failure && clock.now() < place.restUntil) throw place.failure
      await places.renewed(place)
    },
    async close() {
      places.end(new ClientError("The session was closed", { code: "session_closed", next: "stop" }))
      await Promise.allSettled([...places.all.values()].map((place) => place.pending))
    },
  }
}

const nothingCame = ({ resource }: TaskTokenHeld) =>
  new ClientError(`The renewal brought no token for ${resource}`, { code: "answer_invalid", next: "wait" })

const emptyPlace = (held: TaskTokenHeld, around: Surroundings): Place => ({
  held,
  pending: undefined,
  callOff: () => undefined,
  backoff: createBackoff(FIRST_PAUSE_MILLISECONDS, LONGEST_PAUSE_MILLISECONDS, () => around.random()),
  restUntil: 0,
  failure: undefined,
})

/** What only time can help is asked again, never earlier than the issuer says; the rest never. */
function restAfter(error: ClientError, backoff: Backoff): number {
  if (error.next !== "wait") return Number.POSITIVE_INFINITY
  const pause = backoff.next()
  const named = (error.retryAfterSeconds ?? 0) * 1000
  return named + pause
}

function unlessToWait(error: unknown): void {
  if (!(error instanceof ClientError) || error.next !== "wait") throw error
}
