// Whether a URL can name an API: what will be its tokens' `aud`, compared byte for byte. It never asks the network.
/**
 * What was expected of an RFC 8707 resource URL that can't be one; undefined where it can. https, or http on loopback
 * (anywhere with `allowPlainHttp`); spelled as URL parsers write it, without user, query or fragment.
 */
export function resourceUrlFault(text: string, allowPlainHttp: boolean): string | undefined {
  if (!URL.canParse(text)) return "expected a URL such as https://tickets.internal.example"
  const url = new URL(text)
  const plain = url.protocol === "http:" && (allowPlainHttp || isLoopback(url.hostname))
  if (url.protocol !== "https:" && !plain) return "expected an https URL (http only on loopback)"
  if (url.username || url.password) return "expected a URL without a user"
  if (/[?#]/.test(text)) return "expected a URL without query or fragment"
  const canonical = url.href === text || url.href === `${text}/`
  return canonical ? undefined : `expected the URL as ${url.pathname === "/" ? url.origin : url.href}`
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

/** For telling whether two resources are one: a trailing slash apart, they would be mistaken for each other. */
export const resourceIdentity = (text: string): string => new URL(text).href.replace(/\/$/, "")
