// What a JWT looks like in other text: three runs of base64url with a dot between them, the first of which begins as JSON
// does. One recognition for whoever takes tokens out of text and whoever looks for them. It decides form only: whose a token
// is and whether it is genuine is not asked.

/** A JWT (RFC 7519), or what is left of one that was cut short. */
export interface JwtForm {
  /** Where it begins and ends in the text. */
  readonly from: number
  readonly to: number
  readonly header: string
  /** Undefined: nothing of it is there. */
  readonly payload: string | undefined
  readonly signature: string | undefined
}

/** `{"` in base64url, as every JWT begins. */
const BEGINNING = "eyJ"
/** Of a part, after that: less is none. */
const SHORTEST = 8

/**
 * The first JWT at or after a place. A dot may be spelled as URLs (`%2E`, and that encoded again) or JSON (`\u002e`)
 * spell it. Linear in the text whatever is in it.
 */
export function nextJwt(text: string, from = 0): JwtForm | undefined {
  for (let at = text.indexOf(BEGINNING, from); at >= 0; at = text.indexOf(BEGINNING, at)) {
    const end = endOfRun(text, at)
    if (end - at >= BEGINNING.length + SHORTEST) return readForm(text, at, end)
    at = end // whatever begins later in a run ends where it ends
  }
  return undefined
}

function readForm(text: string, from: number, headerEnd: number): JwtForm {
  const header = text.slice(from, headerEnd)
  const second = afterDot(text, headerEnd)
  if (second < 0) return { from, to: headerEnd, header, payload: undefined, signature: undefined }
  const payloadEnd = endOfRun(text, second)
  const payload = text.slice(second, payloadEnd)
  const third = afterDot(text, payloadEnd)
  if (third < 0) return { from, to: payloadEnd, header, payload, signature: undefined }
  const to = endOfRun(text, third)
  return { from, to, header, payload, signature: text.slice(third, to) }
}

/** The text with something else in the place of each JWT that is more than a header, cut short or not. */
export const withoutJwts = (text: string, instead: string): string =>
  replaceForms(text, instead, ({ payload = "" }) => payload.length >= SHORTEST)

/** The same, and of what has a header's form alone. */
export const withoutJwtHeaders = (text: string, instead: string): string =>
  replaceForms(text, instead, () => true)

function replaceForms(text: string, instead: string, isTaken: (form: JwtForm) => boolean): string {
  let clean = ""
  let copied = 0
  for (let form = nextJwt(text); form; form = nextJwt(text, form.to)) {
    if (!isTaken(form)) continue
    clean += text.slice(copied, form.from) + instead
    copied = form.to
  }
  return copied === 0 ? text : clean + text.slice(copied)
}

/** 1 for the characters of base64url. */
const RUN = new Uint8Array(128)
for (const letter of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
  RUN[letter.charCodeAt(0)] = 1

function endOfRun(text: string, from: number): number {
  let at = from
  while (RUN[text.charCodeAt(at)] === 1) at += 1
  return at
}

/** Spellings of a dot beside itself, the first letters of which are in no run. */
const DOT = /(?:%(?:25)?2|\\u002)[eE]/y

/** Where what follows a dot begins; -1: there is none. */
function afterDot(text: string, at: number): number {
  if (text.charCodeAt(at) === 46) return at + 1
  DOT.lastIndex = at
  return DOT.test(text) ? DOT.lastIndex : -1
}
