// Who looks at the console: a person with a session, or a program with a service token of staff. It decides who that is; what
// they may see is each page's, as at every endpoint.
import type { Caller } from "../caller.ts"

export interface Visitor {
  readonly caller: Caller
  /** As the page greets them: the person where one signed in, else the caller's name in the policy. */
  readonly name: string
  /** Epoch seconds of when they last showed who they are; absent for a service token, which shows it each time. */
  readonly signedInAt?: number
}

export interface Visitors {
  /** Of the request's session; undefined where there is none that stands. */
  of(request: Request): Promise<Visitor | undefined>
}
