// The names in a query, as the most lenient reader of one takes them: readers differ, and one that is to hold nothing under a
// name must hold it under none of its spellings. It decides nothing about values.

/** `%u0061` is what older servers of Microsoft's decode, too. What is no escape stays as it is, as with all of them. */
const ESCAPE = /%(?:u([0-9a-f]{4})|([0-9a-f]{2}))/gi

/**
 * Names that have a value, in lower case, each decoded once, byte by byte. As PHP keeps them: without leading spaces, up to a
 * NUL, with `_` for a dot and a space. Does NOT put bytes of UTF-8 together: names of ASCII are what is looked for.
 */
export function namesIn(query: string): string[] {
  return query
    .split(/[?&;]/)
    .filter((pair) => pair.includes("="))
    .map((pair) =>
      pair
        .slice(0, pair.indexOf("="))
        .replaceAll("+", " ")
        .replace(ESCAPE, (_, wide, byte) => String.fromCharCode(Number.parseInt(wide ?? byte, 16)))
        .replace(/^ +|\0.*$/gs, "")
        .replace(/[. ]/g, "_")
        .toLowerCase(),
    )
}
