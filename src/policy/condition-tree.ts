// What a condition may be made of: judged by its syntax tree, before anything is checked or run. It decides which functions
// there are, that nothing can be expensive, and that patterns, time zones and lists are written out; types are condition.ts's.
import type { ASTNode } from "@marcbachmann/cel-js"
import { CALENDAR_FUNCTIONS, zoneFault } from "./calendar.ts"
import { suggest } from "./nearest.ts"
import { patternFault } from "./pattern.ts"
import { quote } from "./quote.ts"

/** The members of each variable; undefined: it is a value itself. */
export type Variables = ReadonlyMap<string, ReadonlySet<string> | undefined>

/** What is wrong, and where in the condition's text: an offset in UTF-16 units. */
export interface ConditionFault {
  readonly message: string
  readonly at: number
  readonly hint?: string
}

interface Scope {
  readonly variables: Variables
  /** Names of items, outermost loop first. */
  readonly bound: readonly string[]
}

const FUNCTIONS: ReadonlySet<string> = new Set([
  "size",
  "int",
  "string",
  "has",
  "timestamp",
  "duration",
  "matches",
])
const LOOPS: ReadonlySet<string> = new Set(["all", "exists", "exists_one", "filter", "map"])
const METHODS: ReadonlySet<string> = new Set(["size", "startsWith", "endsWith", "contains"])
/** Each has another name under which this project's own calendar carries it out (condition.ts). */
const CALENDAR: ReadonlySet<string> = new Set(CALENDAR_FUNCTIONS.keys())
const ALL_METHODS = [...METHODS, ...LOOPS, ...CALENDAR]

const MAX_NESTING = 2
/** In steps of about a third of a microsecond. */
const MAX_COST = 2000
const COST_OF_CALL = 3
const COST_OF_MATCH = 150

/** The name of a calendar function with a zone, as it is carried out. */
export const zonedName = (name: string): string => `${name}In`

class Wrong extends Error {
  readonly fault: ConditionFault
  constructor({ start }: { readonly start: number }, message: string, hint?: string) {
    super(message)
    this.fault = { message, at: start, ...(hint !== undefined && { hint }) }
  }
}

/**
 * What is wrong with a parsed condition; undefined where nothing is. Calendar functions with a zone are renamed in the tree
 * on the way: the library's own read a time as one of the process's zone, and where that zone's clocks leap, another hour.
 */
export function judgeTree(tree: ASTNode, variables: Variables): ConditionFault | undefined {
  try {
    const cost = costOf(tree, { variables, bound: [] })
    if (cost <= MAX_COST) return undefined
    return { message: `expected a cheaper condition, found ${cost} steps of ${MAX_COST}`, at: 0 }
  } catch (error) {
    if (error instanceof Wrong) return error.fault
    throw error
  }
}

/** The variables that a parsed condition names. */
export function variablesOf(tree: ASTNode): ReadonlySet<string> {
  const names = new Set<string>()
  const visit = (node: ASTNode): void => {
    if (node.op === "id") names.add(node.args)
    for (const child of childrenOf(node)) visit(child)
  }
  visit(tree)
  return names
}

/** True or false where that is written out, whatever the rest says; undefined otherwise. Comparisons are NOT worked out. */
export function constantOf(tree: ASTNode): boolean | undefined {
  switch (tree.op) {
    case "value":
      return typeof tree.args === "boolean" ? tree.args : undefined
    case "!_": {
      const denied = constantOf(tree.args)
      return denied === undefined ? undefined : !denied
    }
    case "&&":
      return decidedBy(false, tree.args)
    case "||":
      return decidedBy(true, tree.args)
    case "?:": {
      const [which, one, other] = tree.args
      const known = constantOf(which)
      return known === undefined ? undefined : constantOf(known ? one : other)
    }
    default:
      return undefined
  }
}

/** One operand of this value is enough, even where the other can't be told. */
function decidedBy(value: boolean, operands: readonly ASTNode[]): boolean | undefined {
  const known = operands.map(constantOf)
  if (known.includes(value)) return value
  return known.includes(undefined) ? undefined : !value
}

/** Whether it asks `now` for a clock or calendar of no zone, which is UTC. For a judged tree: with a zone they are renamed there. */
export function asksWithoutZone(tree: ASTNode): boolean {
  if (tree.op === "rcall") {
    const [name, of] = tree.args
    if (CALENDAR.has(name) && of.op === "id" && of.args === "now") return true
  }
  return childrenOf(tree).some(asksWithoutZone)
}

function costOf(node: ASTNode, scope: Scope): number {
  switch (node.op) {
    case "value":
      return 1
    case "id":
      return costOfName(node, node.args, scope)
    case "call":
      return costOfCall(node, node.args[0], node.args[1], scope)
    case "rcall":
      return costOfMethod(node, node.args[0], node.args[1], node.args[2], scope)
    case ".":
      return judgeMember({ start: node.pos }, node.args[0], node.args[1], scope)
    case "[]":
      return costOfIndex(node, node.args[0], node.args[1], scope)
    case "map":
    case ".?":
    case "[?]":
      throw new Wrong(node, "expected no maps and no optional values")
    default:
      return 1 + sumOf(childrenOf(node), scope)
  }
}

