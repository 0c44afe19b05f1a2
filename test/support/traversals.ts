// Texts that try to climb out of a path, made by rules: what names the directory above, in every spelling that some reader
// decodes, with every slash, so often, before and after something. Always the same ones, in the same order.

const HEX = (code: number) => code.toString(16).padStart(2, "0")
const percent = (text: string) => [...Buffer.from(text)].map((byte) => `%${HEX(byte)}`).join("")
const upper = (text: string) => text.replace(/%[0-9a-f]{2}/g, (one) => one.toUpperCase())
const twice = (text: string) => text.replaceAll("%", "%25")

/** UTF-8 of one ASCII character in more bytes than it needs, percent-encoded. */
const overlong = (code: number) => {
  const low = 0x80 | (code & 0x3f)
  return [
    [0xc0 | (code >> 6), low],
    [0xe0, 0x80 | (code >> 6), low],
    [0xf0, 0x80, 0x80 | (code >> 6), low],
    [0xf8, 0x80, 0x80, 0x80 | (code >> 6), low],
  ].map((bytes) => bytes.map((byte) => `%${HEX(byte)}`).join(""))
}

/** One character as it is, and as readers of all kinds spell it. */
function spellings(character: string, lookalikes: readonly string[]): string[] {
  const code = character.charCodeAt(0)
  const encoded = percent(character)
  const odd = [
    `%u00${HEX(code)}`,
    `%U+00${HEX(code)}`,
    `&#${code};`,
    `&#x${HEX(code)};`,
    `\\x${HEX(code)}`,
    `\\u00${HEX(code)}`,
  ]
  const many = [
    encoded,
    twice(encoded),
    twice(twice(encoded)),
    ...overlong(code),
    ...overlong(code).map(twice),
  ]
  return [
    ...new Set([character, ...many, ...many.map(upper), ...odd, ...lookalikes, ...lookalikes.map(percent)]),
  ]
}

const DOTS = spellings(".", ["\uff0e", "\u2024", "\u3002"])
const SLASHES = [
  ...spellings("/", ["\uff0f", "\u2215", "\u2044", "\u29f8"]),
  ...spellings("\\", ["\uff3c", "\u2216"]),
]
const ENDS = ["", "43", "43%00", "%00", "43\0", "?", "#", ";x", "%20", "43.json", "etc/passwd"]
const STARTS = ["", "42", "42;x", "%00"]
const EXOTIC = [
  "...",
  "....",
  "....//",
  ".../",
  "..;",
  "..%3b",
  "..%00",
  "..\0",
  ".%00.",
  ". .",
  "..%01",
  "..%20",
  "..%09",
  "~",
  "%2e%2e",
  "..%c0",
  "..\u200b",
  "\u202e..",
  ".\u0301.",
  "*",
  "**",
  "{id}",
  "%7Bid%7D",
]

/** About twenty thousand, all different. `token` is the text that is allowed, hidden in some of them. */
export function traversals(token: string): string[] {
  const found = new Set<string>()
  const starts = [...STARTS, token]
  const ends = [...ENDS, token]
  for (const dot of DOTS)
    for (const slash of SLASHES) {
      const above = `${dot}${dot}${slash}`
      for (const end of ends) found.add(`${above}${end}`)
      for (const start of starts) found.add(`${start}${slash}${above}43`)
    }
  for (const dot of DOTS.slice(0, 12))
    for (const slash of SLASHES.slice(0, 12))
      for (const deep of [2, 3, 5, 8, 64]) found.add(`${`${dot}${dot}${slash}`.repeat(deep)}${token}`)
  for (const one of EXOTIC)
    for (const start of starts) for (const end of ends) found.add(`${start}${one}${end}`)
  for (const slash of SLASHES)
    for (const text of [`${token}${slash}`, `${slash}${token}`, slash]) found.add(text)
  return [...found].filter((text) => text !== token)
}
