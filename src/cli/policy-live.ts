// `policy check --live`: where the policy in force and what verifiers say they serve differ. What differs is the issuer's to say;
// here its report is read, laid out as other findings are, and what makes the answer "no" is chosen.
import { asRecord } from "../client/issuer-call.ts"
import { SEVERITIES, type Severity } from "../policy/review-rule.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { cannotTell } from "./exit.ts"
import { type CallerFlags, issuerOf } from "./options.ts"
import { type ShownRemark, showRemarks, stopWhereGrave } from "./policy-remarks.ts"

export interface LiveFlags extends CallerFlags {
  readonly failOn: Severity
}

export async function checkLive(context: Context, flags: LiveFlags): Promise<void> {
  const { terminal } = context
  const asked = issuerOf(context, flags).call("GET", "/reports/posture")
  const { body } = await terminal.progress("asking", asked)
  const { policy, findings, more, apis } = readReport(body)
  if (flags.json) terminal.json(body)
  else {
    const { dim } = terminal.colors
    terminal.print(dim(forTerminal(policy)))
    terminal.table(
      ["API", "INSTANCES", "HEARD", "DECLARING", "OPERATIONS"],
      apis.map((one) => [one.api, one.instances, one.heard, one.declaring, one.operations].map(cellOf)),
    )
    showRemarks(terminal, findings)
    if (more) terminal.note("\nThere is more; the gravest are shown.")
    if (findings.length === 0) terminal.note("Policy and verifiers agree.")
  }
  stopWhereGrave(findings, flags.failOn)
}

const cellOf = (value: unknown) => String(value ?? "")

/** Throws where it is no report: what can't be read is not "no finding". */
function readReport(body: unknown) {
  const { policy, findings, apis, more } = asRecord(body)
  if (typeof policy !== "string" || !Array.isArray(findings) || !Array.isArray(apis))
    throw cannotTell("The issuer's answer is no report of posture", "Is the issuer as new as this command?")
  const served = findings.filter((one) => (asRecord(one).topic ?? SERVED) === SERVED)
  return { policy, findings: served.map(readFinding), apis: apis.map(asRecord), more: more === true }
}

/** The report tells more of the installation; here it is asked about one thing. */
const SERVED = "served"

/** A severity that is not known here is taken for the gravest. */
function readFinding(value: unknown): ShownRemark {
  const { rule, severity, place, message, fix } = asRecord(value)
  const { file, line, column } = asRecord(place)
  return {
    rule: cellOf(rule),
    severity: SEVERITIES.find((one) => one === severity) ?? "error",
    place: { file: cellOf(file), line: Number(line), column: Number(column) },
    message: cellOf(message),
    fix: cellOf(fix),
  }
}