const sumOf = (nodes: readonly ASTNode[], scope: Scope): number =>
  nodes.reduce((sum, node) => sum + costOf(node, scope), 0)

function childrenOf(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case "value":
    case "id":
      return []
    case "call":
      return node.args[1]
    case "rcall":
      return [node.args[1], ...node.args[2]]
    case ".":
    case ".?":
      return [node.args[0]]
    case "map":
      return node.args.flat()
    case "!_":
    case "-_":
      return [node.args]
    default:
      return node.args
  }
}

/** A variable with members stands in front of one and nowhere else. */
function costOfName(node: ASTNode, name: string, { variables, bound }: Scope): number {
  if (bound.includes(name)) return 1
  const members = variables.get(name)
  if (members)
    throw new Wrong(
      node,
      `expected a member of "${name}"`,
      `its members: ${[...members].join(", ") || "none"}`,
    )
  if (variables.has(name)) return 1
  const input = variables.get("inputs")?.has(name) ?? false
  const hint = input ? `write inputs.${name}` : suggest(name, [...variables.keys(), ...bound])
  throw new Wrong(node, `expected a known variable, found ${quote(name)}`, hint)
}

function judgeMember(at: { readonly start: number }, of: ASTNode, member: string, scope: Scope): number {
  if (of.op !== "id") throw new Wrong(of, "expected a variable in front of a member")
  const members = scope.bound.includes(of.args) ? undefined : scope.variables.get(of.args)
  if (members?.has(member)) return 2
  if (!members) costOfName(of, of.args, scope)
  if (!members) throw new Wrong(at, `expected no member of "${of.args}", found ${quote(member)}`)
  const message = `expected a known member of "${of.args}", found ${quote(member)}`
  throw new Wrong(at, message, suggest(member, members))
}

/** `inputs["ticket-id"]`: for names that are no identifiers. */
function costOfIndex(node: ASTNode, of: ASTNode, key: ASTNode, scope: Scope): number {
  if (key.op === "value" && typeof key.args === "string") return judgeMember(key, of, key.args, scope)
  throw new Wrong(node, 'expected a member that is written out: inputs["ticket"]')
}

function costOfCall(node: ASTNode, name: string, args: readonly ASTNode[], scope: Scope): number {
  if (!FUNCTIONS.has(name)) {
    const hint = suggest(name, FUNCTIONS)
    throw new Wrong(node, `expected a function that conditions have, found ${quote(name)}`, hint)
  }
  if (name !== "matches") return COST_OF_CALL + sumOf(args, scope)
  const pattern = args[1]
  if (pattern?.op !== "value" || typeof pattern.args !== "string")
    throw new Wrong(
      pattern ?? node,
      'expected a pattern that is written out: matches(task.purpose, "^[A-Z]+")',
    )
  const fault = patternFault(pattern.args)
  if (fault !== undefined) throw new Wrong(pattern, `expected ${fault}`)
  return COST_OF_MATCH + sumOf(args, scope)
}

function costOfMethod(
  node: Extract<ASTNode, { op: "rcall" }>,
  name: string,
  receiver: ASTNode,
  args: readonly ASTNode[],
  scope: Scope,
): number {
  if (name === "matches")
    throw new Wrong(node, "expected matches(text, pattern), found a method", "patterns are RE2")
  if (LOOPS.has(name)) return costOfLoop(node, receiver, args, scope)
  if (CALENDAR.has(name)) {
    zone(node, args)
    return COST_OF_CALL + sumOf([receiver, ...args], scope)
  }
  if (METHODS.has(name)) return COST_OF_CALL + sumOf([receiver, ...args], scope)
  throw new Wrong(
    node,
    `expected a method that conditions have, found ${quote(name)}`,
    suggest(name, ALL_METHODS),
  )
}

function zone(node: Extract<ASTNode, { op: "rcall" }>, args: readonly ASTNode[]): void {
  const [name] = node.args
  if (args.length === 0 && name === "getDayOfYear")
    throw new Wrong(node, "expected a time zone", `write ${name}("UTC")`)
  const [given] = args
  if (!given) return
  if (given.op !== "value" || typeof given.args !== "string")
    throw new Wrong(given, 'expected a time zone that is written out: now.getHours("Europe/Berlin")')
  const fault = zoneFault(given.args)
  if (fault !== undefined) throw new Wrong(given, fault)
  node.args[0] = zonedName(name)
}

function costOfLoop(node: ASTNode, receiver: ASTNode, args: readonly ASTNode[], scope: Scope): number {
  if (receiver.op !== "list")
    throw new Wrong(
      receiver,
      'expected a list that is written out: ["a", "b"].exists(x, x == inputs.service)',
    )
  const [variable, ...steps] = args
  if (variable?.op !== "id") throw new Wrong(variable ?? node, "expected the name of an item")
  if (scope.variables.has(variable.args))
    throw new Wrong(variable, `expected a name of its own for the item, found "${variable.args}"`)
  if (scope.bound.length >= MAX_NESTING)
    throw new Wrong(node, `expected at most ${MAX_NESTING} loops within each other`)
  const inner = { ...scope, bound: [...scope.bound, variable.args] }
  return COST_OF_CALL + costOf(receiver, scope) + receiver.args.length * sumOf(steps, inner)
}
