// Archiving: full tiles of entries older than a time go into compressed bundles or into files, some tiles in one transaction,
// and an entry of the same transaction says which and by whose word. It decides how far that may go: never past what is signed,
// a task that runs, or a closing statement that is owed. How a tile is packed is the ledger's (ledger/archive.ts).
import { Unavailable } from "../database/database.ts"
import type { Folder } from "../database/folder.ts"
import { type Refusal, Refusal as Refused, refuse } from "../errors.ts"
import {
  archiveFrom,
  archiveNext,
  isArchived,
  moveTile,
  newestOfTile,
  type PackedTile,
  type Place,
  packedIn,
  packTile,
} from "../ledger/archive.ts"
import { objectionToFolder } from "../ledger/archive-files.ts"
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
  /** Into files of the archive's folder. */
  readonly toFiles?: boolean
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
  /** Bytes that they took, and take, in the database; and in files. */
  readonly rows: number
  readonly bundles: number
  readonly files: number
  /** Absent: there is more to do. */
  readonly end?: End
  /** Of `open`: which task. */
  readonly task?: string
}

export interface Archives {
  /** The folder of its files, absolute; undefined: there is none. */
  readonly folder: string | undefined
  /**
   * Archives what may go, at most 4,096 entries; the same again does the next. To files what was packed in the database goes
   * first. `invalid_request` where the time has not come, or there is no folder; `ledger_broken` where the log was stopped or
   * the entries are not those that were signed. Throws Unavailable, also where files can't be written or those of before are
   * not there.
   */
  next(archiving: Archiving): Promise<Archived | Refusal>
}

export interface ArchiveOptions extends TaskOptions {
  readonly archive?: Folder | undefined
}

/** Some MiB and a tenth of a second: others wait no longer for the disk. */
const MOST_TILES = 16

export function createArchives({ archive: folder, ...options }: ArchiveOptions): Archives {
  const parts = assembleParts(options)
  return {
    folder: folder?.root,
    async next(archiving) {
      if (archiving.before > parts.ledger.at()) return refuse("invalid_request", "[before] not yet", LATER)
      if (archiving.toFiles && !folder) return refuse("invalid_request", "[to] no folder", NO_FOLDER)
      if (parts.sequence.stopped() !== undefined)
        return refuse("ledger_broken", "[ledger] the log was stopped")
      const to = archiving.toFiles ? folder : undefined
      try {
        if (to) await refuseOtherFolder(parts, to)
        return await commitDecision<Archived>(parts, () => decide(parts, archiving, to))
      } catch (error) {
        if (error instanceof TreeBroken) return refuse("ledger_broken", `[ledger] ${error.message}`)
        throw error
      }
    },
  }
}

const LATER = { errors: [{ pointer: "/before", expected: "a time that has passed" }] }
export const NO_FOLDER = {
  errors: [{ pointer: "/to", expected: "the folder that the issuer was started with (TASKMINT_ARCHIVE)" }],
}

async function refuseOtherFolder({ engine }: Parts, folder: Folder): Promise<void> {
  const objection = await objectionToFolder(engine, folder)
  if (objection !== undefined) throw new Unavailable(objection)
}

interface Found extends Pick<Archived, "end" | "task"> {
  readonly tiles: readonly Place[]
}

type Decided = Promise<Attempt<Archived> | Settled<Archived>>

async function decide(parts: Parts, archiving: Archiving, folder: Folder | undefined): Decided {
  const moved = folder && (await moveSome(parts, archiving, folder))
  if (moved) return moved
  const { tiles, ...ended } = await findTiles(parts, archiving.before)
  const packed: PackedTile[] = []
  for (const tile of tiles) {
    const one = await packUnlessGone(parts, tile, folder)
    // Another issuer has archived it since it was found: what is next is found anew.
    if (!one) return decide(parts, archiving, folder)
    packed.push(one)
  }
  const [first] = tiles
  if (!first) return { settled: { entries: 0, ...sizesOf([]), ...ended } }
  const places = { from: first.first, to: first.first + tiles.length * TILE_WIDTH - 1 }
  return {
    steps: [
      { statement: openBetween, values: places, rows: 0 },
      ...packed.flatMap((one) => one.steps),
      ...archivedEntry(parts, archiving, places),
    ],
    answer: () => ({ entries: tiles.length * TILE_WIDTH, ...places, ...sizesOf(packed), ...ended }),
  }
}

