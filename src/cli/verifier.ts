// `verifier`: which verifier instances report to the issuer, and writing one off whose spool is gone.
import type { Command } from "commander"
import { asRecord } from "../client/issuer-call.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { asCaller, type CallerFlags, issuerOf, required } from "./options.ts"

interface ForgetFlags extends CallerFlags {
  readonly reason: string
}

export function addVerifier(program: Command, context: Context): void {
  const verifier = program.command("verifier").description("the verifier instances that report uses")
  asCaller(verifier.command("list"))
    .description("which there are, and how far each has come")
    .action((flags: CallerFlags) => list(context, flags))
  asCaller(verifier.command("forget"))
    .description("write off an instance whose spool is gone: a gap in the ledger, and nobody waits for it")
    .argument("<instance>", "its id, as `verifier list` shows it")
    .addOption(required("--reason <text>", "what became of it, for people"))
    .action((id: string, flags: ForgetFlags) => forget(context, id, flags))
}

async function list(context: Context, flags: CallerFlags): Promise<void> {
  const { terminal } = context
  const { body } = await terminal.progress("asking", issuerOf(context, flags).call("GET", "/verifiers"))
  if (flags.json) return terminal.json(body)
  const { verifiers } = asRecord(body)
  const found = Array.isArray(verifiers) ? verifiers.map(asRecord) : []
  if (found.length === 0) return terminal.note("No verifier has reported yet.")
  terminal.table(["INSTANCE", "API", "STATE", "LAST SEEN", "BATCH", "FEED"], found.map(rowOf))
}

const rowOf = ({
  instance,
  api,
  last_seen,
  sequence,
  cursor,
  ...verifier
}: Readonly<Record<string, unknown>>) =>
  [instance, api, stateOf(verifier), last_seen, sequence, cursor].map((cell) => String(cell ?? ""))

const stateOf = ({ closed, silent }: Readonly<Record<string, unknown>>): string =>
  closed === true ? "closed" : silent === true ? "silent" : "open"

async function forget(context: Context, id: string, flags: ForgetFlags): Promise<void> {
  const { terminal } = context
  const path = `/verifiers/${encodeURIComponent(id)}/forget`
  const issuer = issuerOf(context, flags)
  const { body } = await terminal.progress("asking", issuer.call("POST", path, { reason: flags.reason }))
  if (flags.json) return terminal.json(body)
  terminal.print(`${forTerminal(id)}  ${terminal.colors.bold("written off")}`)
}
