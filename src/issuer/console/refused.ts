// A refusal or a fault as a page: what a browser is shown wherever the console's addresses don't answer.
import { refusedPage } from "../../console/refused-page.ts"
import { type Code, type Next, REFUSALS, type Refusal } from "../../errors.ts"
import { statusAtIssuer } from "../problem.ts"
import { htmlAnswer, SIGN_IN_PATH } from "./route.ts"

/** What a reader can do; programs are told by the same word elsewhere. */
const WORDS: Readonly<Record<Next, string>> = {
  renew: "Sign in again, then load the page once more.",
  wait: "Nothing is lost. Load the page again in a moment.",
  ask_approval: "Somebody else has to agree first.",
  stop: "Go back, or start again from the overview.",
}

/** Where a person signs in: the same words whoever they are, so that they tell nobody whom the policy knows. */
const TO_PEOPLE: Partial<Record<Code, { readonly title: string; readonly next: string }>> = {
  invalid_client: {
    title: "You are not signed in",
    next: "The answer was not the one that was asked for, or the policy gives you no role here. Sign in again, or ask whoever runs this taskmint.",
  },
  sign_in_again: {
    title: "Sign in once more",
    next: "It took longer than ten minutes, was not begun in this browser, or your provider does not say that you showed who you are just now.",
  },
}

const TO_SIGN_IN = { href: SIGN_IN_PATH, text: "Sign in" }
const TO_OVERVIEW = { href: "/console", text: "To the overview" }

export const isConsole = (path: string): boolean => path === "/console" || path.startsWith("/console/")

export function refusedAnswer(
  refusal: Refusal,
  requestId: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const { title, next } = REFUSALS[refusal.code]
  const words = TO_PEOPLE[refusal.code] ?? { title, next: WORDS[next] }
  const expected = refusal.errors.map((one) => `${one.pointer} ${one.expected}`.trim())
  const onward = refusal.code in TO_PEOPLE ? TO_SIGN_IN : TO_OVERVIEW
  const document = refusedPage({ ...words, code: refusal.code, expected, requestId, onward })
  const wait = refusal.retryAfterSeconds
  return htmlAnswer(statusAtIssuer(refusal), document, {
    ...(wait !== undefined && { "retry-after": String(wait) }),
    ...headers,
  })
}
