// `policy narrow`: the narrower policy that evidence supports, as a unified diff or written into the folder. It decides what
// is told and written; what goes, policy/narrow.ts decides, and the result is loaded and compared before anybody sees it.
import { readFile, rename, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import type { Command } from "commander"
import { asRecord } from "../client/issuer-call.ts"
import { countingFault, type Evidence, readEvidence, sizeIn } from "../policy/evidence.ts"
import { PolicyFaults } from "../policy/fault.ts"
import { loadStoredPolicy } from "../policy/load.ts"
import { type Narrowed, narrowFault, narrowPolicy } from "../policy/narrow.ts"
import type { Policy } from "../policy/policy.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { cannotTell, wrongUse } from "./exit.ts"
import { asCaller, type CallerFlags, issuerOf, readCount } from "./options.ts"
import { openSource } from "./policy-source.ts"
import { unifiedDiff } from "./unified.ts"

interface Flags extends CallerFlags {
  readonly evidence?: string
  readonly minTasks: number
  readonly write?: boolean
  readonly dev?: boolean
}

export function addPolicyNarrow(policy: Command, context: Context): void {
  asCaller(policy.command("narrow"))
    .description(
      "take out what nobody used, as edits of the policy files; the evidence is the issuer's report",
    )
    .argument("[folder]", "the policy folder (TASKMINT_POLICIES)")
    .option("--evidence <file>", "instead of asking the issuer: its least-privilege report, as JSON")
    .option("--min-tasks <count>", "leave what fewer tasks were given", readCount, 20)
    .option("--write", "change the files, instead of printing the difference")
    .option("--dev", "as `serve --dev` would read the folder")
    .action((folder: string | undefined, flags: Flags) => narrow(context, folder, flags))
}

async function narrow(context: Context, given: string | undefined, flags: Flags): Promise<void> {
  const folder = context.settings.need("policies", given)
  const { policy } = await openSource(context, folder, { ...(flags.dev && { dev: true }) })
  const evidence = await evidenceOf(context, flags)
  const narrowed = narrowPolicy(policy, evidence, { minTasks: flags.minTasks })
  await checkResult(policy, narrowed, evidence, flags.dev ?? false)
  if (flags.write) await writeChanged(folder, policy, narrowed)
  show(context, policy, narrowed, flags)
}

async function evidenceOf(context: Context, flags: Flags): Promise<Evidence> {
  const given = flags.evidence
  const text =
    given === undefined
      ? await context.terminal.progress("asking", askForReport(context, flags))
      : await textIn(given)
  const read = readEvidence(text)
  if (typeof read === "string") throw cannotTell(`This is no least-privilege report: ${read}`)
  if (typeof asRecord(JSON.parse(text)).next === "string")
    throw cannotTell("The report is a page of a longer one", "Put the items of all its pages together")
  const fault = given === undefined ? undefined : countingFault(read)
  if (fault !== undefined)
    throw cannotTell(
      `The report may lack uses: ${fault}`,
      "Ask again, for everything: for days that are over (--to), or when the issuer has counted on",
    )
  return read
}

const POLL_MILLISECONDS = 1000
const MOST_POLLS = 60

/**
 * The report with the items of all its pages, over the window of the first: what a page lacks would look unused. All of it
 * is of when what the ledger held at the first question was counted, which takes seconds.
 */
async function askForReport(context: Context, flags: Flags): Promise<string> {
  const issuer = issuerOf(context, flags)
  const ask = async (query: string) =>
    asRecord((await issuer.call("GET", `/reports/least-privilege${query}`)).body)
  let report = await ask("")
  const size = sizeIn(String(report.checkpoint))
  if (size === undefined) throw cannotTell("The issuer does not say how long its ledger is")
  const isBehind = (page: typeof report) => !(Number(page.up_to) >= size)
  for (let polls = 0; isBehind(report) && polls < MOST_POLLS; polls++) {
    await setTimeout(POLL_MILLISECONDS)
    report = await ask("")
  }
  const items: unknown[] = []
  for (let page = report; ; ) {
    if (!Array.isArray(page.items)) throw cannotTell("The issuer answered with something that is no report")
    if (isBehind(page))
      throw cannotTell(`The issuer has counted ${page.up_to} of ${size} entries`, "Ask again in a moment")
    items.push(...page.items)
    if (typeof page.next !== "string") return JSON.stringify({ ...report, items, next: null })
    const { from, to } = report
    page = await ask(`?${new URLSearchParams({ from: String(from), to: String(to), after: page.next })}`)
  }
}

const textIn = (path: string): Promise<string> =>
  readFile(path, "utf8").catch(() => {
    throw wrongUse(`--evidence ${path} can't be read`)
  })

/** Nothing is shown or written that does not load, that widens, or that takes away what was used. */
async function checkResult(
  policy: Policy,
  { texts }: Narrowed,
  evidence: Evidence,
  dev: boolean,
): Promise<void> {
  const narrower = await loadStoredPolicy(texts, { dev })
  if (narrower instanceof PolicyFaults) throw cannotTell(`The narrower policy would not load: ${narrower}`)
  const fault = narrowFault(policy, narrower, evidence)
  if (fault !== undefined) throw cannotTell(`The narrower policy would not be narrower: ${fault}`)
}

const changedFiles = (policy: Policy, { texts }: Narrowed) =>
  [...texts].flatMap(([name, text]) => {
    const old = policy.files.get(name)
    return old === undefined || old === text ? [] : [{ name, old, text }]
  })

/** Each file is whole at every moment, and stays as readable as it was. */
async function writeChanged(folder: string, policy: Policy, narrowed: Narrowed): Promise<void> {
  for (const { name, text } of changedFiles(policy, narrowed)) {
    const path = join(folder, name)
    const { mode } = await stat(path)
    await writeFile(`${path}.narrower`, text, { flag: "wx", mode })
    await rename(`${path}.narrower`, path)
  }
}

function show({ terminal }: Context, policy: Policy, narrowed: Narrowed, flags: Flags): void {
  const { removed, left } = narrowed
  const files = changedFiles(policy, narrowed)
  if (flags.json) {
    terminal.json({ removed, left, files: Object.fromEntries(files.map(({ name, text }) => [name, text])) })
    return
  }
  if (!flags.write)
    for (const { name, old, text } of files)
      for (const line of unifiedDiff(name, old, text)) terminal.print(forTerminal(line))
  for (const { rule, operation, granted } of removed)
    terminal.note(forTerminal(`${operation} goes from ${rule}: ${granted} tasks were given it, none used it`))
  for (const { rule, operation, why } of left)
    terminal.note(forTerminal(`${operation} stays in ${rule}: ${why}`))
  if (removed.length === 0) terminal.note("Nothing can be taken out.")
}
