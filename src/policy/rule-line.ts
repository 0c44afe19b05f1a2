// Where a rule stands in the text of a policy, whether or not that policy is in force: its line, and the text of the rule. It
// reads texts that were a policy once; that they still would be is not checked.
import { parsePolicyFile } from "./parse.ts"

export interface RuleLine {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** That line, without the spaces around it. */
  readonly text: string
  /** The whole rule, as it stands in the file. */
  readonly rule: string
}

/** Of a grant, `support.yaml#/tasks/triage-ticket/grants/0`. Undefined where the texts have no such rule. */
export function findGrant(texts: ReadonlyMap<string, string>, rule: string): RuleLine | undefined {
  const [file = "", pointer = ""] = rule.split("#")
  const path = pointer.split("/").slice(1)
  return lineAt(
    texts,
    file,
    path.map((step) => (/^\d+$/.test(step) ? Number(step) : step)),
  )
}

/** Of a rule of users by its name, in whichever file it is. */
export function findUserRule(texts: ReadonlyMap<string, string>, name: string): RuleLine | undefined {
  for (const file of texts.keys()) {
    const found = /\.ya?ml$/.test(file) ? lineAt(texts, file, ["users", name]) : undefined
    if (found) return found
  }
  return undefined
}

function lineAt(
  texts: ReadonlyMap<string, string>,
  file: string,
  path: readonly PropertyKey[],
): RuleLine | undefined {
  const text = texts.get(file)
  const parsed = text === undefined ? undefined : parsePolicyFile(file, text)
  if (text === undefined || !parsed || !("place" in parsed)) return undefined
  if (!isThere(parsed.content, path)) return undefined
  const { line } = parsed.place(path, "key")
  const lines = text.split(/\r?\n/)
  const [first = "", ...after] = lines.slice(line - 1)
  return { file, line, text: first.trim(), rule: [first, ...belonging(first, after)].join("\n") }
}

const isThere = (content: unknown, path: readonly PropertyKey[]): boolean =>
  path.reduce<unknown>(
    (value, step) => (typeof value === "object" && value !== null ? Reflect.get(value, step) : undefined),
    content,
  ) !== undefined

const indentOf = (line: string): number => line.length - line.trimStart().length

/** The lines that stand deeper than the first, up to the next that does not. */
function belonging(first: string, after: readonly string[]): string[] {
  const end = after.findIndex((line) => line.trim() !== "" && indentOf(line) <= indentOf(first))
  const lines = end < 0 ? [...after] : after.slice(0, end)
  while (lines.at(-1)?.trim() === "") lines.pop()
  return lines
}
