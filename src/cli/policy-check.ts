// `policy check`: whether the issuer would take the files of a folder, and what a reviewer would say about them. What
// that is, is the policy room's (review.ts); `--live` asks the issuer instead (policy-live.ts).
import { readFileSync } from "node:fs"
import { type Command, Option } from "commander"
import { createLasting } from "../audit/lasting.ts"
import { type Evidence, type Lasted, readEvidence } from "../policy/evidence.ts"
import { PolicyFaults } from "../policy/fault.ts"
import { loadPolicy } from "../policy/load.ts"
import type { Policy } from "../policy/policy.ts"
import { type Remark, review } from "../policy/review.ts"
import { SEVERITIES } from "../policy/review-rule.ts"
import { toInstant } from "../time.ts"
import type { Context } from "./context.ts"
import { readEntries } from "./entry-source.ts"
import { wrongUse } from "./exit.ts"
import { asCaller } from "./options.ts"
import { type FolderFlags, readingOf, refusedFolder, showFaults } from "./policy-folder.ts"
import { checkLive, type LiveFlags } from "./policy-live.ts"
import { showRemarks, stopWhereGrave } from "./policy-remarks.ts"
import { sarifOf } from "./sarif.ts"
import { versionOfPackage } from "./version.ts"

interface CheckFlags extends FolderFlags, LiveFlags {
  readonly sarif?: boolean
  readonly live?: boolean
  readonly evidence?: string
  readonly entries?: string
}

export function addCheck(policy: Command, context: Context): void {
  asCaller(policy.command("check"))
    .description("read a policy folder as the issuer would, and say what is wrong with it or too wide")
    .argument("[folder]", "the policy folder (TASKMINT_POLICIES)")
    .addOption(
      new Option("--fail-on <severity>", "from which severity on the answer is no (exit code 1)")
        .choices([...SEVERITIES].reverse())
        .default("error"),
    )
    .option("--evidence <file>", "the least-privilege report of the ledger as JSON: what was used")
    .option(
      "--entries <file>",
      "beside --evidence: the entries of its days, one JSON a line: how long tasks took",
    )
    .addOption(new Option("--sarif", "SARIF 2.1.0, for code scanning").conflicts("json"))
    .option("--dev", "as `serve --dev` would read it")
    .addOption(
      new Option(
        "--live",
        "instead of a folder: where the issuer's policy and what verifiers say they serve differ, as an auditor",
      ).conflicts(["sarif", "evidence", "entries", "dev"]),
    )
    .action((folder: string | undefined, flags: CheckFlags) => {
      if (!flags.live) return check(context, folder, flags)
      if (folder !== undefined) throw wrongUse("--live asks the issuer for its policy and reads no folder")
      return checkLive(context, flags)
    })
}

async function check(context: Context, given: string | undefined, flags: CheckFlags): Promise<void> {
  const { terminal, settings } = context
  const folder = settings.need("policies", given)
  const evidence = await evidenceFor(context, flags)
  const read = await terminal.progress("reading the policy", loadPolicy(folder, readingOf(context, flags)))
  const [faults, remarks] = read instanceof PolicyFaults ? [read.faults, []] : [[], review(read, evidence)]
  if (flags.sarif) terminal.json(sarifOf({ folder, version: versionOfPackage(), remarks, faults }))
  else if (read instanceof PolicyFaults) showFaults(context, read, flags)
  else if (flags.json)
    terminal.json({ valid: true, digest: read.digest, findings: remarks, counts: countsOf(read) })
  else showReviewed(context, read, remarks)
  if (read instanceof PolicyFaults) throw refusedFolder(folder, read)
  stopWhereGrave(remarks, flags.failOn)
}

async function evidenceFor({ terminal }: Context, flags: CheckFlags): Promise<Evidence | undefined> {
  const { evidence: path, entries } = flags
  if (path === undefined && entries !== undefined)
    throw wrongUse("--entries tells of the days of a report", "Give --evidence, too")
  if (path === undefined) return undefined
  const evidence = evidenceOf(path)
  if (entries === undefined) return evidence
  return { ...evidence, lasted: await terminal.progress("reading the entries", lastedIn(entries, evidence)) }
}

async function lastedIn(path: string, { from, to }: Evidence): Promise<Lasted[]> {
  const lasting = createLasting()
  const [begin = from, end = to] = [from, to].map((one) => toInstant(Date.parse(one)))
  for await (const part of readEntries(path, { from: begin, to: end }))
    for (const entry of part) lasting.take(entry)
  return [...lasting.report()]
}

function evidenceOf(path: string): Evidence {
  const read = readEvidence(textOf(path))
  if (typeof read === "string") throw wrongUse(`--evidence ${path} is no least-privilege report: ${read}`)
  if (read.only === undefined) return read
  throw wrongUse(`--evidence ${path} tells a part of what happened: uses are missing`, "Ask for everything")
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable"
    throw wrongUse(`--evidence ${path} can't be read (${code})`)
  }
}

const countsOf = ({ tasks, apis, agents, orchestrators, staff }: Policy) => ({
  tasks: tasks.size,
  apis: apis.size,
  agents: agents.size,
  orchestrators: orchestrators.size,
  staff: staff.size,
})

function showReviewed({ terminal }: Context, policy: Policy, remarks: readonly Remark[]): void {
  const { green, dim } = terminal.colors
  const counts = Object.entries(countsOf(policy)).map(([what, count]) => `${count} ${what}`)
  terminal.print(`${green("valid")}  ${counts.join(", ")}`)
  terminal.print(dim(policy.digest))
  showRemarks(terminal, remarks)
}
