// A statement as an engine runs it: its text in one dialect, and where each of its parameters gets its value from. It
// decides nothing about what runs it; which values a statement needs is said in its `sql`.
import type { SQL } from "drizzle-orm"
import type { Statement, Step, Value, Values } from "./database.ts"
import { is, Placeholder } from "./drizzle.ts"

export interface Compiled {
  readonly sql: string
  /** Of its own in this process: two statements may have the same name. */
  readonly number: number
  /** Of each parameter, in their order. */
  readonly sources: readonly Source[]
}

/** A constant of the statement, a value by name, or one of the step's ids by place. */
interface Source {
  readonly constant: Value | undefined
  readonly name: string
  readonly point: number
}

export interface Compiler {
  /** Done once for each statement. */
  compile(statement: Statement<unknown>): Compiled
  /** The values of a statement's parameters, in their order. Throws TypeError where one is missing. */
  fill(statement: Statement<unknown>, values: Values, ids?: Step["ids"]): Value[]
}

/** How a dialect spells names, texts and parameters: what drizzle's `SQL.toQuery` is given; and whose own words it takes. */
export type Spelling = Parameters<SQL["toQuery"]>[0] & { readonly words?: "postgres" }

export function createCompiler(spelling: Spelling): Compiler {
  const known = new WeakMap<Statement<unknown>, Compiled>()
  let number = 0
  const compile = (statement: Statement<unknown>): Compiled => {
    const found = known.get(statement)
    if (found) return found
    const words = (spelling.words && statement[spelling.words]) ?? statement.sql
    const { sql, params } = words.toQuery(spelling)
    const sources = params.map((param): Source => {
      if (!is(param, Placeholder)) return { constant: param as Value, name: "", point: -1 }
      return { constant: undefined, name: param.name, point: statement.points.indexOf(param.name) }
    })
    number += 1
    const made = { sql, sources, number }
    known.set(statement, made)
    return made
  }
  return {
    compile,
    fill: (statement, values, ids) =>
      compile(statement).sources.map((source) => valueFrom(source, statement, values, ids)),
  }
}

/** The value of one parameter. Throws TypeError where it is missing. */
export function valueFrom(
  { constant, name, point }: Source,
  statement: Statement<unknown>,
  values: Values,
  ids?: Step["ids"],
): Value {
  const value = constant !== undefined ? constant : point < 0 ? values[name] : ids?.[point]
  if (value === undefined) throw new TypeError(`${statement.name} needs a value for ${name}`)
  return value
}
