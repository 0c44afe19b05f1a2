// The folder of archived entries, opened for an issuer, and the engine that reads from it. It decides that no issuer starts
// which could not say where entries of its ledger are, and tells while they can't be read.
import type { Engine } from "../database/database.ts"
import { type Folder, openFolder } from "../database/folder.ts"
import { objectionToFolder, withArchive } from "../ledger/archive-files.ts"
import type { Clock } from "../time.ts"

export interface OpenedArchive {
  readonly engine: Engine
  /** Undefined: what is archived stays in the database. */
  readonly folder: Folder | undefined
  /**
   * Whether a file of it could not be read when it was last looked, every two seconds at most and while somebody asks. It waits
   * for nothing: a file system that hangs holds nobody up, and is away.
   */
  away(): boolean
}

/**
 * Answers a text where entries rest in files and no folder is given. With a folder it starts also when files are gone: minting
 * needs none of them. Throws Unavailable where the folder is not there.
 */
export async function openArchive(
  engine: Engine,
  clock: Clock,
  path: string | undefined,
): Promise<OpenedArchive | string> {
  if (path === undefined)
    return (await objectionToFolder(engine, undefined)) ?? { engine, folder: undefined, away: () => false }
  const folder = await openFolder(path)
  return { engine: withArchive(engine, folder), folder, away: watchFolder(engine, folder, clock) }
}

/** However often somebody asks, it is looked once in this time. */
const LOOK_MILLISECONDS = 2000
/** A look that takes longer finds nothing any more. */
const HANGING_MILLISECONDS = 5000

function watchFolder(engine: Engine, folder: Folder, clock: Clock): () => boolean {
  let away = false
  let looking = false
  let lookedAt = Number.NEGATIVE_INFINITY
  const look = async () => {
    // What the database can't say says nothing about the folder.
    away = await objectionToFolder(engine, folder).then(isText, () => away)
    looking = false
  }
  return () => {
    const now = clock.monotonic()
    if (!looking && now - lookedAt >= LOOK_MILLISECONDS) {
      looking = true
      lookedAt = now
      void look()
    }
    return away || (looking && now - lookedAt > HANGING_MILLISECONDS)
  }
}

const isText = (objection: string | undefined): boolean => objection !== undefined
