// A refusal or a fault as a page: what a browser is shown wherever the console's addresses don't answer.
import { refusedPage } from "../../console/refused-page.ts"
import { type Next, REFUSALS, type Refusal } from "../../errors.ts"
import { statusAtIssuer } from "../problem.ts"
import { htmlAnswer } from "./route.ts"

/** What a reader can do; programs are told by the same word elsewhere. */
const WORDS: Readonly<Record<Next, string>> = {
  renew: "Sign in again, then load the page once more.",
  wait: "Nothing is lost. Load the page again in a moment.",
  ask_approval: "Somebody else has to agree first.",
  stop: "Go back, or start again from the overview.",
}

export const isConsole = (path: string): boolean => path === "/console" || path.startsWith("/console/")

export function refusedAnswer(
  refusal: Refusal,
  requestId: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const { title, next } = REFUSALS[refusal.code]
  const document = refusedPage({ title, code: refusal.code, next: WORDS[next], requestId })
  const wait = refusal.retryAfterSeconds
  return htmlAnswer(statusAtIssuer(refusal), document, {
    ...(wait !== undefined && { "retry-after": String(wait) }),
    ...headers,
  })
}
