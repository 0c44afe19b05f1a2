// Text that others wrote, made safe to show: a terminal obeys control characters and bidirectional marks, so they are
// shown as escapes, and what looks like a token is not shown at all. It decides how text looks, never what it says.

import { withoutJwtHeaders } from "../token/form.ts"

/** Control, format (bidirectional, zero-width, tags), private use and lone surrogates; line and paragraph separators. */
const OBEYED = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu

/** One line for a terminal: whatever it would obey stands as `\u{202e}`. */
export const forTerminal = (text: string): string =>
  text.replace(OBEYED, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)

/** What stays of it where lines are put together here: their ends, tabs, and the colours of picocolors. */
const OURS = "\\r?\\n|\\t|\\u001b\\[(?:[0-2]|22|3[1-79])m"
const OURS_OR_OBEYED = new RegExp(`${OURS}|${OBEYED.source}`, "gu")
const IS_OURS = new RegExp(`^(?:${OURS})$`)

/**
 * What is shown on a terminal, whole: whoever forgot to escape what others wrote has done no harm. It can have colours at
 * most.
 */
export const forScreen = (text: string): string =>
  text.replace(OURS_OR_OBEYED, (found) => (IS_OURS.test(found) ? found : forTerminal(found)))

/** A record of the log, which is JSON already: the same value, in characters that no reader obeys. */
export const forLog = (line: string): string => line.replace(OBEYED, keepingEnds)

/** JSON for a person or a program: the same characters as JSON's own escapes, so that it parses to the same value. */
export function forJson(value: unknown, indent = 2): string {
  const text = JSON.stringify(value, undefined, indent) ?? "null"
  return text.replace(OBEYED, keepingEnds)
}

const keepingEnds = (character: string): string => (character === "\n" ? character : escapeUnits(character))

const escapeUnits = (character: string): string =>
  Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
  ).join("")

/** The text, with `[token]` wherever something in it looks like one; the rest may be cut off. */
export const withoutTokens = (line: string): string => withoutJwtHeaders(line, "[token]")
