// Where a token's status is told to verifiers that are not ours: the `status` claim of a Token Status List
// (draft-ietf-oauth-status-list, section 6). It decides the claim's one shape and how lists are named; what a list says
// is status-list.ts's, and which place a token gets is decided where it is minted.
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts"

/** A token's place in a list, as its claim names it. */
export interface StatusReference {
  readonly idx: number
  /** Of the list, byte for byte its `sub`. */
  readonly uri: string
}

export const STATUS_LISTS_PATH = "/status-lists"
/** How many places any list has, from its first day: its length tells nobody how many tokens there are. */
export const LIST_PLACES = 65_536

const LIST_ID = /^[A-Za-z0-9_-]{22}$/

/** 16 random bytes in base64url: it tells neither order nor time. */
export const isStatusListId = (value: string): boolean => LIST_ID.test(value)

export const statusListUri = (issuer: string, id: string): string => `${issuer}${STATUS_LISTS_PATH}/${id}`

/** Whether it is a place in a list of this issuer. NOT checked: that there is such a list. */
export function isStatusReference(reference: StatusReference, issuer: string): boolean {
  const { idx, uri } = reference
  const prefix = statusListUri(issuer, "")
  if (!Number.isInteger(idx) || idx < 0 || idx >= LIST_PLACES) return false
  return uri.startsWith(prefix) && isStatusListId(uri.slice(prefix.length))
}

/** Undefined without the claim; null for any that is not exactly one place in a list of this issuer. */
export function parseStatus(
  value: JsonValue | undefined,
  issuer: string,
): StatusReference | undefined | null {
  if (value === undefined) return undefined
  const list = onlyObjectOf(value, 1)?.status_list
  const { idx, uri } = onlyObjectOf(list, 2) ?? {}
  if (typeof idx !== "number" || typeof uri !== "string") return null
  return isStatusReference({ idx, uri }, issuer) ? { idx, uri } : null
}

const onlyObjectOf = (value: JsonValue | undefined, members: number): JsonObject | undefined =>
  isJsonObject(value) && Object.keys(value).length === members ? value : undefined
