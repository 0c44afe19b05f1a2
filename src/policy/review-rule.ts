// What a reviewer's rule is. It decides nothing: each room of rules, `review-*.ts`, is a table of these.
import type { Evidence } from "./evidence.ts"
import type { PathInFile } from "./parse.ts"
import type { Place, Policy, Risk, TaskType } from "./policy.ts"

export type Severity = "error" | "warning" | "note"

/** From what is let through most readily to what is not. */
export const SEVERITIES: readonly Severity[] = ["note", "warning", "error"]

export interface ReviewRule {
  /** Stable: pipelines and code scanning know a rule by it. */
  readonly id: string
  readonly severity: Severity
  /** What it is about, in one line. */
  readonly summary: string
  /** What to do about it. */
  readonly fix: string
  find(reviewed: Reviewed): Iterable<Spot>
}

/** Where a rule does not hold, and the words for it. */
export interface Spot {
  readonly place: Place
  readonly message: string
}

/** What rules look at. */
export interface Reviewed {
  readonly policy: Policy
  /** Those that are enabled. */
  readonly tasks: readonly TaskType[]
  riskOf(operation: string): Risk
  /** A part of a task type: a path below its name. */
  inTask(task: TaskType, ...path: PathInFile): Place
  /** A part of any named thing: its section, its file, a path below the section. */
  at(section: string, file: string, ...path: PathInFile): Place
  /** What was used of what was granted; undefined: nobody gave any. */
  readonly evidence: Evidence | undefined
}
