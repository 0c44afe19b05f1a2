// The policy of a folder for commands that look at it: read as the issuer would read it, or everything that is wrong with
// it and the end of the command. What a policy may say is the policy room's.
import { formatFault, PolicyFaults } from "../policy/fault.ts"
import { loadPolicy } from "../policy/load.ts"
import type { Policy } from "../policy/policy.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { answerIsNo } from "./exit.ts"

export interface FolderFlags {
  readonly dev?: boolean
  readonly json?: boolean
}

/** How the issuer of these settings would read a policy. */
export const readingOf = ({ settings }: Pick<Context, "settings">, { dev = false }: FolderFlags) => ({
  dev,
  allowPlainHttp: settings.isOn("plainHttp"),
})

/** The policy of a folder; Stop (the answer is no) after telling everything that is wrong with it. */
export async function loadFolder(context: Context, folder: string, flags: FolderFlags): Promise<Policy> {
  const { terminal } = context
  const read = await terminal.progress("reading the policy", loadPolicy(folder, readingOf(context, flags)))
  if (!(read instanceof PolicyFaults)) return read
  showFaults(context, read, flags)
  throw refusedFolder(folder, read)
}

export const refusedFolder = (folder: string, { faults }: PolicyFaults) =>
  answerIsNo(`${faults.length} mistake(s) in ${folder}; the issuer would refuse it`)

export function showFaults(
  { terminal }: Pick<Context, "terminal">,
  { faults }: PolicyFaults,
  { json }: FolderFlags,
): void {
  if (json) terminal.json({ valid: false, faults })
  else for (const fault of faults) terminal.print(forTerminal(formatFault(fault)))
}
