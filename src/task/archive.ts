// Archiving: full tiles of entries older than a time go into compressed bundles, some tiles in one transaction, and an entry
// of the same transaction says which and by whose word. It decides how far that may go: never past what is signed, a task that
// runs, or a closing statement that is owed. How a tile is packed is the ledger's (ledger/archive.ts).
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import { archiveFrom, newestOfTile, type PackedTile, type Place, packTile } from "../ledger/archive.ts"
import { TILE_WIDTH, TreeBroken } from "../ledger/tree.ts"
import { toInstant } from "../time.ts"
import { openBetween } from "./archive-statements.ts"
import { type Attempt, commitDecision, type Settled } from "./commit.ts"
import { assembleParts, type Parts, type TaskOptions } from "./parts.ts"

/** By whose word: it stays in the ledger. */
export interface Archiving {
  /** The person or caller, or `retention`. */
  readonly by: string
  /** The name of staff in the policy. */
  readonly as?: string | undefined
  /** Epoch milliseconds: entries older than that. */
  readonly before: number
}

/**
 * Why it goes no further: the next tile has an entry that is younger, is not full or not signed yet, or tells of a task that
 * runs or whose statement is owed.
 */
export type End = "younger" | "unsigned" | "open"

export interface Archived {
  /** How many, now; those of the places `from` to `to`. */
  readonly entries: number
  readonly from?: number
  readonly to?: number
  /** Bytes that they took, and take. */
  readonly rows: number
  readonly bundles: number
  /** Absent: there is more to do. */
  readonly end?: End
  /** Of `open`: which task. */
  readonly task?: string
}

export interface Archives {
  /**
   * Archives what may go, at most 4,096 entries; the same again does the next. `invalid_request` where the time has not come,
   * `ledger_broken` where the log was stopped or the entries are not those that were signed. Throws Unavailable.
   */
  next(archiving: Archiving): Promise<Archived | Refusal>
}

/** Some MiB and a tenth of a second: others wait no longer for the disk. */
const MOST_TILES = 16

export function createArchives(options: TaskOptions): Archives {
  const parts = assembleParts(options)
  return {
    async next(archiving) {
      if (archiving.before > parts.ledger.at()) return refuse("invalid_request", "[before] not yet", LATER)
      if (parts.sequence.stopped() !== undefined)
        return refuse("ledger_broken", "[ledger] the log was stopped")
      try {
        return await commitDecision<Archived>(parts, () => decide(parts, archiving))
      } catch (error) {
        if (error instanceof TreeBroken) return refuse("ledger_broken", `[ledger] ${error.message}`)
        throw error
      }
    },
  }
}

const LATER = { errors: [{ pointer: "/before", expected: "a time that has passed" }] }

interface Found extends Pick<Archived, "end" | "task"> {
  readonly tiles: readonly Place[]
}

async function decide(parts: Parts, archiving: Archiving): Promise<Attempt<Archived> | Settled<Archived>> {
  const { tiles, ...ended } = await findTiles(parts, archiving.before)
  const packed: PackedTile[] = []
  for (const tile of tiles) {
    const one = await packUnlessGone(parts, tile)
    // Another issuer has archived it since it was found: what is next is found anew.
    if (!one) return decide(parts, archiving)
    packed.push(one)
  }
  const [first] = tiles
  const entries = tiles.length * TILE_WIDTH
  const rows = sum(packed.map((one) => one.rows))
  const bundles = sum(packed.map((one) => one.bundle))
  if (!first) return { settled: { entries, rows, bundles, ...ended } }
  const places = { from: first.first, to: first.first + entries - 1 }
  return {
    steps: [
      { statement: openBetween, values: places, rows: 0 },
      ...packed.flatMap((one) => one.steps),
      ...archivedEntry(parts, archiving, places),
    ],
    answer: () => ({ entries, ...places, rows, bundles, ...ended }),
  }
}

/** Undefined: its rows are not what was signed because they rest in a bundle by now. */
async function packUnlessGone({ engine }: Parts, tile: Place): Promise<PackedTile | undefined> {
  try {
    return await packTile(engine, tile)
  } catch (error) {
    if (error instanceof TreeBroken && (await archiveFrom(engine)).first > tile.first) return undefined
    throw error
  }
}

/** The next tiles in the ledger's order, up to one that may not go. */
async function findTiles({ engine }: Parts, before: number): Promise<Found> {
  const tiles: Place[] = []
  for (let place = await archiveFrom(engine); tiles.length < MOST_TILES; ) {
    const newest = await newestOfTile(engine, place)
    if (newest === undefined) return { tiles, end: "unsigned" }
    if (newest >= before) return { tiles, end: "younger" }
    const { first } = place
    const [open] = await engine.query(openBetween, { from: first, to: first + TILE_WIDTH - 1 })
    if (open) return { tiles, end: "open", task: open.task_id }
    tiles.push(place)
    place = { ...place, first: first + TILE_WIDTH }
  }
  return { tiles }
}

const archivedEntry = (
  { ledger }: Parts,
  { by, as, before }: Archiving,
  places: { readonly from: number; readonly to: number },
) =>
  ledger.steps({
    kind: "ledger.archived",
    at: ledger.at(),
    body: { by, ...(as !== undefined && { as }), before: toInstant(before), ...places },
  })

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0)

/** Rounds of one look that follows a retention: what is left comes with the next. */
const MOST_ROUNDS = 8

/** Archives by itself what is older than that, unless another issuer is at it. Throws Unavailable, and where it is refused. */
export async function retain(archives: Archives, before: number): Promise<void> {
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const done = await archives.next({ by: "retention", before })
    if (done instanceof Refused && done.code === "task_conflict") return
    if (done instanceof Refused) throw new Error(`nothing is archived: ${done.code}`)
    if (done.end !== undefined) return
  }
}
