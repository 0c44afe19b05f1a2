// `policy narrow`: the narrower policy that evidence supports, as a unified diff or written into the folder. It decides what
// is told and written; what goes, policy/narrow.ts and narrow-touched.ts decide, and the result is loaded, compared and replayed
// before anybody sees it.
import { rename, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Command } from "commander"
import { diffPolicies } from "../policy/diff.ts"
import type { Evidence } from "../policy/evidence.ts"
import { PolicyFaults } from "../policy/fault.ts"
import { loadStoredPolicy } from "../policy/load.ts"
import { narrowFault, narrowPolicy } from "../policy/narrow.ts"
import type { Left, Removed } from "../policy/narrow-judged.ts"
import { narrowTouched, needsEntries, type Rewritten } from "../policy/narrow-touched.ts"
import type { Policy } from "../policy/policy.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { cannotTell } from "./exit.ts"
import { type EvidenceFlags, evidenceOf, replayFault, touchedIn } from "./narrow-evidence.ts"
import { asCaller, readCount } from "./options.ts"
import { readingOf } from "./policy-folder.ts"
import { openSource } from "./policy-source.ts"
import { unifiedDiff } from "./unified.ts"

interface Flags extends EvidenceFlags {
  readonly write?: boolean
  readonly dev?: boolean
}

interface Narrowed {
  readonly texts: ReadonlyMap<string, string>
  readonly rewritten: readonly Rewritten[]
  readonly removed: readonly Removed[]
  readonly left: readonly Left[]
}

export function addPolicyNarrow(policy: Command, context: Context): void {
  asCaller(policy.command("narrow"))
    .description(
      "take out what nobody used, as edits of the policy files; the evidence is the issuer's report, and its entries",
    )
    .argument("[folder]", "the policy folder (TASKMINT_POLICIES)")
    .option("--evidence <file>", "instead of asking the issuer: its least-privilege report, as JSON")
    .option("--entries <file>", "instead of asking the issuer: the entries of these days, one JSON a line")
    .option(
      "--no-entries",
      "leave wildcards of resources, and `at_most` of users, which only entries tell of",
    )
    .option("--min-tasks <count>", "leave what fewer tasks were given or touched", readCount, 20)
    .option("--write", "change the files, instead of printing the difference")
    .option("--dev", "as `serve --dev` would read the folder")
    .action((folder: string | undefined, flags: Flags) => narrow(context, folder, flags))
}

async function narrow(context: Context, given: string | undefined, flags: Flags): Promise<void> {
  const folder = context.settings.need("policies", given)
  const { policy } = await openSource(context, folder, { ...(flags.dev && { dev: true }) })
  const evidence = await evidenceOf(context, flags)
  const narrowed = await narrowBy(context, flags, policy, evidence)
  if (flags.write) await writeChanged(folder, policy, narrowed)
  show(context, policy, narrowed, flags)
}

/** Resources and users first: they take no grant out, so that the report's rules keep their places. */
async function narrowBy(
  context: Context,
  flags: Flags,
  policy: Policy,
  evidence: Evidence,
): Promise<Narrowed> {
  const options = { minTasks: flags.minTasks }
  const touched = needsEntries(policy) ? await touchedIn(context, flags, { policy, evidence }) : undefined
  const first = narrowTouched(policy, touched, options)
  const between = await loaded(context, first.texts, flags)
  const wider = diffPolicies(policy, between).find(
    ({ direction }) => direction === "widening" || direction === "unknown",
  )
  if (wider) throw notNarrower(wider.text)
  const second = narrowPolicy(between, evidence, options)
  const narrower = await loaded(context, second.texts, flags)
  const fault =
    narrowFault(between, narrower, evidence) ??
    (touched && (await replayFault(context, flags, { policy, narrower, evidence })))
  if (fault !== undefined) throw notNarrower(fault)
  return {
    texts: second.texts,
    rewritten: first.rewritten,
    removed: [...first.removed, ...second.removed],
    left: [...first.left, ...second.left],
  }
}

/** Nothing is shown or written that does not load, that widens, or that takes away what was used. */
async function loaded(context: Context, texts: ReadonlyMap<string, string>, flags: Flags): Promise<Policy> {
  const narrower = await loadStoredPolicy(texts, readingOf(context, flags))
  if (narrower instanceof PolicyFaults) throw cannotTell(`The narrower policy would not load: ${narrower}`)
  return narrower
}

const notNarrower = (fault: string) => cannotTell(`The narrower policy would not be narrower: ${fault}`)

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
  const { removed, rewritten, left } = narrowed
  const files = changedFiles(policy, narrowed)
  if (flags.json) {
    const texts = Object.fromEntries(files.map(({ name, text }) => [name, text]))
    terminal.json({ removed, rewritten, left, files: texts })
    return
  }
  if (!flags.write)
    for (const { name, old, text } of files)
      for (const line of unifiedDiff(name, old, text)) terminal.print(forTerminal(line))
  const note = (text: string) => terminal.note(forTerminal(text))
  for (const { rule, operation, granted } of removed)
    note(`${operation} goes from ${rule}: ${granted} tasks were given it, none used it`)
  for (const { rule, resource, becomes } of rewritten)
    note(
      becomes.length === 0
        ? `${resource} goes from ${rule}: nothing that it alone names was touched`
        : `${resource} becomes ${becomes.join(", ")} in ${rule}: nothing else was touched`,
    )
  for (const { rule, operation, resource = operation, why } of left)
    note(`${resource} stays in ${rule}: ${why}`)
  if (removed.length + rewritten.length === 0) terminal.note("Nothing can be taken out.")
}
