// The routes file of the sidecar: YAML into rules, every fault with the place where it stands. What a rule may say is
// decided in sidecar/routes.ts.
import { readFileSync } from "node:fs"
import { formatFault, type PolicyFault } from "../policy/fault.ts"
import { suggest } from "../policy/nearest.ts"
import { type ParsedFile, parsePolicyFile } from "../policy/parse.ts"
import { type RouteRule, readRoute, shapeOf } from "../sidecar/routes.ts"
import { wrongUse } from "./exit.ts"

const MEMBERS = ["method", "path", "operation", "resource"] as const
const EXAMPLE = '- { method: GET, path: "/tickets/{id}", operation: tickets:read, resource: "tickets/{id}" }'
const MAX_SHOWN = 20

/** Stop (wrong use) with `file:line:column` for whatever is wrong with it. */
export function readRoutesFile(path: string): readonly RouteRule[] {
  const file = parsePolicyFile(path, readText(path))
  if (!("content" in file)) throw faulty(file)
  const { content } = file
  if (!Array.isArray(content) || content.length === 0)
    throw faulty([{ place: file.place([]), message: "expected a list of routes", hint: EXAMPLE }])
  const faults: PolicyFault[] = []
  const shapes = new Map<string, number>()
  const rules = content.flatMap((item: unknown, index) => {
    const rule = readRule(file, item, index, faults)
    return rule && isNew(file, rule, index, shapes, faults) ? [rule] : []
  })
  if (faults.length > 0) throw faulty(faults)
  return rules
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable"
    throw wrongUse(`${path} can't be read (${code})`, `It is a list of routes: ${EXAMPLE}`)
  }
}

function readRule(
  file: ParsedFile,
  item: unknown,
  index: number,
  faults: PolicyFault[],
): RouteRule | undefined {
  if (typeof item !== "object" || item === null || Array.isArray(item)) {
    faults.push({ place: file.place([index]), message: "expected a route", hint: EXAMPLE })
    return undefined
  }
  const members = new Map<string, unknown>(Object.entries(item))
  const text = (member: string): string => {
    const value = members.get(member)
    return typeof value === "string" ? value : ""
  }
  const before = faults.length
  for (const member of members.keys())
    if (!MEMBERS.some((known) => known === member)) {
      const hint = suggest(member, MEMBERS)
      const place = file.place([index, member], "key")
      faults.push({ place, message: `expected no member ${JSON.stringify(member)}`, ...(hint && { hint }) })
    }
  for (const member of MEMBERS)
    if (text(member) === "")
      faults.push({
        place: file.place([index, member]),
        message: `expected ${member} as text`,
        hint: EXAMPLE,
      })
  if (faults.length > before) return undefined
  return {
    method: text("method"),
    path: text("path"),
    operation: text("operation"),
    resource: text("resource"),
  }
}

function isNew(
  file: ParsedFile,
  rule: RouteRule,
  index: number,
  shapes: Map<string, number>,
  faults: PolicyFault[],
): boolean {
  const route = readRoute(rule)
  if ("expected" in route) {
    const { member, expected } = route
    faults.push({ place: file.place([index, member]), message: `${member}: expected ${expected}` })
    return false
  }
  const shape = shapeOf(route)
  const earlier = shapes.get(shape)
  if (earlier === undefined) return Boolean(shapes.set(shape, index))
  const { line } = file.place([earlier, "path"])
  const place = file.place([index, "path"])
  faults.push({
    place,
    message: `expected each method and path once, found ${shape} again`,
    hint: `first on line ${line}`,
  })
  return false
}

const faulty = (faults: readonly PolicyFault[]) => {
  const [first = "", ...more] = faults.slice(0, MAX_SHOWN).map(formatFault)
  return wrongUse(first, more.join("\n"))
}
