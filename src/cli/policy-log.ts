// What the log of `serve` says of the policies: that they were read, why the folder is refused, and that this is over. Of a
// policy's text it says what `policy check` would print.
import { formatFault } from "../policy/fault.ts"
import type { PolicyState } from "../policy/in-force.ts"
import type { Log } from "./log.ts"

/** The rest is `policy check`'s to say. */
const MOST_FAULTS = 20

export function createPolicyLog(log: Log): (state: PolicyState) => void {
  let isRefused = false
  return ({ digest: policy, refused }) => {
    const wasRefused = isRefused
    isRefused = refused !== undefined
    if (refused?.reason === "faults") {
      const { length } = refused.faults
      const faults = refused.faults.slice(0, MOST_FAULTS).map(formatFault)
      log.error({ policy, mistakes: length, faults }, "policies refused; those in force stay")
    } else if (refused) {
      const { digest } = refused
      const cure = `taskmint policy use ${digest}`
      log.warn(
        { policy, folder: digest, cure },
        "policies not applied: they were in force before. Bring the folder up to date, or put them in force again",
      )
    } else log.info({ policy }, wasRefused ? "policies read, and refused no more" : "policies read")
  }
}
