// Opens a database by the one text that names it, and loads PostgreSQL's engine only where it is used.
import { type Engine, isPostgres } from "./database.ts"
import { openSqlite } from "./sqlite.ts"

/** Throws Unavailable when it can't be had, TypeError when its address can't be one or its driver is missing. */
export async function openDatabase(place: string): Promise<Engine> {
  if (!isPostgres(place)) return openSqlite({ path: place })
  const { openPostgres } = await import("./postgres.ts")
  return openPostgres({ address: place })
}
