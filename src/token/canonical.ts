// Canonical JSON (RFC 8785), the form in which entries and parameters are hashed. Our own, because every mint writes two
// entries and this takes a third of the time of the general library, which the tests hold it against.

/** JSON, or an object some of whose members are undefined: these are left out. */
export type JsonMembers =
  | string
  | number
  | boolean
  | null
  | readonly JsonMembers[]
  | { readonly [member: string]: JsonMembers | undefined }

/**
 * Members sorted by their UTF-16 code units, no white space, strings and numbers as ECMAScript writes them. Members
 * that are undefined are left out. Throws TypeError on what JSON can't say: lone surrogates, NaN, infinities.
 */
export function canonicalJson(value: JsonMembers): string {
  // ECMAScript writes JSON as RFC 8785 wants it but for the order of members, and most are written down in order.
  return isInOrder(value) ? JSON.stringify(value) : writeSorted(value)
}

/** Whether every object's members stand in canonical order already. Throws on what JSON can't say. */
function isInOrder(value: JsonMembers): boolean {
  if (typeof value === "string") return checkText(value)
  if (typeof value === "number") return checkNumber(value)
  if (typeof value === "boolean" || value === null) return true
  if (typeof value !== "object") throw new TypeError("a value can't be written as canonical JSON")
  return isList(value) ? areItemsInOrder(value) : areMembersInOrder(value)
}

function areItemsInOrder(items: readonly JsonMembers[]): boolean {
  let inOrder = true
  for (const item of items) inOrder = isInOrder(item) && inOrder
  return inOrder
}

function areMembersInOrder(members: { readonly [member: string]: JsonMembers | undefined }): boolean {
  let inOrder = true
  let before = ""
  for (const name in members) {
    const value = members[name]
    if (value === undefined) continue
    checkText(name)
    inOrder = isInOrder(value) && before <= name && inOrder
    before = name
  }
  return inOrder
}

function checkText(text: string): true {
  if (text.isWellFormed()) return true
  throw new TypeError("a lone surrogate can't be written as canonical JSON")
}

function checkNumber(value: number): true {
  if (Number.isFinite(value)) return true
  throw new TypeError("a number without a value can't be written as canonical JSON")
}

const isList = (value: object): value is readonly JsonMembers[] => Array.isArray(value)

/** Of what was checked: member by member, because an object can't hold members that look like numbers in any order. */
function writeSorted(value: JsonMembers): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  if (isList(value)) return `[${value.map(writeSorted).join(",")}]`
  const written: string[] = []
  for (const name of Object.keys(value).sort()) {
    const member = value[name]
    if (member !== undefined) written.push(`${JSON.stringify(name)}:${writeSorted(member)}`)
  }
  return `{${written.join(",")}}`
}
