// How this data was made: for development or not, or as a copy that was not finished. It decides at every start whether
// the two may go together, because development accepts what nothing real may rest on (published keys, for one), and a
// part of a ledger is none.
import { Duplicate, type Engine } from "../database/database.ts"
import { insertSetting, MADE_FOR, readMark, readSetting } from "../database/setting.ts"

/** Marks new data; answers why not when it was made the other way, and what to do. Data without a mark is new. */
export async function claimDatabase(engine: Engine, dev: boolean): Promise<string | undefined> {
  const wanted = dev ? "development" : "production"
  const [known] = await engine.query(readSetting, { key: MADE_FOR })
  if (!known) {
    try {
      await engine.atomically([
        { statement: insertSetting, values: { key: MADE_FOR, value: wanted }, rows: 1 },
      ])
      return undefined
    } catch (error) {
      if (error instanceof Duplicate) return claimDatabase(engine, dev)
      throw error
    }
  }
  if (known.value === wanted) return undefined
  if (readMark(known.value))
    return "This database is a copy that was not finished. Run `ledger copy` again: it goes on where it was."
  return dev
    ? "This database was not made with --dev, and --dev takes keys that anybody has. Give --dev a database of its own."
    : "This database was made with --dev and is not to be relied on. Start with a new database, or with --dev."
}
