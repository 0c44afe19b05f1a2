// What a holder may do: grants of one API, operations and resources. Containing and narrowing are decided here, on plain
// data, for every mint and every renewal; nothing else in taskmint compares rights.
import type { Resource } from "./resource.ts"

/** One API, operations of it, resources of it, and the policy rule that says so. Inputs are already bound. */
export interface Grant {
  /** The API's RFC 8707 resource URL: the `aud` of the token that carries this grant. */
  readonly api: string
  readonly operations: readonly string[]
  readonly resources: readonly Resource[]
  readonly rule: string
}

/** Granted is what any grant grants; the empty authority grants nothing. */
export type Authority = readonly Grant[]
