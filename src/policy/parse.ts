// One policy file's text into plain data that remembers where each part stands. It decides what YAML may be used at all:
// the 1.2 core, without anchors, aliases, tags, merge keys, directives or a second document, and nothing that only warns.
// What the data must look like is schema.ts's.
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
  type YAMLMap,
} from "yaml"
import { Members } from "../token/members.ts"
import type { PolicyFault } from "./fault.ts"
import type { Place } from "./policy.ts"
import { quote, showHidden } from "./quote.ts"

/** Deepest nesting of a policy file. The contract's own files reach 8. */
const MAX_DEPTH = 24

export type PathInFile = readonly PropertyKey[]

export interface ParsedFile {
  readonly name: string
  /** Plain data: null-prototype objects, arrays, strings, numbers, booleans, null. */
  readonly content: unknown
  /** Where the value (or its key) at a path stands; of a path that is not there, where its nearest ancestor stands. */
  place(path: PathInFile, part?: "key" | "value"): Place
  /** Where a character of a text stands, by its offset in the value; where that can't be told, where the text begins. */
  placeWithin(path: PathInFile, offset: number): Place
}

/** Offsets of a member: of its key (for a list's item, of itself) and of its value. */
interface Offsets {
  readonly key: number
  readonly value: number
}

/** Reads one file's text. Answers the faults instead where the text is not the YAML that policies may use. */
export function parsePolicyFile(name: string, text: string): ParsedFile | readonly PolicyFault[] {
  const lines = new LineCounter()
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { file: name, line: Math.max(1, line), column: Math.max(1, col) }
  }
  const mark = text.indexOf("\uFEFF")
  const start = { file: name, line: 1, column: 1 }
  if (mark === 0)
    return [{ place: start, message: "expected no byte order mark", hint: "save the file as plain UTF-8" }]
  const document = parseDocument(text, {
    schema: "core",
    version: "1.2",
    merge: false,
    uniqueKeys: false,
    prettyErrors: false,
    lineCounter: lines,
  })
  const first = [...document.errors, ...document.warnings].sort((one, other) => one.pos[0] - other.pos[0])[0]
  if (first) return [{ place: placeOf(first.pos[0]), message: syntaxMessage(first.code, first.message) }]
  if (hasDirective(document)) return [{ place: start, message: "expected no directives (% lines)" }]
  if (!document.contents) return [{ place: start, message: "expected a policy, found an empty file" }]
  return readTree({ name, text }, document.contents, placeOf)
}

function syntaxMessage(code: string, message: string): string {
  if (code === "MULTIPLE_DOCS") return "expected one document in a file, found a second"
  if (code === "TAG_RESOLVE_FAILED") return "expected no tag"
  if (code === "RESOURCE_EXHAUSTION") return "expected less deeply nested values"
  return `expected valid YAML: ${showHidden(message.split("\n")[0] ?? "")}`
}

function hasDirective(document: Document.Parsed): boolean {
  const { yaml, tags } = document.directives
  return yaml.explicit === true || Object.keys(tags).some((handle) => handle !== "!!")
}

function readTree(
  { name, text }: { readonly name: string; readonly text: string },
  contents: ParsedNode,
  placeOf: (offset: number) => Place,
): ParsedFile | readonly PolicyFault[] {
  const reader = new TreeReader(placeOf)
  const content = reader.read(contents, 0)
  if (reader.faults.length > 0) return reader.faults
  return {
    name,
    content,
    place: (path, part = "value") => placeOf(reader.offsetOf(content, path, part)),
    placeWithin(path, offset) {
      const start = reader.offsetOf(content, path, "value")
      const value = path.reduce<unknown>((of, member) => Reflect.get(Object(of), member), content)
      return placeOf(typeof value === "string" ? offsetWithin(text, start, value, offset) : start)
    },
  }
}

