// Canonical JSON (RFC 8785), the form in which entries are hashed. Our own, because every mint writes two of them and this
// takes a fifth of the time of the general library, which the tests hold it against.
import type { Json } from "./event.ts"

/**
 * Members sorted by their UTF-16 code units, no white space, strings and numbers as ECMAScript writes them. Members
 * that are undefined are left out. Throws TypeError on what JSON can't say: lone surrogates, NaN, infinities.
 */
export function canonicalJson(value: Json): string {
  if (typeof value === "string") return quote(value)
  if (typeof value === "number") return writeNumber(value)
  if (typeof value === "object" && value !== null)
    return isList(value) ? writeList(value) : writeObject(value)
  if (value === null || typeof value === "boolean") return String(value)
  throw new TypeError("a value can't be written as canonical JSON")
}

/** Printable ASCII without quotes and backslashes needs no escaping. */
const PLAIN = /^[ !#-[\]-~]*$/

function quote(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`
  if (!text.isWellFormed()) throw new TypeError("a lone surrogate can't be written as canonical JSON")
  return JSON.stringify(text)
}

/** RFC 8785 section 3.2.2.3: as ECMAScript does, negative zero as 0. */
function writeNumber(value: number): string {
  if (!Number.isFinite(value))
    throw new TypeError("a number without a value can't be written as canonical JSON")
  return JSON.stringify(value)
}

const isList = (value: object): value is readonly Json[] => Array.isArray(value)

function writeList(items: readonly Json[]): string {
  let text = ""
  for (const item of items) text += `,${canonicalJson(item)}`
  return `[${text.slice(1)}]`
}

function writeObject(members: { readonly [member: string]: Json | undefined }): string {
  let text = ""
  for (const name of sortedNames(members)) {
    const value = members[name]
    if (value !== undefined) text += `,${quote(name)}:${canonicalJson(value)}`
  }
  return `{${text.slice(1)}}`
}

/** The names of members in canonical order. Most are written down in it already, and then nothing is sorted. */
export function sortedNames(members: object): string[] {
  const names = Object.keys(members)
  for (let at = 1; at < names.length; at++) if ((names[at - 1] ?? "") > (names[at] ?? "")) return names.sort()
  return names
}
