// What an operation touches: a path of segments. Binding inputs into templates and matching a request are decided here,
// segment by segment; joined strings are never parsed again once they are segments.
import { isName } from "./name.ts"

/** A bound pattern: literal segments, `*` for any one, a last `**` for one or more. Literals are never `*`. */
export type Resource = readonly string[]

/** As a policy writes it: literals, `*`, a last `**`, or the name of an input. */
export type TemplateSegment = { readonly literal: string } | { readonly input: string } | "*" | "**"
export type ResourceTemplate = readonly TemplateSegment[]

/** Of a template, of a token's resource, and of a request. */
export const MAX_SEGMENTS = 32
/** Of a segment that is data. */
const MAX_CHARACTERS = 256
/** The same in UTF-16 units, by which JavaScript counts: a character beyond U+FFFF has two. */
export const MAX_UNITS = 2 * MAX_CHARACTERS

const PLAIN = /^[A-Za-z0-9_~!$&'()+,:=@.-]{1,256}$/
// Cc, Cf (bidirectional and zero-width marks), half surrogates, separators; what paths, patterns and URLs give a meaning.
const NOT_DATA = /[/\\%*{}?#;\s\p{Cc}\p{Cf}\p{Cs}\p{Z}]/u

/**
 * Whether a text is data: 1 to 256 characters, NFC as it came, not `.` or `..`, none of `/ \ % * { } ? # ;`, no white
 * space, control or formatting character. Nothing is normalised or decoded.
 */
export function isSegment(text: string): boolean {
  if (text === "." || text === "..") return false
  if (PLAIN.test(text)) return true
  if (text.length === 0 || text.length > MAX_UNITS || NOT_DATA.test(text)) return false
  return [...text].length <= MAX_CHARACTERS && text.normalize("NFC") === text
}

const WHOLE_SEGMENT = "an input must be a whole segment: {name}"

/** Reads a policy's template; where it is not one, answers what is wrong. `inputs` are the names that may stand in braces. */
export function parseTemplate(text: string, inputs: ReadonlySet<string>): ResourceTemplate | string {
  const parts = text.split("/")
  if (parts.length > MAX_SEGMENTS) return `a resource has at most ${MAX_SEGMENTS} segments`
  const template: TemplateSegment[] = []
  for (const [index, part] of parts.entries()) {
    const segment = parseTemplateSegment(part, inputs, index === parts.length - 1)
    if (typeof segment === "string" && segment !== "*" && segment !== "**") return segment
    template.push(segment)
  }
  return template
}

function parseTemplateSegment(
  part: string,
  inputs: ReadonlySet<string>,
  last: boolean,
): TemplateSegment | string {
  if (part === "*") return "*"
  if (part === "**") return last ? "**" : "** may only be the last segment"
  const input = /^\{(.*)\}$/su.exec(part)?.[1]
  if (input !== undefined) {
    if (inputs.has(input)) return { input }
    return isName(input) ? `there is no input "${input}"` : WHOLE_SEGMENT
  }
  if (part === "") return "a segment is empty"
  if (isSegment(part)) return { literal: part }
  if (/[{}]/.test(part)) return WHOLE_SEGMENT
  if (part.includes("*")) return "* and ** must be whole segments"
  return "a segment is 1 to 256 characters, without . or .. alone, / \\ % * { } ? # ; and white space"
}

/**
 * Puts the inputs' values in, once; a value is never read as a pattern. Throws TypeError for an input that is missing
 * or that is not data: `decide` has checked both.
 */
export function bindTemplate(template: ResourceTemplate, inputs: ReadonlyMap<string, string>): Resource {
  return template.map((segment) => {
    if (typeof segment === "string") return segment
    if ("literal" in segment) return segment.literal
    const value = inputs.get(segment.input)
    if (value === undefined || !isSegment(value))
      throw new TypeError(`The input ${segment.input} is missing or is not data`)
    return value
  })
}

/** Whether the pattern matches the request's segments. Does NOT check that these are data; `judgeUse` does. */
export function matchesResource(pattern: Resource, segments: readonly string[]): boolean {
  const open = pattern.at(-1) === "**"
  const fixed = open ? pattern.length - 1 : pattern.length
  if (open ? segments.length <= fixed : segments.length !== fixed) return false
  for (let at = 0; at < fixed; at += 1) {
    if (pattern[at] !== "*" && pattern[at] !== segments[at]) return false
  }
  return true
}

/** Whether everything that `inner` matches is matched by `outer`. */
export function coversResource(outer: Resource, inner: Resource): boolean {
  const open = outer.at(-1) === "**"
  const fixed = open ? outer.length - 1 : outer.length
  if (inner.at(-1) === "**" && (!open || inner.length <= fixed)) return false
  if (open ? inner.length <= fixed : inner.length !== fixed) return false
  for (let at = 0; at < fixed; at += 1) {
    if (outer[at] !== "*" && outer[at] !== inner[at]) return false
  }
  return true
}

/** The pattern that matches exactly what both match; undefined where nothing is. */
export function meetResources(one: Resource, other: Resource): Resource | undefined {
  const [open, fixed] = one.at(-1) === "**" ? [one, other] : [other, one]
  if (open.at(-1) !== "**") return one.length === other.length ? meetSegments(one, other) : undefined
  const head = open.slice(0, -1)
  if (fixed.at(-1) !== "**")
    return fixed.length > head.length
      ? meetSegments([...head, ...fixed.slice(head.length)], fixed)
      : undefined
  const rest = fixed.slice(0, -1)
  const length = Math.max(head.length, rest.length)
  const filled = (few: Resource, many: Resource) => [...few, ...many.slice(few.length, length)]
  const met = meetSegments(filled(head, rest), filled(rest, head))
  return met && [...met, "**"]
}

/** Of two lists of one length, without `**`. */
function meetSegments(one: Resource, other: Resource): Resource | undefined {
  const met: string[] = []
  for (const [at, segment] of one.entries()) {
    const beside = other[at] ?? ""
    if (segment !== beside && segment !== "*" && beside !== "*") return undefined
    met.push(segment === "*" ? beside : segment)
  }
  return met
}

/** As a token carries it: joined by `/`, which no segment holds. */
export const formatResource = (resource: Resource): string => resource.join("/")

/** Reads a token's resource back; undefined where it is not one. */
export function parseResource(text: unknown): Resource | undefined {
  if (typeof text !== "string" || text.length > MAX_UNITS * MAX_SEGMENTS) return undefined
  const parts = text.split("/")
  if (parts.length > MAX_SEGMENTS) return undefined
  const readable = parts.every(
    (part, index) => part === "*" || (part === "**" && index === parts.length - 1) || isSegment(part),
  )
  return readable ? parts : undefined
}

/** As one text. Segments that are not data (they were refused) are percent-encoded, so that it reads back one way only. */
export const joinSegments = (segments: readonly string[]): string =>
  segments.map((segment) => (isSegment(segment) ? segment : encodeURIComponent(segment))).join("/")
