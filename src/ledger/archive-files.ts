// Entries that left the database for files: a tile's entries in one, in the form and under the path that readers of
// transparency logs ask for (C2SP tlog-tiles), below a folder. It decides which file that is, and that whoever reads a bundle
// of the database is given what its file holds; whether that is what was archived, resting.ts sees by its digest.
import { type Engine, type Statement, Unavailable, type Values } from "../database/database.ts"
import type { Folder } from "../database/folder.ts"
import { anyFile, bundleAt, bundlesBetween, entryBundles } from "./bundle-statements.ts"
import { writeTilePath } from "./tiles.ts"
import { TILE_WIDTH } from "./tree.ts"

/** Where a log is: its origin, and the place before its first entry. */
export interface LogPlace {
  readonly origin: string
  readonly before: number
}

/**
 * Of the bundle that begins with that place. The first log of a database has the paths of its tiles, one that was begun anew
 * has them in a folder of its own, beside what was left before it (which is in no tree, and goes by its first place).
 */
export function fileOfBundle({ origin, before }: LogPlace, first: number): string {
  const own = before === 0 ? "" : `${encodeURIComponent(origin)}/`
  if (first <= before) return `${own}left/${first}`
  const place = (first - before - 1) / TILE_WIDTH
  return `${own}tile/${writeTilePath({ level: "entries", place, width: TILE_WIDTH })}`
}

const OF_BUNDLES: ReadonlySet<string> = new Set([bundleAt.name, bundlesBetween.name, entryBundles.name])

type Queries = Pick<Engine, "query">

/** For whoever reads archived entries. Reads of bundles throw Unavailable, with its name, where a file can't be read. */
export function readArchive(engine: Queries, folder: Folder | undefined): Queries {
  if (!folder) return engine
  const fill = async <Row>(row: Row): Promise<Row> =>
    namesFile(row) ? { ...row, plain: await folder.read(row.file) } : row
  return {
    async query<Row>(statement: Statement<Row>, values?: Values): Promise<Row[]> {
      const rows = await engine.query(statement, values)
      return OF_BUNDLES.has(statement.name) ? Promise.all(rows.map(fill)) : rows
    },
  }
}

/** The same engine, that reads so. */
export const withArchive = (engine: Engine, folder: Folder): Engine => ({
  query: readArchive(engine, folder).query,
  atomically: (steps) => engine.atomically(steps),
  hearOthers: (listener) => engine.hearOthers(listener),
  scrub: () => engine.scrub(),
  close: () => engine.close(),
  broken: engine.broken,
})

const namesFile = (row: unknown): row is { readonly file: string } =>
  typeof row === "object" && row !== null && "file" in row && typeof row.file === "string"

/**
 * What keeps an issuer, or an archiving, from going on with that folder; undefined: nothing. A folder that lacks what was
 * archived before is another one, or was not mounted. Throws Unavailable where the database can't be read.
 */
export async function objectionToFolder(
  engine: Queries,
  folder: Folder | undefined,
): Promise<string | undefined> {
  const [row] = await engine.query(anyFile)
  if (!row) return undefined
  if (!folder) return "entries of this ledger rest in files: give their folder (--archive)"
  try {
    await folder.read(row.file)
    return undefined
  } catch (error) {
    if (error instanceof Unavailable) return `${error.message}: this is not the folder of its archive`
    throw error
  }
}
