// Waiting for an issuer that says "not now": it is starting, or busy. It decides how long a command asks again; what is
// asked, and what a failure means, is decided elsewhere.
import { setTimeout as sleep } from "node:timers/promises"
import { ClientError } from "../client/error.ts"
import type { IssuerCalls } from "../client/issuer-call.ts"
import { NotNow } from "../remote/service-token.ts"
import type { Terminal } from "./terminal.ts"

const PATIENCE_SECONDS = 10

/**
 * The same calls, made again after each 503 that names a time to wait, for about ten seconds in all; then the error is
 * thrown as it came. What may not be done twice is asked again only when it was never sent, because there was no service
 * token to send it with: a 503 of its own may mean that it was done and the answer could not be signed.
 */
export function patient(
  issuer: IssuerCalls,
  terminal: Pick<Terminal, "note">,
  wait: (milliseconds: number) => Promise<unknown> = sleep,
): IssuerCalls {
  const again = async <T>(attempt: () => Promise<T>, twice: boolean, left = PATIENCE_SECONDS): Promise<T> => {
    try {
      return await attempt()
    } catch (error) {
      const seconds = secondsToWait(error, twice)
      if (seconds === undefined || seconds > left) throw error
      if (left === PATIENCE_SECONDS)
        terminal.note(`The issuer can't answer yet; asking again for up to ${PATIENCE_SECONDS} s`)
      await wait(seconds * 1000)
      return again(attempt, twice, left - seconds)
    }
  }
  return {
    issuer: issuer.issuer,
    call: (method, path, body, twice = method !== "POST") =>
      again(() => issuer.call(method, path, body, twice), twice),
    headers: (method, path) => again(() => issuer.headers(method, path), true),
    serviceToken: () => again(() => issuer.serviceToken(), true),
  }
}

function secondsToWait(error: unknown, twice: boolean): number | undefined {
  if (!(error instanceof ClientError) || error.status !== 503) return undefined
  const mayRepeat = twice || error.cause instanceof NotNow
  return mayRepeat && error.retryAfterSeconds !== undefined ? Math.max(1, error.retryAfterSeconds) : undefined
}
