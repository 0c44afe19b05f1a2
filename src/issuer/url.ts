// What an issuer may be called. Compared byte for byte later, so it has to be in its one spelling: `URL` would write it the
// same.

/** Throws TypeError where it is no origin, or plain http where that is not allowed. */
export function checkIssuerUrl({
  issuer,
  dangerouslyAllowPlainHttp,
}: {
  readonly issuer: string
  readonly dangerouslyAllowPlainHttp?: boolean
}): void {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined
  if (!url || url.origin !== issuer)
    throw new TypeError("issuer must be an origin, such as https://taskmint.example, without path or slash")
  const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)
  if (url.protocol === "https:" || (url.protocol === "http:" && (loopback || dangerouslyAllowPlainHttp)))
    return
  throw new TypeError("issuer must be an https URL; plain http is for loopback only")
}
