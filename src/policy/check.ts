// One parsed file against its schema: what does not fit, where, what was expected and the nearest valid name. What the
// schema asks for is schema.ts's.
import type { z } from "zod"
import type { PolicyFault } from "./fault.ts"
import { nearest, suggest } from "./nearest.ts"
import type { ParsedFile } from "./parse.ts"
import { quote } from "./quote.ts"
import { keysAt, type PolicyFile, policyFile } from "./schema.ts"

/** What a kind of file is held against. */
export interface Form<Schema extends z.ZodType> {
  readonly schema: Schema
}

const POLICY: Form<typeof policyFile> = { schema: policyFile }

type Issue = z.core.$ZodIssue
type Path = readonly PropertyKey[]

/** A file that fits the schema, with its defaults filled in; it still remembers where everything stands. */
export interface CheckedFile {
  readonly parsed: ParsedFile
  readonly rules: PolicyFile
}

export function checkPolicyFile(parsed: ParsedFile): CheckedFile | readonly PolicyFault[] {
  const checked = checkForm(parsed, POLICY)
  return "rules" in checked ? { parsed, rules: checked.rules } : checked
}

/** A parsed file as its schema reads it, defaults filled in; else everything that does not fit. */
export function checkForm<Schema extends z.ZodType>(
  parsed: ParsedFile,
  form: Form<Schema>,
): { readonly rules: z.output<Schema> } | readonly PolicyFault[] {
  const result = form.schema.safeParse(parsed.content)
  if (result.success) return { rules: result.data }
  const { issues } = result.error
  return issues
    .filter((issue) => !isFollowing(parsed, issue, issues))
    .flatMap((issue) => toFaults(parsed, issue, form))
}

/** Whether a member is missing only because a mistyped one stands in its place. */
function isFollowing(file: ParsedFile, issue: Issue, all: readonly Issue[]): boolean {
  const parent = issue.path.slice(0, -1)
  const name = String(issue.path.at(-1))
  if (issue.code !== "invalid_type" || valueAt(file.content, issue.path) !== undefined) return false
  const strangers = all.flatMap((one) =>
    one.code === "unrecognized_keys" && samePath(one.path, parent) ? one.keys : [],
  )
  return strangers.some((key) => nearest(key, [name]) !== undefined)
}

const samePath = (one: Path, other: Path) =>
  one.length === other.length && one.every((part, at) => part === other[at])

function toFaults(file: ParsedFile, issue: Issue, form: Form<z.ZodType>): readonly PolicyFault[] {
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => unknownKey(file, issue.path, key, form))
  const value = valueAt(file.content, issue.path)
  const place = file.place(issue.path, issue.code === "invalid_key" ? "key" : "value")
  if (value === undefined) return [missing(file, issue.path)]
  const hint = hintFor(issue, value)
  return [{ place, message: messageOf(issue, value), ...(hint !== undefined && { hint }) }]
}

function unknownKey(file: ParsedFile, path: Path, key: string, form: Form<z.ZodType>): PolicyFault {
  const place = file.place([...path, key], "key")
  const hint = suggest(key, keysAt(path, form.schema))
  return { place, message: `expected a known key, found ${quote(key)}`, ...(hint !== undefined && { hint }) }
}

function missing(file: ParsedFile, path: Path): PolicyFault {
  const within = path.slice(0, -1).findLast((part) => typeof part === "string")
  const owner = within === undefined ? "" : ` in "${String(within)}"`
  return {
    place: file.place(path.slice(0, -1), "key"),
    message: `expected "${String(path.at(-1))}"${owner}, found none`,
  }
}

function messageOf(issue: Issue, value: unknown): string {
  if (issue.code === "invalid_type" && !issue.message.startsWith("expected ")) {
    return `expected ${nameOf(issue.expected)}, found ${shown(value)}`
  }
  if (issue.code === "invalid_value") {
    return `expected ${issue.values.length > 1 ? "one of " : ""}${issue.values.join(", ")}, found ${shown(value)}`
  }
  if (issue.code === "invalid_key")
    return `${issue.issues[0]?.message ?? "expected a name"}, found ${quote(String(issue.path.at(-1)))}`
  return typeof value === "object" ? issue.message : `${issue.message}, found ${shown(value)}`
}

function hintFor(issue: Issue, value: unknown): string | undefined {
  if (issue.code === "invalid_value" && typeof value === "string") {
    const meant = nearest(value, issue.values.map(String))
    return meant === undefined ? undefined : `did you mean "${meant}"?`
  }
  const unquoted =
    issue.code === "invalid_type" && issue.expected === "string" && /^(number|boolean)$/.test(typeof value)
  return unquoted ? "quote it" : undefined
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "a text",
  boolean: "true or false",
  number: "a number",
  int: "a whole number",
  array: "a list",
  object: "members",
  record: "members",
}

const nameOf = (expected: string): string => TYPE_NAMES[expected] ?? expected

function shown(value: unknown): string {
  if (value === null) return "nothing"
  if (Array.isArray(value)) return "a list"
  if (typeof value === "object") return "members"
  return typeof value === "string" ? quote(value) : String(value)
}

function valueAt(content: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, member) => (typeof value === "object" && value !== null ? Reflect.get(value, member) : undefined),
    content,
  )
}
