// Reads the project's TypeScript as syntax trees, so that the rules of the house can be executed.
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { parseSync } from "oxc-parser"

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..")

export interface Import {
  readonly specifier: string
  /** The project's file it leads to, relative to the root; absent for packages. */
  readonly file?: string
  readonly typeOnly: boolean
  readonly reExport: boolean
  readonly exportAll: boolean
}

interface FunctionSpan {
  readonly name: string
  readonly line: number
  readonly lines: number
}

export interface SourceFile {
  readonly path: string
  readonly text: string
  readonly lines: number
  readonly imports: readonly Import[]
  readonly functions: readonly FunctionSpan[]
  readonly declared: readonly string[]
  readonly globals: ReadonlySet<string>
}

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [member: string]: unknown
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && typeof (value as Node).type === "string"

function* walk(node: Node, parent?: Node): Generator<[Node, Node | undefined]> {
  yield [node, parent]
  for (const [key, value] of Object.entries(node)) {
    if (key === "parent") continue
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) yield* walk(child, node)
  }
}

/** Every .ts file below a folder of the project, as paths from the root. */
export function listSources(folder: string): string[] {
  const found = readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
  return found
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes("node_modules"))
    .sort()
}

export function readSource(path: string): SourceFile {
  const text = readFileSync(join(ROOT, path), "utf8")
  const parsed = parseSync(path, text)
  const lineAt = (offset: number) => text.slice(0, offset).split("\n").length
  const imports: Import[] = []
  const functions: FunctionSpan[] = []
  const declared: string[] = []
  const globals = new Set<string>()
  const program: unknown = parsed.program
  if (!isNode(program)) throw new Error(`${path} can't be parsed`)
  for (const [node, parent] of walk(program)) {
    const imported = toImport(path, node)
    if (imported) imports.push(imported)
    if (/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type)) {
      const line = lineAt(node.start)
      functions.push({
        name: nameOf(node) ?? nameOf(parent) ?? "anonymous",
        line,
        lines: lineAt(node.end) - line + 1,
      })
    }
    const name = nameOf(node)
    if (name !== undefined && /Declaration$|Declarator$/.test(node.type)) declared.push(name)
    if (node.type === "MemberExpression" && isNode(node.object) && node.object.type === "Identifier")
      globals.add(String(node.object.name))
    if (node.type === "TSAnyKeyword") globals.add("any")
  }
  return { path, text, lines: text.split("\n").length - 1, imports, functions, declared, globals }
}

function nameOf(node: Node | undefined): string | undefined {
  const id = node?.id ?? node?.key
  return isNode(id) && id.type === "Identifier" ? String(id.name) : undefined
}

function toImport(path: string, node: Node): Import | undefined {
  if (!/^(Import|ExportNamed|ExportAll)Declaration$|^ImportExpression$/.test(node.type)) return undefined
  const source = node.source
  if (!isNode(source) || typeof source.value !== "string") return undefined
  const specifier = source.value
  const named = Array.isArray(node.specifiers) ? node.specifiers.filter(isNode) : []
  const typeOnly =
    node.importKind === "type" ||
    node.exportKind === "type" ||
    (named.length > 0 && named.every((one) => one.importKind === "type" || one.exportKind === "type"))
  return {
    specifier,
    ...(specifier.startsWith(".") && { file: join(dirname(path), specifier) }),
    typeOnly,
    reExport: node.type.startsWith("Export"),
    exportAll: node.type === "ExportAllDeclaration",
  }
}
