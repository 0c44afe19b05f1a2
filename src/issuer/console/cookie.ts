// The console's two cookies: the session's id, and what a sign-in that is under way is recognised by. It decides what a cookie
// is taken for, and how one is set: always `__Host-` (RFC 6265bis section 4.1.3), so that no other host can plant it. What is
// in them means is decided by sessions.ts and attempt.ts.

export type CookieName = "__Host-taskmint" | "__Host-taskmint-sign-in"

const SESSION = "__Host-taskmint"
const ATTEMPT = "__Host-taskmint-sign-in"
const ATTRIBUTES = "Path=/; Secure; HttpOnly"

/** The value; undefined where there is none, or more than one: then nobody knows which is meant. */
export function cookieOf(request: Request, name: CookieName): string | undefined {
  const pairs = (request.headers.get("cookie") ?? "").split(";").map((one) => one.trim())
  const values = pairs.filter((one) => one.startsWith(`${name}=`)).map((one) => one.slice(name.length + 1))
  return values.length === 1 ? values[0] : undefined
}

/** Goes with the browser; when the session ends is known to the issuer alone. Never sent from another site's page. */
export const sessionCookie = (id: string): string => `${SESSION}=${id}; ${ATTRIBUTES}; SameSite=Strict`

/** Lax, because the provider's page sends people back with it. */
export const attemptCookie = (value: string, seconds: number): string =>
  `${ATTEMPT}=${value}; ${ATTRIBUTES}; SameSite=Lax; Max-Age=${seconds}`

export const noSession = `${SESSION}=; ${ATTRIBUTES}; SameSite=Strict; Max-Age=0`
export const noAttempt = `${ATTEMPT}=; ${ATTRIBUTES}; SameSite=Lax; Max-Age=0`