/** Of a plain or quoted text on one line, or of a literal block (|): what stands in the file is the value itself. */
function offsetWithin(text: string, start: number, value: string, offset: number): number {
  const before = value.slice(0, offset)
  const begins = /["']/.test(text[start] ?? "") ? start + 1 : start
  if (text.startsWith(before, begins)) return begins + offset
  if (text[start] !== "|") return start
  const lines = before.split("\n")
  const first = text.indexOf("\n", start) + 1
  const indentation = /^ */.exec(text.slice(first))?.[0].length ?? 0
  const at = indentation + lines.slice(1).reduce((line) => text.indexOf("\n", line) + 1, first)
  const last = lines.at(-1) ?? ""
  return text.startsWith(last, at) ? at + last.length : start
}

/** Walks the syntax tree once: refuses what policies may not use and remembers offsets beside the data. */
class TreeReader {
  readonly faults: PolicyFault[] = []
  readonly #places: (offset: number) => Place
  readonly #offsets = new Map<object, Map<PropertyKey, Offsets>>()

  constructor(places: (offset: number) => Place) {
    this.#places = places
  }

  read(node: ParsedNode | null, depth: number): unknown {
    if (node === null) return null
    if (depth > MAX_DEPTH) return this.#refuse(node, "expected less deeply nested values")
    if (isAlias(node))
      return this.#refuse(node, "expected a value, found an alias (*)", "write the value out")
    if (node.anchor !== undefined)
      this.#refuse(node, "expected a value without an anchor (&)", "write the value out")
    if (node.tag !== undefined) this.#refuse(node, "expected a value without a tag (!)")
    if (isMap(node)) return this.#readMap(node, depth)
    if (!isSeq(node)) return isScalar(node) ? node.value : this.#refuse(node, "expected a value")
    const offsets = new Map<PropertyKey, Offsets>()
    const items = node.items.map((item, index) => {
      offsets.set(index, { key: item.range[0], value: item.range[0] })
      return this.read(item, depth + 1)
    })
    this.#offsets.set(items, offsets)
    return items
  }

  #readMap(node: YAMLMap.Parsed, depth: number): unknown {
    const members = new Members<unknown>()
    const offsets = new Map<PropertyKey, Offsets>()
    for (const { key, value } of node.items) {
      const name = this.#readKey(key, offsets)
      if (name === undefined) continue
      offsets.set(name, { key: key.range[0], value: value?.range[0] ?? key.range[0] })
      members[name] = this.read(value, depth + 1)
    }
    this.#offsets.set(members, offsets)
    return members
  }

  #readKey(key: ParsedNode, known: ReadonlyMap<PropertyKey, Offsets>): string | undefined {
    if (isAlias(key) || key.anchor !== undefined || key.tag !== undefined) {
      return this.#refuse(key, "expected a plain key, without anchor, alias or tag")
    }
    const name = isScalar(key) ? key.value : undefined
    if (typeof name !== "string")
      return this.#refuse(key, "expected a name as key", "quote it if it is meant")
    if (name === "<<")
      return this.#refuse(key, "expected a name as key, found a merge key (<<)", "write the members out")
    if (name === "__proto__") return this.#refuse(key, "expected a name as key, found __proto__")
    const earlier = known.get(name)
    if (!earlier) return name
    const { line } = this.#places(earlier.key)
    return this.#refuse(key, `expected each key once, found ${quote(name)} again`, `first on line ${line}`)
  }

  #refuse(node: ParsedNode, message: string, hint?: string): undefined {
    this.faults.push({ place: this.#places(node.range[0]), message, ...(hint !== undefined && { hint }) })
    return undefined
  }

  offsetOf(content: unknown, path: PathInFile, part: "key" | "value"): number {
    let [value, offset] = [content, 0]
    for (const [index, member] of path.entries()) {
      const found =
        typeof value === "object" && value !== null ? this.#offsets.get(value)?.get(member) : undefined
      if (!found) return offset
      const last = index === path.length - 1
      offset = last && part === "value" ? found.value : found.key
      value = Reflect.get(Object(value), member)
    }
    return offset
  }
}
