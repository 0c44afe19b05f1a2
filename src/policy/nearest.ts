// Which known name somebody meant: for messages only, never for a decision.
import { closest, distance } from "fastest-levenshtein"

/** The known name nearest to the one given, when it is near enough to be a slip. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > 200 || known.length === 0) return undefined
  const lower = name.toLowerCase()
  const candidate = closest(lower, known)
  return distance(lower, candidate) <= Math.max(2, Math.floor(candidate.length / 3)) ? candidate : undefined
}

/** `did you mean "tickets"?`, else what there is to choose from; undefined where there is nothing. */
export function suggest(name: string, known: Iterable<string>): string | undefined {
  const names = [...known]
  const meant = nearest(name, names)
  if (meant !== undefined) return `did you mean "${meant}"?`
  if (names.length === 0) return undefined
  const shown = names.slice(0, 8).join(", ")
  return `known here: ${shown}${names.length > 8 ? ", ..." : ""}`
}
