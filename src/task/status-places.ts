// Which place of which status list a new token gets: one at random that nobody has, so that places tell neither order nor
// number. It knows the held ones by heart, because a mint can't wait; the database's key is the verdict. It decides
// nothing about statuses.
import type { Engine, Step } from "../database/database.ts"
import { takeRandom } from "../token/random.ts"
import { LIST_PLACES, type StatusReference, statusListUri } from "../token/status.ts"
import { STATUS_LIST_SECONDS } from "../token/status-list.ts"
import { oneAtATime } from "../turn.ts"
import { heldPlaces, insertStatusList, statusLists, takePlace } from "./status-statements.ts"

/** Verifiers' clocks are not ours: to them a token may live a little longer. */
export const RUN_OUT_GRACE_SECONDS = 60
/** How long a place rests behind its token: no list that tells of the earlier one is then relied on any more. */
const REST_SECONDS = RUN_OUT_GRACE_SECONDS + STATUS_LIST_SECONDS
/** Places of a list that are held at most, so that one drawn at random is free at the second try. */
const MOST_HELD = LIST_PLACES / 2
const RECOUNT_SECONDS = 60

/** A token that gets a place. Times in epoch seconds. */
interface Taking {
  readonly jti: string
  readonly iat: number
  readonly exp: number
  readonly status: StatusReference
}

export interface StatusPlaces {
  /**
   * A free place for a token of this life, at random. It is not offered again until that life is over and the place has
   * rested, also where the mint then fails. Held in this process alone until the steps are committed.
   */
  draw(life: { readonly iat: number; readonly exp: number }): StatusReference
  /**
   * Writes a drawn place; belongs behind the token's own row, in the same transaction. Where another process was first,
   * the transaction is Unexpected: look, and draw again.
   */
  steps(token: Taking): Step[]
  /** Learns what other processes hold meanwhile: they may have filled what seems empty here. Throws Unavailable. */
  look(): Promise<void>
}

interface List {
  readonly id: string
  /** By place, the `exp` of the last token that it was drawn for. */
  readonly exps: Uint32Array
  /** At least as many as are held: what became free is found when it is counted. */
  held: number
  countedAt: number
}

/** Learns what is held from the database. Throws Unavailable. */
export async function openStatusPlaces(engine: Engine, issuer: string, now: number): Promise<StatusPlaces> {
  const lists = new Map<string, List>()
  let rested = now - REST_SECONDS
  const { now: look } = oneAtATime(async () => {
    for (const { id } of await engine.query(statusLists)) if (!lists.has(id)) lists.set(id, emptyList(id))
    for (const { list, idx, exp } of await engine.query(heldPlaces, { rested }))
      hold(lists.get(list), idx, exp)
  })
  await look()
  return {
    look,
    draw(life) {
      rested = life.iat - REST_SECONDS
      const list = listWithRoom(lists, life.iat)
      const idx = freePlace(list, life.iat)
      hold(list, idx, life.exp)
      return { idx, uri: statusListUri(issuer, list.id) }
    },
    steps({ jti, iat, exp, status: { idx, uri } }) {
      const list = uri.slice(statusListUri(issuer, "").length)
      const values = { list, idx, jti, exp, rested: iat - REST_SECONDS }
      return [
        { statement: insertStatusList, values: { list } },
        { statement: takePlace, values, rows: 1 },
      ]
    },
  }
}

const emptyList = (id: string): List => ({ id, exps: new Uint32Array(LIST_PLACES), held: 0, countedAt: 0 })

function hold(list: List | undefined, idx: number, exp: number): void {
  if (!list || exp <= (list.exps[idx] ?? 0)) return
  list.exps[idx] = exp
  list.held += 1
}

const isFree = (list: List, idx: number, now: number): boolean => (list.exps[idx] ?? 0) <= now - REST_SECONDS

function freePlace(list: List, now: number): number {
  for (;;) {
    const idx = takeRandom(2).readUInt16BE()
    if (isFree(list, idx, now)) return idx
  }
}

/** Any of those that have room, so that a further list doesn't tell which tokens are the latest. */
function listWithRoom(lists: Map<string, List>, now: number): List {
  const open = [...lists.values()].filter((list) => hasRoom(list, now))
  const chosen = open[Math.floor(Math.random() * open.length)]
  if (chosen) return chosen
  const list = emptyList(takeRandom(16).toString("base64url"))
  lists.set(list.id, list)
  return list
}

/** Places that became free are found by counting, at most once a minute and only when the list seems full. */
function hasRoom(list: List, now: number): boolean {
  if (list.held >= MOST_HELD && now >= list.countedAt + RECOUNT_SECONDS) {
    list.countedAt = now
    list.held = list.exps.reduce((held, exp) => (exp > now - REST_SECONDS ? held + 1 : held), 0)
  }
  return list.held < MOST_HELD
}
