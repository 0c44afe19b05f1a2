// Texts that repeat are stored once and pointed at by integers. It decides only when a text needs no more interning, and
// which integers are known so well that a statement need not look them up.
import type { SQL } from "drizzle-orm"
import { type Engine, type Statement, type Step, statement, type Value, type Values } from "./database.ts"
import { sql } from "./drizzle.ts"

/** Texts of one table. A text once seen committed stays interned, but for people: their rows lose their text when it is erased. */
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
  /** A step of a statement written by `named`: the integers where all its texts are known, else the texts. */
  step(of: Named, values: Values): Step
}

/** A statement that points at names, in two spellings: one is given texts and looks them up, one is given integers. */
export interface Named {
  readonly byText: Statement
  readonly byId: Statement
  /** Its values that are names. */
  readonly names: readonly string[]
  /** Its value that is a subject. */
  readonly subject: string | undefined
}

const p = sql.placeholder

/** The integer of a name in a statement, by the placeholder that carries its text; null for null. */
export const nameId = (placeholder: string): SQL => sql`(SELECT id FROM name WHERE text = ${p(placeholder)})`

const subjectId = (placeholder: string): SQL => sql`(SELECT id FROM subject WHERE text = ${p(placeholder)})`

/** Both spellings of a statement, which must change one row. `write` gets what to put where a name or a subject stands. */
export function named(
  name: string,
  points: { readonly names: readonly string[]; readonly subject?: string },
  write: (name: (placeholder: string) => SQL, subject: (placeholder: string) => SQL) => SQL,
): Named {
  const given = (placeholder: string) => sql`${p(placeholder)}`
  const { names, subject } = points
  return {
    byText: statement(name, write(nameId, subjectId)),
    byId: statement(name, write(given, given), subject === undefined ? names : [...names, subject]),
    names,
    subject,
  }
}

interface Found {
  readonly id: number
}

export const NAME = {
  lasts: () => true,
  intern: statement("intern-name", sql`INSERT INTO name (text) VALUES (${p("text")}) ON CONFLICT DO NOTHING`),
  find: statement<Found>("find-name", sql`SELECT id FROM name WHERE text = ${p("text")}`),
  text: statement<{ readonly text: string }>("name-of-id", sql`SELECT text FROM name WHERE id = ${p("id")}`),
}
/** A person is `provider/name`; an orchestrator is a name of the policy. */
export const isPerson = (sub: string): boolean => sub.includes("/")

export const SUBJECT = {
  // Another process may have erased them: they are looked up whenever they are pointed at.
  lasts: (text: string) => !isPerson(text),
  intern: statement(
    "intern-subject",
    sql`INSERT INTO subject (text) VALUES (${p("text")}) ON CONFLICT DO NOTHING`,
  ),
  find: statement<Found>("find-subject", sql`SELECT id FROM subject WHERE text = ${p("text")}`),
}

export function createNames(engine: Engine): Names {
  const names = createInterned(engine, NAME)
  const subjects = createInterned(engine, SUBJECT)
  return {
    ...names,
    subjects,
    step: (of, values) => {
      const ids: (number | null)[] = []
      for (const member of of.names)
        if (!addId(ids, values[member], names)) return { statement: of.byText, values, rows: 1 }
      if (of.subject !== undefined && !addId(ids, values[of.subject], subjects))
        return { statement: of.byText, values, rows: 1 }
      return { statement: of.byId, values, ids, rows: 1 }
    },
  }
}

/** Adds the integer of a text, null for null; false where it is not known. */
function addId(ids: (number | null)[], text: Value | undefined, from: Interned): boolean {
  const id = typeof text === "string" ? from.idOf(text) : null
  if (id === undefined) return false
  ids.push(id)
  return true
}

/** Answers the texts of integers that point at names; each is read once, for names never change. Throws Unavailable. */
export function createNameReader(engine: Pick<Engine, "query">) {
  const texts = new Map<number, string>()
  return async (ids: Iterable<number | null>): Promise<(id: number | null) => string | null> => {
    if (texts.size >= MOST_REMEMBERED) texts.clear()
    for (const id of ids) {
      if (id === null || texts.has(id)) continue
      const [row] = await engine.query(NAME.text, { id })
      if (row) texts.set(id, row.text)
    }
    return (id) => (id === null ? null : (texts.get(id) ?? null))
  }
}

/** Texts remembered at most; then it begins again, which costs one needless insert for each. */
const MOST_REMEMBERED = 20_000

function createInterned(
  engine: Engine,
  table: {
    readonly intern: Statement
    readonly find: Statement<Found>
    /** Whether its row stays as it is for ever, so that its integer may be remembered. */
    readonly lasts: (text: string) => boolean
  },
): Interned {
  const committed = new Map<string, number>()
  const offered = new Set<string>()
  const look = async (text: string) => {
    if (!table.lasts(text)) return
    const [row] = await engine.query(table.find, { text })
    if (!row) return
    if (committed.size >= MOST_REMEMBERED) committed.clear()
    committed.set(text, row.id)
    offered.delete(text)
  }
  /** A text that comes a second time was probably committed with the first: worth a look, whose failure costs nothing. */
  const notice = (text: string) => {
    if (!table.lasts(text)) return
    if (offered.size >= MOST_REMEMBERED) offered.clear()
    if (!offered.has(text)) {
      offered.add(text)
      return
    }
    void look(text).catch(() => offered.delete(text))
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
