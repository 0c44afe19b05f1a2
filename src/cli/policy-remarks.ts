// How remarks about a policy are laid out for people, and which of them make the answer "no". What is found is others'.
import type { Place } from "../policy/policy.ts"
import { SEVERITIES, type Severity } from "../policy/review-rule.ts"
import { forTerminal } from "./escape.ts"
import { answerIsNo } from "./exit.ts"
import type { Terminal } from "./terminal.ts"

export interface ShownRemark {
  readonly rule: string
  readonly severity: Severity
  readonly place: Place
  readonly message: string
  readonly fix: string
}

export function showRemarks(terminal: Terminal, remarks: readonly ShownRemark[]): void {
  const { red, yellow, cyan, dim } = terminal.colors
  const colors = { error: red, warning: yellow, note: cyan }
  for (const { rule, severity, place, message, fix } of remarks) {
    terminal.print()
    terminal.print(
      `${colors[severity](severity)} ${forTerminal(`${spot(place)}: ${message}`)} ${dim(forTerminal(`[${rule}]`))}`,
    )
    terminal.print(dim(`  ${forTerminal(fix)}`))
  }
}

/** Throws Stop (the answer is no) where one is as grave as that. */
export function stopWhereGrave(remarks: readonly ShownRemark[], failOn: Severity): void {
  const least = SEVERITIES.indexOf(failOn)
  const grave = remarks.filter(({ severity }) => SEVERITIES.indexOf(severity) >= least)
  if (grave.length > 0)
    throw answerIsNo(`${grave.length} finding(s) of severity ${failOn} or above`, "Each says what to do")
}

const spot = ({ file, line, column }: Place): string => `${file}:${line}:${column}`
