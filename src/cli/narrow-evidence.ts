// What `policy narrow` goes by: the least-privilege report, of a file or of an issuer, and the entries of its window where the
// report can't tell. It decides that what may lack uses is no evidence; what follows for a policy is policy/narrow*.ts's.
import { readFile } from "node:fs/promises"
import { setTimeout } from "node:timers/promises"
import { createReplay, type ReplayReport } from "../audit/replay.ts"
import { createTouching } from "../audit/touching.ts"
import { asRecord } from "../client/issuer-call.ts"
import type { Entry } from "../ledger/entry.ts"
import { countingFault, type Evidence, readEvidence, sizeIn } from "../policy/evidence.ts"
import type { Policy } from "../policy/policy.ts"
import { missingUses, type Touched } from "../policy/touched.ts"
import { toInstant, withinYears } from "../time.ts"
import type { Context } from "./context.ts"
import { askForEntries, readEntries } from "./entry-source.ts"
import { cannotTell, wrongUse } from "./exit.ts"
import { type CallerFlags, issuerOf } from "./options.ts"

export interface EvidenceFlags extends CallerFlags {
  readonly evidence?: string
  /** False: they are not looked at. */
  readonly entries?: string | false
  readonly minTasks: number
}

export async function evidenceOf(context: Context, flags: EvidenceFlags): Promise<Evidence> {
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
async function askForReport(context: Context, flags: EvidenceFlags): Promise<string> {
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

/** Longest life of a task: what began before the window is read, and not counted. */
const BEFORE_MILLISECONDS = 7 * 86_400_000

/** The entries that the report was counted from, and those before that tell of its tasks. */
async function* entriesOf(
  context: Context,
  flags: EvidenceFlags,
  { from, to, up_to: upTo = Number.POSITIVE_INFINITY }: Evidence,
): AsyncGenerator<Entry> {
  const before = withinYears(Date.parse(from) - BEFORE_MILLISECONDS)
  const between = { from: toInstant(before), to: toInstant(Date.parse(to)) }
  const source =
    typeof flags.entries === "string"
      ? readEntries(flags.entries, between)
      : askForEntries(issuerOf(context, flags), between)
  for await (const part of source)
    for (const entry of part) {
      if (entry.seq > upTo) return
      yield entry
    }
}

const beginning = ({ from }: Evidence): string => toInstant(Date.parse(from))

/** What entries tell beyond the report; undefined where none are given beside a report that is, or wanted. */
export async function touchedIn(
  context: Context,
  flags: EvidenceFlags,
  { policy, evidence }: { readonly policy: Policy; readonly evidence: Evidence },
): Promise<Touched | undefined> {
  if (flags.entries === false || (flags.evidence !== undefined && flags.entries === undefined))
    return undefined
  const touching = createTouching(policy, { from: beginning(evidence), most: flags.minTasks })
  let read = 0
  const work = async () => {
    for await (const entry of entriesOf(context, flags, evidence)) {
      touching.take(entry)
      read += 1
    }
    return touching.report()
  }
  const touched = await context.terminal.progress(() => `reading, ${read} entries`, work())
  const missing = missingUses(touched, evidence)
  if (missing !== undefined)
    throw cannotTell(
      `The entries lack uses: ${missing}`,
      "Give every entry of the report's days, and of the seven days before, of every kind",
    )
  return touched
}

/** Whether the narrower policy would refuse what the old one would not, of everything that happened. */
export async function replayFault(
  context: Context,
  flags: EvidenceFlags,
  { policy, narrower, evidence }: { policy: Policy; narrower: Policy; evidence: Evidence },
): Promise<string | undefined> {
  const from = beginning(evidence)
  const was = createReplay({ candidate: policy, from })
  const is = createReplay({ candidate: narrower, earlier: [policy], from })
  const work = async () => {
    for await (const entry of entriesOf(context, flags, evidence)) {
      was.take(entry)
      is.take(entry)
    }
    return worse(was.report(), is.report())
  }
  return context.terminal.progress("replaying", work())
}

function worse(was: ReplayReport, is: ReplayReport): string | undefined {
  for (const what of ["starts", "delegations", "uses"] as const)
    for (const verdict of ["refused", "cannot_tell"] as const) {
      const more = is[what][verdict] - was[what][verdict]
      if (more > 0)
        return `${more} of the ${what} in the window would be ${verdict === "refused" ? "refused" : "untold"}`
    }
  return undefined
}
