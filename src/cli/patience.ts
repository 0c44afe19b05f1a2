// Waiting for an issuer that says "not now": it is starting, or busy. It decides how long a command asks again; what is
// asked, and what a failure means, is decided elsewhere.
import { setTimeout as sleep } from "node:timers/promises"
import { ClientError } from "../client/error.ts"
import type { IssuerCalls } from "../client/issuer-call.ts"
import type { Terminal } from "./terminal.ts"

const PATIENCE_SECONDS = 10

/**
 * The same calls, made again after each 503 that names a time to wait, for about ten seconds in all; then the error is
 * thrown as it came. Also what isn't to be done twice: such an answer means that nothing was done.
 */
export function patient(
  issuer: IssuerCalls,
  terminal: Pick<Terminal, "note">,
  wait: (milliseconds: number) => Promise<unknown> = sleep,
): IssuerCalls {
  const again = async <T>(attempt: () => Promise<T>, left = PATIENCE_SECONDS): Promise<T> => {
    try {
      return await attempt()
    } catch (error) {
      const seconds = askedToWait(error)
      if (seconds === undefined || seconds > left) throw error
      if (left === PATIENCE_SECONDS)
        terminal.note(`The issuer can't answer yet; asking again for up to ${PATIENCE_SECONDS} s`)
      await wait(seconds * 1000)
      return again(attempt, left - seconds)
    }
  }
  return {
    call: (...asked) => again(() => issuer.call(...asked)),
    serviceToken: () => again(() => issuer.serviceToken()),
  }
}

const askedToWait = (error: unknown): number | undefined =>
  error instanceof ClientError && error.status === 503 && error.retryAfterSeconds !== undefined
    ? Math.max(1, error.retryAfterSeconds)
    : undefined
