// Texts that repeat are stored once and pointed at by integers. It decides only when a text needs no more interning, and
// which integers are known so well that a statement need not look them up.
import type { SQL } from "drizzle-orm"
import { type Engine, type Statement, type Step, statement, type Value, type Values } from "./database.ts"
import { sql } from "./drizzle.ts"

/** Texts of one table. Rows are never changed or deleted, so a text once seen committed stays interned. */
export interface Interned {
  /** Interns texts durably and remembers them. Throws Unavailable. */
  ensure(texts: readonly string[]): Promise<void>
  /** Steps that intern those texts not known to be stored; they belong before the steps that point at them. */
  steps(texts: readonly string[]): Step[]
  /** The integer of a text known to be stored. */
  idOf(text: string): number | undefined
}

export interface Names extends Interned {
  /** Principals: a table of their own, because they can be erased. */
  readonly subjects: Interned
  /**
   * Values for a statement written with `boundName` and `boundSubject`: beside each text its integer, where known (the
   * text is then null).
   */
  bind(values: Values, names: readonly BoundName[], subject?: "sub"): Values
}

/** A placeholder that carries a name, and the one beside it that carries its integer. */
export type BoundName = readonly [name: string, id: string]
export const boundNames = (...names: readonly string[]): readonly BoundName[] =>
  names.map((name) => [name, `${name}_id`])

const p = sql.placeholder

/** The integer of a name in a statement, by the placeholder that carries its text; null for null. */
export const nameId = (placeholder: string): SQL => sql`(SELECT id FROM name WHERE text = ${p(placeholder)})`

/** The same where `names.bind` filled the values: nothing is looked up when the integer came along. */
export const boundName = (placeholder: string): SQL =>
  sql`coalesce(${p(`${placeholder}_id`)}, ${nameId(placeholder)})`

export const boundSubject = (): SQL =>
  sql`coalesce(${p("sub_id")}, (SELECT id FROM subject WHERE text = ${p("sub")}))`

interface Found {
  readonly id: number
}

const NAME = {
  intern: statement("intern-name", sql`INSERT INTO name (text) VALUES (${p("text")}) ON CONFLICT DO NOTHING`),
  find: statement<Found>("find-name", sql`SELECT id FROM name WHERE text = ${p("text")}`),
}
const SUBJECT = {
  intern: statement(
    "intern-subject",
    sql`INSERT INTO subject (text) VALUES (${p("text")}) ON CONFLICT DO NOTHING`,
  ),
  find: statement<Found>("find-subject", sql`SELECT id FROM subject WHERE text = ${p("text")}`),
}

export function createNames(engine: Engine): Names {
  const names = createInterned(engine, NAME)
  const subjects = createInterned(engine, SUBJECT)
  const put = (into: Record<string, Value>, [name, id]: BoundName, from: Interned) => {
    const text = into[name]
    const known = typeof text === "string" ? from.idOf(text) : undefined
    into[id] = known ?? null
    if (known !== undefined) into[name] = null
  }
  return {
    ...names,
    subjects,
    bind: (values, members, subject) => {
      const bound: Record<string, Value> = { ...values }
      for (const member of members) put(bound, member, names)
      if (subject) put(bound, [subject, "sub_id"], subjects)
      return bound
    },
  }
}

/** Texts remembered at most; then it begins again, which costs one needless insert for each. */
const MOST_REMEMBERED = 20_000

function createInterned(
  engine: Engine,
  table: { readonly intern: Statement; readonly find: Statement<Found> },
): Interned {
  const committed = new Map<string, number>()
  const offered = new Set<string>()
  const look = async (text: string) => {
    const [row] = await engine.query(table.find, { text })
    if (!row) return
    if (committed.size >= MOST_REMEMBERED) committed.clear()
    committed.set(text, row.id)
    offered.delete(text)
  }
  /** A text that comes a second time was probably committed with the first: worth a look, whose failure costs nothing. */
  const notice = (text: string) => {
    if (offered.size >= MOST_REMEMBERED) offered.clear()
    if (!offered.has(text)) return offered.add(text)
    return void look(text).catch(() => offered.delete(text))
  }
  const stepsFor = (texts: readonly string[]): Step[] =>
    texts
      .filter((text) => !committed.has(text))
      .map((text) => ({ statement: table.intern, values: { text } }))
  return {
    ensure: async (texts) => {
      const steps = stepsFor(texts)
      if (steps.length === 0) return
      await engine.atomically(steps)
      await Promise.all(steps.map((step) => look(String(step.values.text))))
    },
    steps: (texts) => {
      if (texts.every((text) => committed.has(text))) return []
      const steps = stepsFor([...new Set(texts)])
      for (const step of steps) notice(String(step.values.text))
      return steps
    },
    idOf: (text) => committed.get(text),
  }
}
