// Which policy is in force: one stored row says so for all replicas. It decides when files take force and when they do
// not; what they mean is load.ts's and decide.ts's.
import type { Step } from "../database/database.ts"
import type { Refusal } from "../errors.ts"
import type { PolicyFault } from "./fault.ts"
import type { Policy } from "./policy.ts"

/** What the files and the stored row last looked like, for readiness and alarms. */
export interface PolicyState {
  readonly digest: string
  /** Epoch milliseconds at which it took force. */
  readonly since: number
  /** Why the files in the folder are not in force; undefined when they are. */
  readonly refused:
    | { readonly reason: "faults" | "superseded"; readonly faults: readonly PolicyFault[] }
    | undefined
}

export interface PolicyStore {
  /** The policy that decides now. */
  inForce(): Policy
  /** Holds at the commit when this policy is still the one in force; else the transaction is Unexpected. */
  guard(policy?: Policy): Step
  /** Reads the folder now. Refusals: `policy_refused` (bad files; the policy in force stays), `policy_superseded`. */
  reload(by?: string): Promise<"unchanged" | "loaded" | Refusal>
  /** Brings back a policy that was in force once, by its digest; an operator's act. `not_found` when never seen. */
  use(digest: string, by?: string): Promise<"unchanged" | "used" | Refusal>
  state(): PolicyState
  /** Follows the folder and the stored row every 5 s until stopped. */
  watch(): { stop(): void }
}
