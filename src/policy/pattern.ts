// Whether a text fits a policy's pattern: RE2 only, so that matching is linear in the text whatever the pattern says.
// It knows nothing of inputs or of what makes a segment data; decide.ts asks both.
import { RE2JS } from "re2js"
import { showHidden } from "./quote.ts"

/** Longest source of a pattern, in characters. */
const MAX_PATTERN_LENGTH = 512

/** Longest text that is matched at all: an input value is one resource segment. */
const MAX_TEXT_LENGTH = 256

/** An anchored pattern: the whole text fits, or it doesn't. */
export interface InputPattern {
  matches(text: string): boolean
}

/**
 * The pattern of an RE2 source, anchored at both ends whatever the source says. Compiled once, at its first use. The
 * source is NOT checked here: patternFault does that, when the policy is loaded.
 */
export function inputPattern(source: string): InputPattern {
  let compiled: RE2JS | undefined
  return {
    matches(text) {
      if (text.length > MAX_TEXT_LENGTH) return false
      compiled ??= RE2JS.compile(source)
      return compiled.testExact(text)
    },
  }
}

/** Sources that nothing was wrong with: task types often have the same. Dropped when there are many. */
const sound = new Set<string>()
const MOST_SOUND = 1000

/** What is wrong with a pattern's source; undefined where nothing is. */
export function patternFault(source: string): string | undefined {
  if (source.length > MAX_PATTERN_LENGTH) return `a pattern of at most ${MAX_PATTERN_LENGTH} characters`
  if (sound.has(source)) return undefined
  try {
    RE2JS.compile(source)
    if (sound.size >= MOST_SOUND) sound.clear()
    sound.add(source)
    return undefined
  } catch (error) {
    return `an RE2 pattern (${error instanceof Error ? showHidden(error.message) : "it can't be compiled"})`
  }
}
