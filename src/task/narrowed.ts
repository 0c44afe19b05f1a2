// A part of what a holder has, as it was asked for: all of it, or a refusal that says where it asks for more. It decides nothing
// about what the holder has; that is the gate's.
import { type FieldError, type Refusal, refuse } from "../errors.ts"
import { type Authority, contains, type Grant, narrow, operationsOf } from "../token/authority.ts"

/** A part of what a holder has. */
export interface Narrowed {
  readonly operations?: readonly string[]
  readonly grants?: Authority
}

/** `askable`: what may be named beside what is held. */
export function narrowed(held: Authority, narrowing: Narrowed, askable: Authority): Authority | Refusal {
  const { operations, grants } = narrowing
  const all = [...held, ...askable]
  const has = new Set(operationsOf(all))
  const beyond = (pointer: string) =>
    refuse("operation_not_allowed", "[narrowing] more than the holder has was asked for", {
      errors: [{ pointer, expected: "a part of what the holder has" }],
    })
  if (operations?.some((one) => !has.has(one))) return beyond("/scope")
  if (grants && !contains(all, grants)) return beyond("/authorization_details")
  return partOf(held, narrowing)
}

export const partOf = <G extends Grant>(authority: readonly G[], { operations, grants }: Narrowed = {}) =>
  narrow(authority, {
    ...(operations && { operations: new Set(operations) }),
    ...(grants && { grants }),
  })

/** Where operations are asked for that the holder neither has nor may ask a person for. */
export function operationsBeyond(
  all: Authority,
  operations: readonly string[] | undefined,
): Refusal | undefined {
  const has = new Set(operationsOf(all))
  const errors = (operations ?? []).flatMap((operation, index): FieldError[] =>
    has.has(operation)
      ? []
      : [{ pointer: `/operations/${index}`, expected: "an operation that the task grants" }],
  )
  if (errors.length === 0) return undefined
  return refuse("operation_not_allowed", "[operations] more than the task was started with", { errors })
}
