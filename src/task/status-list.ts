// What verifiers that are not ours are told of tokens: signed status lists. A status is written in the transaction that
// ends the token, so lists, introspection and the feed know the same. It decides how old an answer may be, which is also
// what bounds the work: anybody may ask, and nobody makes it sign more often than that.
//
// What a status covers: every revocation, of whatever kind, locks included, takeovers and the end of the task (`invalid`),
// and the pause of the task (`suspended`; the token does not come back when the task goes on, but turns `invalid`). What it
// does NOT cover: expiry, because a token that ran out says so itself, and its place turns valid a minute later; audience,
// operations, resources and possession, which the token says; and a change of policy, which ends no token. A list is as
// late as it is old.
import { Refusal } from "../errors.ts"
import { toEpochSeconds } from "../time.ts"
import { isStatusListId, statusListUri } from "../token/status.ts"
import { packStatuses, STATUS_TTL_SECONDS, signStatusList } from "../token/status-list.ts"
import { assembleParts, type Parts, type TaskOptions } from "./parts.ts"
import { RUN_OUT_GRACE_SECONDS } from "./status-places.ts"
import { statusListById, statusLists, toldPlaces } from "./status-statements.ts"

export interface ServedList {
  readonly jwt: string
  /** Whole seconds until another one is made, at least 1. */
  readonly freshForSeconds: number
}

export interface StatusLists {
  /**
   * The list of this id, at most STATUS_TTL_SECONDS old. Undefined: there is none. `clock_stepped` while no time can be
   * put on it. Throws Unavailable.
   */
  read(id: string): Promise<ServedList | Refusal | undefined>
  /** The URIs of all lists, in an order that means nothing. */
  uris(): Promise<readonly string[]>
}

interface Kept {
  readonly madeAt: number
  /** Of the key that signs it: a list signed by one that was revoked is not shown. */
  readonly kid: string
  readonly made: Promise<string | Refusal | undefined>
}

const TTL_MILLISECONDS = STATUS_TTL_SECONDS * 1000

export function createStatusLists(options: TaskOptions): StatusLists {
  const parts = assembleParts(options)
  const kept = new Map<string, Kept>()
  const drop = (id: string, one: Kept) => {
    if (kept.get(id) === one) kept.delete(id)
  }
  const make = (id: string, now: number): Kept => {
    const one: Kept = { madeAt: now, kid: parts.keyring.current().kid, made: makeList(parts, id) }
    kept.set(id, one)
    one.made.then(
      (made) => typeof made === "string" || drop(id, one),
      () => drop(id, one), // who asked is told
    )
    return one
  }
  const isFresh = ({ madeAt, kid }: Kept, now: number) =>
    now < madeAt + TTL_MILLISECONDS && kid === parts.keyring.current().kid
  return {
    async read(id) {
      if (!isStatusListId(id)) return undefined
      const now = parts.clock.monotonic()
      const known = kept.get(id)
      const { madeAt, made } = known && isFresh(known, now) ? known : make(id, now)
      const jwt = await made
      if (jwt === undefined || jwt instanceof Refusal) return jwt
      return { jwt, freshForSeconds: Math.max(1, Math.ceil((madeAt + TTL_MILLISECONDS - now) / 1000)) }
    },
    uris: async () =>
      (await parts.engine.query(statusLists)).map(({ id }) => statusListUri(parts.issuer, id)),
  }
}

async function makeList(parts: Parts, id: string): Promise<string | Refusal | undefined> {
  const unsteady = parts.steady()
  if (unsteady) return unsteady
  const [list] = await parts.engine.query(statusListById, { list: id })
  if (!list) return undefined
  const iat = toEpochSeconds(parts.ledger.at())
  const told = await parts.engine.query(toldPlaces, { list: id, since_seconds: iat - RUN_OUT_GRACE_SECONDS })
  const bytes = packStatuses(told)
  const uri = statusListUri(parts.issuer, id)
  return signStatusList({ issuer: parts.issuer, uri, iat, bytes }, parts.keyring.current())
}
