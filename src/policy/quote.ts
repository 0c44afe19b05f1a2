// Text of a policy file or a request as messages show it: short, and with nothing in it that hides or reorders what is
// read. For messages only.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu
const LONGEST = 80

/** In double quotes, JSON escapes, invisible and bidirectional characters escaped too, cut at 80 characters. */
export function quote(text: string): string {
  const short = text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text
  return showHidden(JSON.stringify(short))
}

/** The text with what is invisible or reorders it as escapes. */
export const showHidden = (text: string): string => text.replace(HIDDEN, escaped)

const escaped = (character: string) => `\\u{${character.codePointAt(0)?.toString(16) ?? ""}}`