/** What was packed in the database and is old enough; of tiles that follow each other. */
async function moveSome(
  parts: Parts,
  archiving: Archiving,
  folder: Folder,
): Promise<Attempt<Archived> | undefined> {
  const log = await archiveFrom(parts.engine)
  const rows = await packedIn(parts.engine, MOST_TILES)
  const [first] = rows
  const going = rows.filter(
    (row, n) => (row.newest ?? 0) < archiving.before && first && row.first === first.first + n * TILE_WIDTH,
  )
  if (!first || going.length === 0) return undefined
  const moved: PackedTile[] = []
  for (const row of going) moved.push(await moveTile(log, row, folder))
  const places = { from: first.first, to: first.first + going.length * TILE_WIDTH - 1 }
  return {
    steps: [...moved.flatMap((one) => one.steps), ...archivedEntry(parts, archiving, places)],
    answer: () => ({ entries: going.length * TILE_WIDTH, ...places, ...sizesOf(moved) }),
  }
}

/** Undefined: its rows are not what was signed because they rest in a bundle by now. */
async function packUnlessGone(
  { engine }: Parts,
  tile: Place,
  folder?: Folder,
): Promise<PackedTile | undefined> {
  try {
    return await packTile(engine, tile, folder)
  } catch (error) {
    if (error instanceof TreeBroken && (await isArchived(engine, tile))) return undefined
    throw error
  }
}

/** The next tiles in the ledger's order, up to one that may not go. */
async function findTiles({ engine }: Parts, before: number): Promise<Found> {
  const tiles: Place[] = []
  for (let place: Place | undefined = await archiveFrom(engine); place && tiles.length < MOST_TILES; ) {
    const newest = await newestOfTile(engine, place)
    if (newest === undefined) return { tiles, end: "unsigned" }
    if (newest >= before) return { tiles, end: "younger" }
    const { first } = place
    const [open] = await engine.query(openBetween, { from: first, to: first + TILE_WIDTH - 1 })
    if (open) return { tiles, end: "open", task: open.task_id }
    tiles.push(place)
    place = await archiveNext(engine, place)
  }
  return { tiles }
}

const archivedEntry = (
  { ledger }: Parts,
  { by, as, before, toFiles }: Archiving,
  places: { readonly from: number; readonly to: number },
) =>
  ledger.steps({
    kind: "ledger.archived",
    at: ledger.at(),
    body: {
      ...{ by, ...(as !== undefined && { as }), before: toInstant(before), ...places },
      ...(toFiles && { files: true }),
    },
  })

const sizesOf = (tiles: readonly PackedTile[]) => ({
  rows: sum(tiles.map(({ rows }) => rows)),
  bundles: sum(tiles.map(({ bundle }) => bundle)),
  files: sum(tiles.map(({ file }) => file)),
})

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0)

/** Rounds of one look that follows a retention: what is left comes with the next. */
const MOST_ROUNDS = 8

/** Archives by itself what is older than that, to files where there is a folder, unless another issuer is at it. Throws Unavailable, and where it is refused. */
export async function retain(archives: Archives, before: number): Promise<void> {
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const done = await archives.next({ by: "retention", before, toFiles: archives.folder !== undefined })
    if (done instanceof Refused && done.code === "task_conflict") return
    if (done instanceof Refused) throw new Error(`nothing is archived: ${done.code}`)
    if (done.end !== undefined) return
  }
}
