// What the log of `guard` says of the verifier: each reason for which it is not ready, or not all is well, when it comes up, and
// when it is over. What is a reason, the verifier decides.
import type { Readiness } from "../verifier/readiness.ts"
import type { Verifier } from "../verifier/verifier.ts"
import type { Log } from "./log.ts"

/** Soon after the start all is known that the issuer has to tell. */
const LOOK_MILLISECONDS = 1000

export function watchReasons(verifier: Pick<Verifier, "ready">, log: Log): { stop(): void } {
  const tell = createReasonLog(log)
  const timer = setInterval(() => tell(verifier.ready()), LOOK_MILLISECONDS)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}

export function createReasonLog(log: Log): (readiness: Readiness) => void {
  let standing = new Map<string, string>()
  return ({ ready, reasons }) => {
    const now = new Map(reasons.map((reason) => [kindOf(reason), reason]))
    for (const [kind, reason] of now)
      if (!standing.has(kind))
        log[ready ? "warn" : "error"]({ reason }, ready ? "not all is well" : "not ready")
    for (const [kind, reason] of standing) if (!now.has(kind)) log.info({ reason }, "over")
    standing = now
  }
}

/** A count or a time that goes on is no other reason. */
const kindOf = (reason: string): string => reason.replaceAll(/\d+/g, "0")
