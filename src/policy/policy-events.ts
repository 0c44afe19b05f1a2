// What the ledger is told of policies, and what an operator is answered. It decides nothing about which one is in force.
import { type FieldError, type Refusal, refuse } from "../errors.ts"
import type { Event } from "../ledger/event.ts"
import type { PolicyFault, PolicyFaults } from "./fault.ts"
import type { Place, Policy } from "./policy.ts"

/** A digest never seen before has taken force. */
export function loaded(at: number, policy: Policy, previous: string | undefined, by?: string): Event {
  const counts = { files: policy.files.size, task_types: policy.tasks.size }
  const body = { digest: policy.digest, ...counts, ...(previous !== undefined && { previous }), ...named(by) }
  return { kind: "policy.loaded", at, body }
}

/** An operator brought back a policy that was superseded. */
export function used(at: number, digest: string, previous: string, by?: string): Event {
  return { kind: "policy.used", at, body: { digest, previous, ...named(by) } }
}

/** Files were not taken: they are bad (and an alarm says so), or they were superseded. */
export function refused(
  at: number,
  what: PolicyFaults | { readonly digest: string; readonly superseded: true },
  by?: string,
): readonly Event[] {
  const { digest } = what
  if ("superseded" in what) {
    return [
      {
        kind: "policy.refused",
        at,
        outcome: "refused",
        code: "policy_superseded",
        body: { digest, ...named(by) },
      },
    ]
  }
  const [first] = what.faults
  const fault = first ? { place: formatPlace(first.place), fault: first.message.slice(0, 500) } : {}
  const body = { digest, faults: what.faults.length, ...fault, ...named(by) }
  return [
    { kind: "policy.refused", at, outcome: "refused", code: "policy_refused", body },
    { kind: "alarm.raised", at, code: "policy_refused", body: { digest, ...fault } },
  ]
}

/** Why a reload was refused, each fault by its place. */
export function toRefusal(faults: PolicyFaults): Refusal {
  return refuse("policy_refused", "the policy files are not valid", {
    errors: faults.faults.map(toFieldError),
  })
}

const toFieldError = ({ place, message, hint }: PolicyFault): FieldError => ({
  pointer: formatPlace(place),
  expected: hint === undefined ? message : `${message} (${hint})`,
})

const formatPlace = ({ file, line, column }: Place): string => `${file}:${line}:${column}`

const named = (by: string | undefined) => (by === undefined ? {} : { by })
