// Where a part of a loaded policy stands, to the line and column: files are parsed again when first asked about, because a
// loaded policy remembers the places of whole rules only.
import { type ParsedFile, type PathInFile, parsePolicyFile } from "./parse.ts"
import type { Place, Policy } from "./policy.ts"

/** Where the value (or the key) at a path of a policy file stands; of a path that is not there, its nearest ancestor. */
export type PlaceOf = (file: string, path: PathInFile, part?: "key" | "value") => Place

export function createPlaces({ files }: Pick<Policy, "files">): PlaceOf {
  const parsed = new Map<string, ParsedFile | undefined>()
  const read = (file: string) => {
    if (!parsed.has(file)) {
      const one = parsePolicyFile(file, files.get(file) ?? "")
      parsed.set(file, "place" in one ? one : undefined)
    }
    return parsed.get(file)
  }
  return (file, path, part) => read(file)?.place(path, part) ?? { file, line: 1, column: 1 }
}
