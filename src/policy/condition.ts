// Conditions of a policy (`when`), in the Common Expression Language: whether a text is one, and whether it holds. It decides
// which variables there are and what they are called; what a condition may be made of is condition-tree.ts's, and what
// follows where it does not hold is decide.ts's.
import { Environment, EvaluationError, type ParseResult } from "@marcbachmann/cel-js"
import { RE2JS } from "re2js"
import { CALENDAR_FUNCTIONS } from "./calendar.ts"
import {
  asksWithoutZone,
  type ConditionFault,
  constantOf,
  judgeTree,
  type Variables,
  variablesOf,
  zonedName,
} from "./condition-tree.ts"
import { showHidden } from "./quote.ts"

/** What the agent has done in the last hour, as the ledger has it. */
export interface Usage {
  readonly starts: number
  /** Uses that APIs allowed. */
  readonly uses: number
  /** By the issuer and by APIs. */
  readonly refusals: number
}

/** What a condition is about. A member that is undefined is absent: naming it without `has(...)` is an error. */
export interface ConditionFacts {
  readonly task: {
    readonly type: string
    readonly purpose: string | undefined
    readonly reference: string | undefined
  }
  readonly inputs: ReadonlyMap<string, string>
  /** The task's own agent. */
  readonly agent: {
    readonly name: string
    readonly instance: string | undefined
    readonly owner: string
  }
  readonly orchestrator: { readonly name: string; readonly owner: string }
  readonly subject: { readonly name: string | undefined; readonly rule: string | undefined }
  /** Epoch milliseconds. */
  readonly now: number | undefined
  readonly usage: Usage | undefined
}

/** True, false, or why that can't be told. */
export type Verdict = boolean | { readonly fault: string }

/** Deepest nesting, and most nodes, of a condition. */
const LIMITS = { maxAstNodes: 300, maxDepth: 24, maxListElements: 100, maxCallArguments: 4 }

/** Longest text that is matched: the longest purpose there is. */
const MAX_TEXT_LENGTH = 1000

const MEMBERS = {
  task: { type: "string", purpose: "string", reference: "string" },
  agent: { name: "string", instance: "string", owner: "string" },
  orchestrator: { name: "string", owner: "string" },
  subject: { name: "string", rule: "string" },
  usage: { starts: "int", uses: "int", refusals: "int" },
} as const

const SYNC = { async: false } as const

/** Every function and variable, but for the inputs. Only a condition's own patterns are compiled, each once. */
function environment(): Environment {
  const patterns = new Map<string, RE2JS>()
  const env = new Environment({ limits: LIMITS })
  for (const [name, schema] of Object.entries(MEMBERS)) env.registerVariable(name, { type: "map", schema })
  env.registerVariable("now", "google.protobuf.Timestamp")
  for (const [name, read] of CALENDAR_FUNCTIONS) {
    const signature = `google.protobuf.Timestamp.${zonedName(name)}(string): int`
    env.registerFunction(signature, (at: Date, zone: string) => BigInt(read(at, zone)), SYNC)
  }
  const matches = (text: string, source: string) => {
    if (text.length > MAX_TEXT_LENGTH) throw new EvaluationError(`matches() of more than ${MAX_TEXT_LENGTH}`)
    const pattern = patterns.get(source) ?? RE2JS.compile(source)
    patterns.set(source, pattern)
    return pattern.test(text)
  }
  return env.registerFunction("matches(string, string): bool", matches, SYNC)
}

let shared: Environment | undefined

/** By the names of inputs; making one costs more than most conditions. Dropped when there are many. */
const environments = new Map<string, Environment>()
const MOST_ENVIRONMENTS = 100

function environmentFor(inputs: readonly string[]): Environment {
  const names = [...inputs].sort()
  const known = environments.get(names.join())
  if (known) return known
  shared ??= environment()
  const schema = Object.fromEntries(names.map((name): [string, "string"] => [name, "string"]))
  const made = shared.clone({}).registerVariable("inputs", { type: "map", schema })
  if (environments.size >= MOST_ENVIRONMENTS) environments.clear()
  environments.set(names.join(), made)
  return made
}

const variablesWith = (inputs: Iterable<string>): Variables =>
  new Map<string, ReadonlySet<string> | undefined>([
    ...Object.entries(MEMBERS).map(([name, members]) => [name, new Set(Object.keys(members))] as const),
    ["inputs", new Set(inputs)],
    ["now", undefined],
  ])

