// Texts that repeat are stored once and pointed at by integers. It decides only when a text needs no more interning.
import { type SQL, sql } from "drizzle-orm"
import { type Engine, type Step, statement } from "./database.ts"

export interface Names {
  /** Interns texts durably and remembers them. Throws Unavailable. */
  ensure(texts: readonly string[]): Promise<void>
  /** Steps that intern those texts not known to be stored; they belong before the steps that use nameId. */
  steps(texts: readonly string[]): Step[]
}

const intern = statement(
  "intern-name",
  sql`INSERT INTO name (text) VALUES (${sql.placeholder("text")}) ON CONFLICT DO NOTHING`,
)
const find = statement<{ text: string }>(
  "find-name",
  sql`SELECT text FROM name WHERE text = ${sql.placeholder("text")}`,
)

/** Texts remembered at most; then it begins again, which costs one needless insert for each. */
const MOST_REMEMBERED = 20_000

/** The integer of a name in a statement, by the placeholder that carries its text; null for null. */
export const nameId = (placeholder: string): SQL =>
  sql`(SELECT id FROM name WHERE text = ${sql.placeholder(placeholder)})`

/** Rows of `name` are never changed or deleted, so a text once seen committed stays interned. */
export function createNames(engine: Engine): Names {
  const committed = new Set<string>()
  const offered = new Set<string>()
  const remember = (text: string) => {
    if (committed.size >= MOST_REMEMBERED) committed.clear()
    committed.add(text)
    offered.delete(text)
  }
  /** A text that comes a second time was probably committed with the first: worth a look, whose failure costs nothing. */
  const notice = (text: string) => {
    if (offered.size >= MOST_REMEMBERED) offered.clear()
    if (!offered.has(text)) return offered.add(text)
    return void engine.query(find, { text }).then(
      (rows) => rows.length > 0 && remember(text),
      () => offered.delete(text),
    )
  }
  const stepsFor = (texts: readonly string[]): Step[] =>
    texts.filter((text) => !committed.has(text)).map((text) => ({ statement: intern, values: { text } }))
  return {
    ensure: async (texts) => {
      await engine.atomically(stepsFor(texts))
      for (const text of texts) remember(text)
    },
    steps: (texts) => {
      const steps = stepsFor([...new Set(texts)])
      for (const step of steps) notice(String(step.values.text))
      return steps
    },
  }
}
