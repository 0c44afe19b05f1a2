// Who looks at the console: a person with a session, or a program with a service token of staff. It decides who that is; what
// they may see is each page's, as at every endpoint.
import type { Caller } from "../caller.ts"
import { FRESH_SECONDS } from "../fresh.ts"

export interface Visitor {
  readonly caller: Caller
  /** As the page greets them: the person where one signed in, else the caller's name in the policy. */
  readonly name: string
  /** Epoch seconds of when they last showed who they are; absent for a service token, which shows it each time. */
  readonly signedInAt?: number
  /**
   * The entries of staff that a person is, in the policy's order; absent for a service token, which is for one. `caller` has
   * the roles of all of them under the first name: `callerAs` is for what must be done as a certain one.
   */
  readonly entries?: readonly string[]
}

export interface Visitors {
  /** Of the request's session; undefined where there is none that stands. */
  of(request: Request): Promise<Visitor | undefined>
}

/** Whether they showed who they are just now. `now` in epoch seconds. A service token shows it each time. */
export const isFresh = ({ signedInAt }: Visitor, now: number): boolean =>
  signedInAt === undefined || now - signedInAt < FRESH_SECONDS

/**
 * The visitor under the first name of theirs that is among `names` (of approvers, say); under the one they have anyway where
 * none is. It decides nothing: who acts under a name still has to be allowed to.
 */
export function callerAs({ caller, entries = [] }: Visitor, names: readonly string[]): Caller {
  const clientId = entries.find((one) => names.includes(one))
  return clientId === undefined ? caller : { ...caller, clientId }
}

/** Whether they may look beyond what waits for their decision. */
export const maySeeAll = ({ caller }: Visitor): boolean =>
  caller.scopes.has("auditor") || caller.scopes.has("operator")

/** Whether they may read the ledger, and are led there. */
export const mayRead = ({ caller }: Visitor): boolean => caller.scopes.has("auditor")
