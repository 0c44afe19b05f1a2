// What is wrong with policy files, and where. It decides nothing.
import type { Place } from "./policy.ts"

/** One fault; it crosses threads. */
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

/** Files that are no policy: why, and what was read, so that a later look can tell whether they changed. */
export class PolicyFaults {
  /** Never empty; at most 100. */
  readonly faults: readonly PolicyFault[]
  /** Of the files that could be read. */
  readonly digest: string
  /** The key files that were named. */
  readonly keyPaths: readonly string[]
  /** As folder.ts writes it: of what was read, and of what could not be. */
  readonly fingerprint: string

  constructor(read: Omit<PolicyFaults, "toString">) {
    this.faults = read.faults
    this.digest = read.digest
    this.keyPaths = read.keyPaths
    this.fingerprint = read.fingerprint
  }

  /** One line a fault: `file:line:column: message (hint)`. */
  toString(): string {
    return this.faults.map(formatFault).join("\n")
  }
}
