// `approval`: what agents ask people for, and the decision of one person, as an approver.
import { type Command, Option } from "commander"
import { asRecord } from "../client/issuer-call.ts"
import { APPROVAL_STATES } from "../task/states.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { asPerson, issuerForPerson, type PersonFlags } from "./person.ts"

interface ListFlags extends PersonFlags {
  readonly state: string
}

interface DecideFlags extends PersonFlags {
  readonly reason?: string
}

export function addApproval(program: Command, context: Context): void {
  const approval = program.command("approval").description("what tasks ask people for")
  asPerson(approval.command("list"))
    .description("the approvals that you may decide, with the parameters that they are for")
    .addOption(
      new Option("--state <state>", "only those in this state").choices(APPROVAL_STATES).default("requested"),
    )
    .action((flags: ListFlags) => list(context, flags))
  for (const decision of ["grant", "deny"] as const)
    asPerson(approval.command(decision))
      .description(`${decision} one; the ledger names you`)
      .argument("<approval>", "the id, apr_...")
      .option("--reason <text>", "why, for the ledger")
      .action((id: string, flags: DecideFlags) => decide(context, id, decision, flags))
}

type View = Readonly<Record<string, unknown>>

async function list(context: Context, flags: ListFlags): Promise<void> {
  const { terminal } = context
  const issuer = await issuerForPerson(context, flags)
  const path = `/approvals?state=${encodeURIComponent(flags.state)}`
  const { body } = await terminal.progress("asking", issuer.call("GET", path))
  if (flags.json) return terminal.json(body)
  const { approvals } = asRecord(body)
  const found = Array.isArray(approvals) ? approvals.map(asRecord) : []
  if (found.length === 0) return terminal.note(`No approvals that are ${flags.state}.`)
  const head = ["APPROVAL", "OPERATION", "RESOURCE", "PARAMETERS", "REASON", "FROM", "UNTIL"]
  terminal.table(head, found.map(rowOf))
}

/** Parameters whole: what is not seen is not approved. */
const rowOf = (approval: View): string[] => {
  const { id, operation, resource, parameters, reason, requested_by, expires_at } = approval
  const shown = parameters === undefined ? "none" : JSON.stringify(parameters)
  return [id, operation, resource, shown, reason, requested_by, expires_at].map((cell) => String(cell ?? ""))
}

async function decide(
  context: Context,
  id: string,
  decision: "grant" | "deny",
  flags: DecideFlags,
): Promise<void> {
  const { terminal } = context
  const asked = { decision, ...(flags.reason !== undefined && { reason: flags.reason }) }
  const issuer = await issuerForPerson(context, flags)
  const call = issuer.call("POST", `/approvals/${encodeURIComponent(id)}`, asked)
  const { body } = await terminal.progress("deciding", call)
  if (flags.json) return terminal.json(body)
  const { state, operation, resource, expires_at: until } = asRecord(body)
  const told = [state, operation, resource].map((part) => forTerminal(String(part ?? "")))
  const [word = "", ...about] = told
  const end = decision === "grant" ? `, until ${forTerminal(String(until ?? ""))}` : ""
  terminal.print(`${forTerminal(id)}  ${terminal.colors.bold(word)}  ${about.join(" on ")}${end}`)
}
