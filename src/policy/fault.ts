// What is wrong with a policy file, and where: a value that crosses threads. It decides nothing.
import type { Place } from "./policy.ts"

export interface PolicyFault {
  readonly place: Place
  /** What is wrong and what was expected, in one line. */
  readonly message: string
  /** What to do: the nearest valid name, or the setting that allows it. */
  readonly hint?: string
}

/** `support.yaml:12:5: message (hint)`, as compilers write it. */
export function formatFault(fault: PolicyFault): string {
  const { file, line, column } = fault.place
  const text = `${file}:${line}:${column}: ${fault.message}`
  return fault.hint === undefined ? text : `${text} (${fault.hint})`
}
