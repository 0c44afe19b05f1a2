// How far has been looked, so that no row is looked at every time, and a process that starts goes on where the one before
// it stopped. Of refusals it keeps where the last minutes begin, for those that count together are never all in one look.
import type { Engine } from "../database/database.ts"
import { toEpochSeconds } from "../time.ts"
import { isJsonObject, parseJson } from "../token/json.ts"
import { REFUSED_WITHIN_MILLISECONDS } from "./refusals.ts"
import { newestNumbers, readPlace, savePlace } from "./statements.ts"

export interface Place {
  /** The last entry that was read. */
  seq(): number
  readTo(seq: number, now: number): void
  /** The last token row that was looked at when it was minted. */
  token(): number
  mintedTo(token: number): void
  /** Epoch seconds: tokens that ran out up to then were looked at. */
  exp(): number
  ranOutTo(exp: number): void
  /** The same of tasks whose agents should have collected their tokens by then. */
  collectBy(): number
  collectedTo(collectBy: number): void
  /** Keeps it for later; at most once a minute. Throws Unavailable. */
  save(now: number): Promise<void>
}

interface Kept {
  readonly seq: number
  readonly token: number
  readonly exp: number
  /** Absent where an older version kept it. */
  readonly collect?: number | undefined
}

/** Before anything was ever looked at: so far back, and not further. */
const FIRST_LOOK_SECONDS = 86_400
const FIRST_LOOK_ENTRIES = 10_000
const SAVED_EVERY_MILLISECONDS = 60_000

/** Throws Unavailable. */
export async function openPlace(engine: Engine, now: number): Promise<Place> {
  const [row] = await engine.query(readPlace)
  const [newest] = await engine.query(newestNumbers)
  const kept = row && readKept(row.value)
  const firstLook = toEpochSeconds(now) - FIRST_LOOK_SECONDS
  let {
    seq,
    token,
    exp,
    collect = firstLook,
  } = kept ?? {
    seq: Math.max(0, (newest?.seq ?? 0) - FIRST_LOOK_ENTRIES),
    token: Math.max(0, (newest?.token ?? 0) - FIRST_LOOK_ENTRIES),
    exp: firstLook,
    collect: firstLook,
  }
  // Where the reading stood at some times of the last minutes, the oldest first.
  let marks = [{ seq, at: now }]
  let savedAt = now
  return {
    seq: () => seq,
    readTo(place, at) {
      seq = place
      const isOld = (mark: { readonly at: number }) => mark.at <= at - REFUSED_WITHIN_MILLISECONDS
      marks = [
        ...marks.filter((mark, index) => !isOld(mark) || !isOld(marks[index + 1] ?? { at })),
        { seq, at },
      ]
    },
    token: () => token,
    mintedTo: (place) => {
      token = place
    },
    exp: () => exp,
    ranOutTo: (place) => {
      exp = place
    },
    collectBy: () => collect,
    collectedTo: (place) => {
      collect = place
    },
    async save(at) {
      if (at - savedAt < SAVED_EVERY_MILLISECONDS) return
      savedAt = at
      const value: Kept = { seq: marks[0]?.seq ?? seq, token, exp, collect }
      await engine.atomically([{ statement: savePlace, values: { value: JSON.stringify(value) } }])
    },
  }
}

function readKept(text: string): Kept {
  const value = parseJson(text)
  if (isJsonObject(value)) {
    const { seq, token, exp, collect } = value
    if (typeof seq === "number" && typeof token === "number" && typeof exp === "number")
      return { seq, token, exp, collect: typeof collect === "number" ? collect : undefined }
  }
  throw new Error("The setting of where silence was looked for can't be read")
}
