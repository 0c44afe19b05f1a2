// Orders to end tokens that would be written down and do nothing: a slip in an incident must not look like success. It
// decides by the form of the order alone; whether there is what it names, nobody is told.
import type { FieldError } from "../errors.ts"
import { type IdPrefix, isId } from "../token/id.ts"
import { isName, parseHolder } from "../token/name.ts"

const ID_OF: Readonly<Partial<Record<string, IdPrefix>>> = { token: "tok", task: "task", delegation: "del" }

/** What of it does nothing; undefined where it may do something. `locks`: whether its kind is a lock. Times in milliseconds. */
export function idleIn(
  {
    kind,
    value,
    until,
  }: { readonly kind: string; readonly value: string; readonly until?: number | undefined },
  locks: boolean,
  at: number,
): FieldError | undefined {
  if (kind === "instance" && !parseHolder(value))
    return { pointer: "/value", expected: "an agent and its instance, agent/instance" }
  if ((kind === "agent" || kind === "orchestrator") && !isName(value))
    return { pointer: "/value", expected: `the name of an ${kind}, as in a policy` }
  const prefix = ID_OF[kind]
  if (prefix && !isId(prefix, value))
    return { pointer: "/value", expected: `the id of a ${kind}, ${prefix}_...` }
  if (until === undefined) return undefined
  if (!locks) return { pointer: "/until", expected: `nothing: a ${kind} ends for good` }
  return until <= at ? { pointer: "/until", expected: "a time to come" } : undefined
}
