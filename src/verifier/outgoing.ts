// What goes out of a node server: a finished answer copied as it stands, and the outcome of an allowed request joined to
// its recorded use. It decides nothing.
import type { ServerResponse } from "node:http"
import type { Answer } from "./challenge.ts"
import type { Decision, Refused } from "./verifier.ts"

/** What the host has set on the response stays, except where the answer says otherwise. */
export function sendAnswer(outgoing: ServerResponse, { status, headers, body }: Answer): void {
  outgoing.statusCode = status
  outgoing.setHeaders(new Map(Object.entries(headers))).end(body)
}

/**
 * Gives the answer to a request that goes on its headers, and joins the status when the response has ended. When the client went away before any of it was sent, the use keeps no
 * status, and lasted until then.
 */
export function joinOutcome(
  outgoing: ServerResponse,
  { headers, finished }: Exclude<Decision, Refused>,
): void {
  for (const name in headers) outgoing.setHeader(name, headers[name] ?? "")
  const join = () => finished(outgoing.headersSent ? outgoing.statusCode : 0)
  if (outgoing.closed) join()
  else outgoing.once("close", join)
}