interface Compiled {
  readonly parsed: ParseResult
  readonly variables: ReadonlySet<string>
}

function compile(source: string, inputs: Iterable<string>): Compiled | ConditionFault {
  const names = [...inputs]
  try {
    const parsed = environmentFor(names).parse(source)
    const fault = judgeTree(parsed.ast, variablesWith(names))
    if (fault) return fault
    const { valid, type, error } = parsed.check()
    if (!valid) throw error
    if (type === "bool") return { parsed, variables: variablesOf(parsed.ast) }
    return { message: `expected a condition that is true or false, found one that is ${type}`, at: 0 }
  } catch (error) {
    return faultOf(error)
  }
}

/** The library has faults of its own that are no CEL errors, such as types that fit two operators. */
function faultOf(error: unknown): ConditionFault {
  if (!(error instanceof Error)) throw error
  const range = "range" in error && typeof error.range === "object" ? error.range : undefined
  const at = range && "start" in range && typeof range.start === "number" ? range.start : 0
  return { message: `expected a condition in CEL: ${summaryOf(error)}`, at }
}

/** What loading needs to know of a condition that is one. */
export interface ConditionNeeds {
  /** It asks what the agent has done lately, which costs a look into the ledger. */
  readonly asksUsage: boolean
}

/** Judges a condition of a task type with these inputs. Types are checked: a condition that is let through fails by values only. */
export function judgeCondition(source: string, inputs: Iterable<string>): ConditionNeeds | ConditionFault {
  const compiled = compile(source, inputs)
  return "parsed" in compiled ? { asksUsage: compiled.variables.has("usage") } : compiled
}

/** What the text of a condition shows of it, before it is told anything. */
export interface ConditionSense {
  /** What it always is; undefined: that depends, or takes more than reading it. */
  readonly constant: boolean | undefined
  /** It asks the clock or the calendar of `now` in no zone, which is UTC. */
  readonly withoutZone: boolean
}

/** For reviewers. Undefined where the text is no condition. */
export function readCondition(source: string, inputs: Iterable<string>): ConditionSense | undefined {
  const compiled = compile(source, inputs)
  if (!("parsed" in compiled)) return undefined
  const { ast } = compiled.parsed
  return { constant: constantOf(ast), withoutZone: asksWithoutZone(ast) }
}

/**
 * The condition of a text that judgeCondition let through, which is NOT asked again. Compiled once, at its first use. Never
 * throws: what goes wrong is the verdict.
 */
export function condition(source: string, inputs: Iterable<string>): (facts: ConditionFacts) => Verdict {
  const names = [...inputs]
  let compiled: Compiled | ConditionFault | undefined
  return (facts) => {
    compiled ??= compile(source, names)
    if (!("parsed" in compiled)) return { fault: compiled.message }
    try {
      const verdict: unknown = compiled.parsed(contextOf(facts))
      return typeof verdict === "boolean" ? verdict : { fault: "it is neither true nor false" }
    } catch (error) {
      return { fault: error instanceof Error ? summaryOf(error) : "it can't be told" }
    }
  }
}

/** It repeats what it did not understand. */
const summaryOf = (error: Error): string =>
  showHidden(("summary" in error ? String(error.summary) : error.message).split("\n")[0]?.slice(0, 200) ?? "")

/** Absent members are left out. */
function contextOf(facts: ConditionFacts): Record<string, unknown> {
  const { task, inputs, agent, orchestrator, subject, now, usage } = facts
  return {
    task: present(task),
    inputs,
    agent: present(agent),
    orchestrator,
    subject: present(subject),
    usage: usage ? counted(usage) : {},
    ...(now !== undefined && { now: new Date(now) }),
  }
}

const present = (members: Readonly<Record<string, string | undefined>>): Record<string, string> => {
  const there: Record<string, string> = {}
  for (const [name, value] of Object.entries(members)) if (value !== undefined) there[name] = value
  return there
}

/** CEL's whole numbers are 64 bits wide. */
const counted = ({ starts, uses, refusals }: Usage) => ({
  starts: BigInt(starts),
  uses: BigInt(uses),
  refusals: BigInt(refusals),
})
