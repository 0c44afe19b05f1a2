// `policy diff`: what changes between two policies, for a person, a program or a pull request. It decides how findings are
// shown and when the exit code says no; what they are, policy/diff.ts decides.
import { type Command, Option } from "commander"
import { countDirections, diffPolicies } from "../policy/diff.ts"
import { DIRECTIONS, type Direction, type Finding } from "../policy/finding.ts"
import type { Place } from "../policy/policy.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { answerIsNo, cannotTell } from "./exit.ts"
import { withJson } from "./options.ts"
import { openSource, type Source } from "./policy-source.ts"

interface Flags {
  readonly failOn?: "widening" | "any"
  readonly json?: boolean
  readonly markdown?: boolean
  readonly dev?: boolean
}

export function addPolicyDiff(policy: Command, context: Context): void {
  withJson(policy.command("diff"))
    .description("who gains and who loses what between two policies: folders, or git revisions of one")
    .argument("<old>", "a folder, git:<revision> of the policy folder, or <revision>:<folder>")
    .argument("[new]", "the same; without it, the policy folder (TASKMINT_POLICIES)")
    .addOption(
      new Option(
        "--fail-on <direction>",
        "exit code 1 when something widens, or when anything changes; 3 when that can't be told",
      ).choices(["widening", "any"]),
    )
    .option("--markdown", "for a pull request's comment")
    .option("--dev", "as `serve --dev` would read them")
    .action((old: string, now: string | undefined, flags: Flags) => diff(context, old, now, flags))
}

async function diff(context: Context, old: string, given: string | undefined, flags: Flags): Promise<void> {
  const { terminal, settings } = context
  const now = given ?? settings.need("policies")
  // A revision without a folder is of the folder on the other side, where that is one: the setting may be of elsewhere.
  const folder = [now, old, settings.get("policies")].find((one) => one !== undefined && !one.includes(":"))
  const options = { folder, ...(flags.dev && { dev: true }) }
  const sides = [await openSource(context, old, options), await openSource(context, now, options)] as const
  const findings = diffPolicies(sides[0].policy, sides[1].policy)
  if (flags.json) terminal.json(forPrograms(sides, findings))
  else if (flags.markdown) for (const line of markdown(sides, findings)) terminal.print(line)
  else show(context, findings)
  judge(findings, flags.failOn)
}

function judge(findings: readonly Finding[], failOn: Flags["failOn"]): void {
  const { widening, unknown, narrowing } = countDirections(findings)
  if (failOn === undefined) return
  if (failOn === "any" && widening + unknown + narrowing > 0)
    throw answerIsNo(`${widening + unknown + narrowing} change(s) in what somebody may do`)
  if (widening > 0) throw answerIsNo(`${widening} change(s) let somebody do more`)
  if (unknown > 0)
    throw cannotTell(`${unknown} change(s) may let somebody do more`, "A person has to look at them")
}

const HEADINGS: Readonly<Record<Direction, string>> = {
  widening: "Wider",
  unknown: "May be wider, can't be told",
  narrowing: "Narrower",
  neutral: "Neither",
}

function show({ terminal }: Context, findings: readonly Finding[]): void {
  const { bold, dim, red, yellow, green } = terminal.colors
  const paint = { widening: red, unknown: yellow, narrowing: green, neutral: dim }
  for (const direction of DIRECTIONS) {
    const some = findings.filter((one) => one.direction === direction)
    if (some.length > 0) terminal.print(bold(paint[direction](HEADINGS[direction])))
    for (const { text, old, new: now } of some)
      terminal.print(`  ${forTerminal(text)}  ${dim(forTerminal(placesOf(old, now)))}`)
  }
  if (findings.length === 0) terminal.print("Nobody may do more or less.")
}

function placesOf(old: Place | undefined, now: Place | undefined): string {
  const [before, after] = [old, now].map((one) => one && `${one.file}:${one.line}`)
  if (before === undefined || after === undefined || before === after) return after ?? before ?? ""
  return `${before} -> ${after}`
}

const forPrograms = ([old, now]: readonly [Source, Source], findings: readonly Finding[]) => ({
  old: old.policy.digest,
  new: now.policy.digest,
  counts: countDirections(findings),
  findings,
})

/** What others wrote stands where Markdown reads nothing into it. */
const plain = (text: string): string =>
  forTerminal(text)
    .replace(/[\\`*_{}[\]<>#|~!&]/g, "\\$&")
    .replaceAll("@", "@\u200c")

function markdown([old, now]: readonly [Source, Source], findings: readonly Finding[]): string[] {
  const counts = countDirections(findings)
  const told = DIRECTIONS.filter((one) => counts[one] > 0).map((one) => `${counts[one]} ${one}`)
  const parts = DIRECTIONS.flatMap((direction) => {
    const some = findings.filter((one) => one.direction === direction)
    if (some.length === 0) return []
    const lines = some.map((one) => `- ${plain(one.text)} (${plain(placesOf(one.old, one.new))})`)
    return ["", `**${HEADINGS[direction]}**`, "", ...lines]
  })
  return [
    `### Policy: ${told.join(", ") || "nobody may do more or less"}`,
    "",
    `${plain(old.name)} → ${plain(now.name)}`,
    ...parts,
  ]
}
