// Which URLs may be an issuer or an API: https, and plain http on this computer alone. It decides nothing about who
// answers there; TLS does.

/** Reads the URL of a service. TypeError names the option when it is not one that may carry tokens. */
export function readServiceUrl(text: string, option: string, plainHttp = false): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url) throw new TypeError(`${option} must be an absolute URL`)
  if (url.username || url.password) throw new TypeError(`${option} must not hold a user or a password`)
  if (url.search || url.hash) throw new TypeError(`${option} must not have a query or a fragment`)
  if (url.protocol === "https:" || (url.protocol === "http:" && (plainHttp || isLoopback(url.hostname))))
    return url
  throw new TypeError(`${option} must be https; plain http is taken on loopback only`)
}

export const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
