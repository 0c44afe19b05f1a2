// How this data was made: for development or not. It decides at every start whether the two may go together, because
// development accepts what nothing real may rest on (published keys, for one).
import { Duplicate, type Engine } from "../database/database.ts"
import { insertSetting, readSetting } from "./statements.ts"

const KEY = "made_for"

/** Marks new data; answers why not when it was made the other way, and what to do. Data without a mark is new. */
export async function claimDatabase(engine: Engine, dev: boolean): Promise<string | undefined> {
  const wanted = dev ? "development" : "production"
  const [known] = await engine.query(readSetting, { key: KEY })
  if (!known) {
    try {
      await engine.atomically([{ statement: insertSetting, values: { key: KEY, value: wanted }, rows: 1 }])
      return undefined
    } catch (error) {
      if (error instanceof Duplicate) return claimDatabase(engine, dev)
      throw error
    }
  }
  if (known.value === wanted) return undefined
  return dev
    ? "This database was not made with --dev, and --dev takes keys that anybody has. Give --dev a database of its own."
    : "This database was made with --dev and is not to be relied on. Start with a new database, or with --dev."
}
