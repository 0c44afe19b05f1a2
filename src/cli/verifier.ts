// `verifier`: which verifier instances report to the issuer, writing one off whose spool is gone, and deciding where one found
// that the issuer's ledger is another.
import { existsSync } from "node:fs"
import type { Command } from "commander"
import { asRecord } from "../client/issuer-call.ts"
import { openSpool } from "../spool/spool.ts"
import { settleFork } from "../verifier/witness.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { wrongUse } from "./exit.ts"
import { asCaller, type CallerFlags, issuerOf, required, withJson } from "./options.ts"

interface ForgetFlags extends CallerFlags {
  readonly reason: string
}

export function addVerifier(program: Command, context: Context): void {
  const verifier = program.command("verifier").description("the verifier instances that report uses")
  asCaller(verifier.command("list"))
    .description("which there are, how far each has come, and what is missing")
    .action((flags: CallerFlags) => list(context, flags))
  asCaller(verifier.command("forget"))
    .description(
      "write off an instance whose spool is gone, or what is missing of one: nobody waits for it any more",
    )
    .argument("<instance>", "its id, as `verifier list` shows it")
    .addOption(required("--reason <text>", "what became of it, for people"))
    .action((id: string, flags: ForgetFlags) => forget(context, id, flags))
  withJson(verifier.command("trust"))
    .description(
      "after the issuer's ledger was found to be another: let the verifier of this spool serve again, for the ledger that it knew is back",
    )
    .argument("<spool>", "its file; the verifier is stopped")
    .action((path: string, flags: { readonly json?: boolean }) => trust(context, path, flags.json === true))
}

/** Works on the file alone: whether the ledger is the right one, the next answer of the issuer has to prove. */
async function trust({ terminal }: Context, path: string, asJson: boolean): Promise<void> {
  if (!existsSync(path)) throw wrongUse(`There is no spool ${path}`, "Give the file of the verifier's spool")
  const spool = await openSpool(path)
  const { fork, key } = await settleFork(spool).finally(() => spool.close())
  if (asJson) return terminal.json({ settled: fork ?? null, ledger_key: key ?? null })
  if (!fork) return terminal.note("Nothing was found against the issuer's ledger: nothing to decide.")
  const { bold } = terminal.colors
  terminal.print(`${bold("settled")}  ${forTerminal(fork.why)}, found ${forTerminal(fork.at)}`)
  terminal.note("The proof stays in the spool. The ledger has to continue this checkpoint:")
  terminal.print(forTerminal(fork.held))
}

async function list(context: Context, flags: CallerFlags): Promise<void> {
  const { terminal } = context
  const { body } = await terminal.progress("asking", issuerOf(context, flags).call("GET", "/verifiers"))
  if (flags.json) return terminal.json(body)
  const { verifiers } = asRecord(body)
  const found = Array.isArray(verifiers) ? verifiers.map(asRecord) : []
  if (found.length === 0) return terminal.note("No verifier has reported yet.")
  terminal.table(
    ["INSTANCE", "API", "STATE", "LAST SEEN", "BATCH", "MISSING", "CLOCK", "FEED"],
    found.map(rowOf),
  )
}

const rowOf = (verifier: Readonly<Record<string, unknown>>) => {
  const { instance, api, state, last_seen, sequence, cursor, missing, drift_ms } = verifier
  const gaps = Array.isArray(missing) ? missing.map(asRecord).map(gapOf).join(", ") : ""
  return [instance, api, state, last_seen, sequence, gaps, clockOf(drift_ms), cursor].map((cell) =>
    String(cell ?? ""),
  )
}

/** "Another": a batch of that number was taken in, and the next one follows another. */
function gapOf({ from, to, why, written_off_at }: Readonly<Record<string, unknown>>): string {
  const numbers = from === to ? String(from) : `${from}-${to}`
  return `${numbers}${why === "chain_differs" ? " (another)" : ""}${written_off_at === undefined ? "" : " (written off)"}`
}

/** Seconds; empty where it is not known. */
const clockOf = (drift: unknown): string =>
  typeof drift === "number" ? `${drift < 0 ? "" : "+"}${(drift / 1000).toFixed(1)} s` : ""

async function forget(context: Context, id: string, flags: ForgetFlags): Promise<void> {
  const { terminal } = context
  const path = `/verifiers/${encodeURIComponent(id)}/forget`
  const issuer = issuerOf(context, flags)
  const { body } = await terminal.progress("asking", issuer.call("POST", path, { reason: flags.reason }))
  if (flags.json) return terminal.json(body)
  terminal.print(`${forTerminal(id)}  ${terminal.colors.bold("written off")}`)
}
