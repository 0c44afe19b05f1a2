// The tables of docs/policies.md, as the schema and the review's rules give them: one row for each field.
import { REVIEW_RULES } from "../../src/policy/review.ts"
import { scenarioJsonSchema } from "../../src/policy/scenario-schema.ts"
import { policyJsonSchema } from "../../src/policy/schema.ts"

interface Node {
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Node[]
  readonly items?: Node
  readonly properties?: Readonly<Record<string, Node>>
  readonly additionalProperties?: Node | boolean
  readonly required?: readonly string[]
  readonly default?: unknown
  readonly description?: string
}

const ROOTS: Readonly<Record<string, Node>> = {
  policy: policyJsonSchema() as Node,
  scenario: scenarioJsonSchema() as Node,
}

const MARKED = /(<!-- (fields|rules) ([^ ]+) -->\n)[\s\S]*?(<!-- end -->)/g

/** The page with every marked table made anew. Throws where a mark names nothing. */
export const withTables = (page: string): string =>
  page.replace(MARKED, (_all, begin: string, what: string, path: string, end: string) => {
    const table = what === "rules" ? rulesTable() : fieldsTable(path)
    return `${begin}${table}\n${end}`
  })

/** Every object below a schema that has fields of its own, by its path: `policy/tasks/*`. */
export function pathsWithFields(): string[] {
  return Object.entries(ROOTS).flatMap(([name, root]) => below(name, root))
}

function below(path: string, node: Node): string[] {
  const nested = Object.entries(node.properties ?? {}).flatMap(([name, one]) => below(`${path}/${name}`, one))
  const values =
    typeof node.additionalProperties === "object" ? below(`${path}/*`, node.additionalProperties) : []
  const items = node.items ? below(`${path}/*`, node.items) : []
  const ways = (node.anyOf ?? []).flatMap((one) => below(path, one))
  const own =
    Object.keys(node.properties ?? {}).length > 0 && node.additionalProperties === false ? [path] : []
  return [...own, ...nested, ...values, ...items, ...ways]
}

function fieldsTable(path: string): string {
  const node = nodeAt(path)
  const rows = Object.entries(node.properties ?? {}).map(([name, field]) => {
    const must = node.required?.includes(name) ? "required" : defaultOf(field)
    return `| \`${name}\` | ${typeOf(field)} | ${must} | ${textOf(field.description ?? "")} |`
  })
  return ["| field | value | default | |", "|---|---|---|---|", ...rows].join("\n")
}

function nodeAt(path: string): Node {
  const [root = "", ...parts] = path.split("/")
  let node = ROOTS[root]
  for (const part of parts) node = part === "*" ? inside(node) : node?.properties?.[part]
  const found = node?.anyOf?.find((one) => one.properties) ?? node
  if (!found?.properties) throw new Error(`docs/policies.md: there are no fields at ${path}`)
  return found
}

const inside = (node: Node | undefined): Node | undefined =>
  node?.items ?? (typeof node?.additionalProperties === "object" ? node.additionalProperties : undefined)

function typeOf(node: Node): string {
  if (node.const !== undefined) return `\`${String(node.const)}\``
  if (node.enum && node.enum.length > 8) return "a code"
  if (node.enum) return node.enum.map((one) => `\`${String(one)}\``).join(", ")
  if (node.anyOf) return node.anyOf.map(typeOf).join(" or ")
  if (node.type === "array") return `list of ${node.items ? typeOf(node.items) : "anything"}`
  if (node.type === "object") return node.properties ? "members" : "members by name"
  return TYPES[node.type ?? ""] ?? "anything"
}

const TYPES: Readonly<Record<string, string>> = {
  string: "text",
  integer: "whole number",
  number: "number",
  boolean: "true or false",
}

const defaultOf = ({ default: standard }: Node): string =>
  standard === undefined ? "" : `\`${JSON.stringify(standard).replaceAll('"', "")}\``

const textOf = (text: string): string => text.replaceAll("|", "\\|")

function rulesTable(): string {
  const rows = REVIEW_RULES.map(
    ({ id, severity, summary, fix }) => `| \`${id}\` | ${severity} | ${textOf(summary)} | ${textOf(fix)} |`,
  )
  return ["| rule | severity | what it finds | what to do |", "|---|---|---|---|", ...rows].join("\n")
}
