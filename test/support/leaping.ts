// Calls to a guarded API on a clock that leaps. The guard hears the issuer's clock in real time, so for a moment it may not
// know whose clock is right, and says 503: that is waited for; every other refusal is the test's.
import { ClientError } from "../../src/client/error.ts"

const MOST_TRIES = 200
const PAUSE_MILLISECONDS = 15

export async function statusOf(call: () => Promise<Response>): Promise<number> {
  for (let left = MOST_TRIES; ; left--)
    try {
      return (await call()).status
    } catch (error) {
      const unsure = error instanceof ClientError && error.code === "temporarily_unavailable"
      if (!unsure || left === 0) throw error
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLISECONDS))
    }
}
