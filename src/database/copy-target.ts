// Looks at where a copy is to go, before anything is made there: another program's database is left as it is. What of ours
// is there already is decided by whoever copies, when it can write.
import { existsSync } from "node:fs"
import Sqlite from "better-sqlite3"
import { NotCopied } from "./copy-table.ts"
import { isPostgres, Unavailable } from "./database.ts"
import { opening } from "./file.ts"

/** Made before anything else, by itself: whoever was killed then left nothing but it. */
const FIRST = "__drizzle_migrations"
/** What a database of ours has, however old it is. */
const OURS = [FIRST, "entry", "setting"]

/** Throws NotCopied where there are tables and they are not the issuer's, Unavailable where that can't be told. */
export async function refuseStrangers(place: string): Promise<void> {
  const found = isPostgres(place) ? await tablesOnServer(place) : tablesInFile(place)
  const isBegun = found.every((name) => name === FIRST)
  if (!isBegun && !OURS.every((name) => found.includes(name)))
    throw new NotCopied("the target holds another program's tables: give it a database of its own")
}

function tablesInFile(path: string): string[] {
  if (!existsSync(path)) return []
  return opening(path, () => {
    const database = new Sqlite(path, { readonly: true })
    try {
      return database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all().map(String)
    } finally {
      database.close()
    }
  })
}

async function tablesOnServer(address: string): Promise<string[]> {
  const { connect, loadDriver, part, unreachable } = await import("./postgres-session.ts")
  const client = await connect(await loadDriver(), address, "writer")
  try {
    const text = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    return (await client.query<{ table_name: string }>(text)).rows.map((row) => row.table_name)
  } catch (error) {
    throw error instanceof Unavailable ? error : unreachable(error)
  } finally {
    await part(client)
  }
}
