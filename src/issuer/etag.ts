// The tag of a text, and whether who asks has that text already (RFC 9110 sections 8.8.3 and 13.1.2).
import { createHash } from "node:crypto"

export const etagOf = (text: string): string =>
  `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`

/** By weak comparison, for a GET: any of a list, or `*`. */
export function hasAlready(request: Request, etag: string): boolean {
  const kept = request.headers.get("if-none-match")
  if (kept === null || kept === etag) return kept !== null
  return kept.split(",").some((one) => one.trim() === "*" || one.trim().replace(/^W\//, "") === etag)
}
