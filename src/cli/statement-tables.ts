// A closing statement as tables for a person. Every cell is escaped by the terminal; it decides what is shown first.
import type { Clear } from "../audit/opening.ts"
import type { Statement } from "../audit/statement.ts"
import type { Commitment } from "../ledger/commitment.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"

type Shown = Clear<Statement>

/** `--json` has them all. */
const MOST_SHOWN = 20

export function showStatement(context: Context, shown: Shown): void {
  const { terminal } = context
  const { task, state, number } = shown
  const which = state === "final" ? `final, number ${number}` : "provisional: more may still be reported"
  terminal.print(`${terminal.colors.bold(forTerminal(task.id))}  ${forTerminal(task.state)}  ${which}\n`)
  terminal.table(["TASK", ""], factsOf(shown))
  const show = (headings: readonly string[], rows: readonly (readonly string[])[]) => {
    if (rows.length === 0) return
    terminal.print()
    terminal.table(headings, rows.slice(0, MOST_SHOWN))
    if (rows.length > MOST_SHOWN) terminal.note(`... and ${rows.length - MOST_SHOWN} more: --json`)
  }
  show(["GRANTED", "RULE", "USES", "FIRST", "LAST"], shown.authority.flatMap(grantedRows))
  show(["USED", "RESOURCE", "USES", "LAST"], usedRows(shown))
  show(
    ["NEVER USED", "RULE"],
    shown.never_used.map(({ operation, resource, rule }) => [operation ?? textOf(resource), rule]),
  )
  show(["REFUSED BY", "CODE", "WHAT, OR WHY", "COUNT", "LAST"], refusedRows(shown))
  show(["APPROVAL", "RESOURCE", "DECISION", "BY", "TOKENS"], approvalRows(shown))
  show(["HOLDER", "DELEGATION", "TOKENS", "USES", "REFUSED"], holderRows(shown))
  show(
    ["REPORTED BY", "API", "BATCH", "LAST REPORT", "STANDING"],
    shown.verifiers.map((one) => [
      one.verifier,
      one.api,
      String(one.sequence),
      one.last_report,
      one.written_off_at === undefined ? one.standing : `given up ${one.written_off_at}`,
    ]),
  )
  show(["MISSING BATCHES", "OF", "API", "WHY", "GIVEN UP"], gapRows(shown))
  show(
    ["DOES NOT RECORD ALL", "VERIFIERS", "ASKED INSTEAD"],
    shown.not_recording.map((one) => [one.api, String(one.verifiers), String(one.introspected)]),
  )
}

/** What is left of a value that was erased is no use to a person. */
const textOf = (value: string | Commitment | undefined): string =>
  typeof value === "string" ? value : "(erased)"

function factsOf({ task, ledger, outside }: Shown): string[][] {
  return [
    ["type", task.type],
    ["agent", `${task.agent}/${task.instance}`],
    ["orchestrator", task.orchestrator],
    ...(task.sub === undefined ? [] : [["on behalf of", textOf(task.sub)]]),
    ...(task.purpose === undefined ? [] : [["purpose", textOf(task.purpose)]]),
    ...(task.reference === undefined ? [] : [["reference", textOf(task.reference)]]),
    ["started", task.started_at],
    ...(task.ended_at === undefined ? [["deadline", task.deadline]] : [["ended", task.ended_at]]),
    [
      "entries",
      `${ledger.entries}, from ${ledger.first} to ${ledger.last}; the ledger up to ${ledger.through}`,
    ],
    ...(outside === undefined ? [] : [["outside of every rule", String(outside.allowed + outside.observed)]]),
  ]
}

interface Counts {
  readonly allowed: number
  readonly observed: number
  readonly first?: string
  readonly last?: string
}

const usesOf = ({ allowed, observed }: Counts): string =>
  observed === 0 ? String(allowed) : `${allowed} + ${observed} only watched`

const grantedRows = ({ rule, approval, operations }: Shown["authority"][number]): string[][] =>
  operations.map((one) => [
    `${one.operation}${approval ? " (each needs a person)" : ""}`,
    rule,
    usesOf(one),
    one.first ?? "",
    one.last ?? "never",
  ])

const usedRows = ({ uses }: Shown): string[][] =>
  [...uses]
    .sort((one, other) => other.allowed + other.observed - one.allowed - one.observed)
    .map((one) => [one.operation, textOf(one.resource), usesOf(one), one.last ?? ""])

const refusedRows = ({ refusals }: Shown): string[][] =>
  refusals.map((one) => [
    one.by === "api" ? (one.api ?? "") : "issuer",
    one.code,
    one.why ?? one.operation ?? "",
    String(one.count),
    one.last,
  ])

const approvalRows = ({ approvals }: Shown): string[][] =>
  approvals.map((one) => [
    one.operation,
    textOf(one.resource),
    one.decision,
    one.by ?? "",
    String(one.collected),
  ])

const gapRows = ({ gaps = [] }: Shown): string[][] =>
  gaps.map((one) => [
    one.from === one.to ? String(one.from) : `${one.from} to ${one.to}`,
    one.verifier,
    one.api,
    one.why,
    one.written_off_at ?? "",
  ])

const holderRows = ({ holders }: Shown): string[][] =>
  holders.map((one) => [
    `${one.agent}/${one.instance}`,
    one.lineage.at(-1) ?? "",
    String(one.tokens),
    usesOf(one),
    String(one.refused),
  ])
