// The parameters of a query as the most lenient reader of one takes them: readers differ, and one that is to hold nothing under
// a name must hold it under none of its spellings. It decides nothing about values.

/** `%u0061` is what older servers of Microsoft's decode, too. What is no escape stays as it is, as with all of them. */
const ESCAPE = /%(?:u([0-9a-f]{4})|([0-9a-f]{2}))/gi

/** Each escape resolved once, byte by byte. Does NOT put bytes of UTF-8 together: ASCII is what is looked for. */
export const decodedOnce = (text: string): string =>
  text.replace(ESCAPE, (_, wide, byte) => String.fromCharCode(Number.parseInt(wide ?? byte, 16)))

/**
 * Raw values of the parameters of that name (lower case ASCII) in a request target, behind whatever some framework takes for
 * the end of a path or of a parameter. Names are decoded and, as PHP keeps them, without leading spaces, up to a NUL, with
 * `_` for a dot, a space and a bracket that is left open; `name[...]` makes a list of that name, and `[name]` is that name to
 * qs (Express) and Rack.
 */
export function valuesUnder(name: string, target: string): string[] {
  if (!target.includes("=")) return [] // as most have none
  const values: string[] = []
  for (const pair of target.split(/[?&;#]/)) {
    const end = pair.indexOf("=")
    if (end >= 0 && isSpelling(pair.slice(0, end), name)) values.push(pair.slice(end + 1))
  }
  return values
}

function isSpelling(written: string, name: string): boolean {
  if (written.length < name.length) return false // no escape is shorter than what it stands for
  const read = decodedOnce(written.replaceAll("+", " "))
    .replace(/^ +|\0.*$/gs, "")
    .replace(/[. ]/g, "_")
    .toLowerCase()
  const isIt = (text: string) => text === name || text.startsWith(`${name}[`) || text.startsWith(`${name}]`)
  return isIt(read.replace(/^[[\]]+/, "")) || (!read.includes("]") && isIt(read.replaceAll("[", "_")))
}
