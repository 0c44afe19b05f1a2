// `policy replay`: what a candidate would have said to what happened, and a certificate of it. It decides what is read, what
// the operator is told and what the exit code says; what a use would have met, audit/replay.ts decides.
import { readFile } from "node:fs/promises"
import type { Command } from "commander"
import { countOf, createReplay, type ReplayReport } from "../audit/replay.ts"
import { readReplay, signReplay, statementOf } from "../audit/replay-certificate.ts"
import type { Policy } from "../policy/policy.ts"
import { parseDuration, parseInstant, toEpochSeconds, toInstant, withinYears } from "../time.ts"
import { importSigningKey } from "../token/signature.ts"
import type { Context } from "./context.ts"
import { askForEntries, type Between, readEntries } from "./entry-source.ts"
import { forTerminal } from "./escape.ts"
import { answerIsNo, cannotTell, wrongUse } from "./exit.ts"
import { asCaller, type CallerFlags, callerOf, collect, issuerOf } from "./options.ts"
import { openSource } from "./policy-source.ts"
import { writeNew } from "./secret-file.ts"

interface Flags extends CallerFlags {
  readonly since: string
  readonly entries?: string
  readonly earlier?: readonly string[]
  readonly certificate?: string
  readonly verify?: string
  readonly jwks?: string
  readonly dev?: boolean
}

/** Longest life of a task: what began before the window is read, and not counted. */
const BEFORE_MILLISECONDS = 7 * 86_400_000

export function addPolicyReplay(policy: Command, context: Context): void {
  asCaller(policy.command("replay"))
    .description(
      "what a policy would have refused of what happened; limits, locks and renewals are not looked at",
    )
    .argument("[candidate]", "a folder, git:<revision> or <revision>:<folder> (TASKMINT_POLICIES)")
    .option("--since <time>", "from when on: 30d, 12h, or an RFC 3339 time", "30d")
    .option("--entries <file>", "instead of asking the issuer as an auditor: entries, one JSON a line")
    .option(
      "--earlier <policy>",
      "a policy that decided then, for starts on behalf of users; again for more",
      collect,
    )
    .option("--certificate <file>", "write a signed statement of the result, by the caller's own key")
    .option("--verify <certificate>", "instead of replaying: is this statement genuine? (with --jwks)")
    .option("--jwks <file>", "the public key set of who signed it")
    .option("--dev", "as `serve --dev` would read the policies")
    .action((candidate: string | undefined, flags: Flags) =>
      flags.verify === undefined
        ? replay(context, candidate, flags)
        : verify(context, candidate, flags.verify, flags),
    )
}

async function replay(context: Context, given: string | undefined, flags: Flags): Promise<void> {
  const { terminal, settings } = context
  const options = { folder: settings.get("policies"), ...(flags.dev && { dev: true }) }
  const { policy: candidate } = await openSource(context, settings.need("policies", given), options)
  const earlier: Policy[] = []
  for (const one of flags.earlier ?? []) earlier.push((await openSource(context, one, options)).policy)
  const now = Date.now()
  const window = { from: readSince(flags.since, now), to: toInstant(now) }
  const run = createReplay({ candidate, earlier, from: window.from })
  let read = 0
  const work = async () => {
    for await (const part of sourceOf(context, flags, window)) {
      for (const entry of part) run.take(entry)
      read += part.length
    }
    return run.report()
  }
  const began = performance.now()
  const told = () =>
    `replaying, ${read} entries, ${Math.round((read * 1000) / (performance.now() - began))} a second`
  const report = await terminal.progress(told, work())
  if (flags.certificate !== undefined)
    await certify(context, flags, flags.certificate, { candidate, window, report })
  if (flags.json) terminal.json(forPrograms(candidate, window, report))
  else show(context, report)
  judge(report)
}

function readSince(text: string, now: number): string {
  const seconds = parseDuration(text)
  const from = seconds === undefined ? parseInstant(text) : now - seconds * 1000
  if (from === undefined)
    throw wrongUse(`--since ${text} is no time`, "Write 30d, 12h, or 2026-01-31T12:00:00Z")
  return toInstant(withinYears(from))
}

function sourceOf(context: Context, flags: Flags, { from, to }: Between) {
  const wider = { from: toInstant(withinYears(Date.parse(from) - BEFORE_MILLISECONDS)), to }
  return flags.entries === undefined
    ? askForEntries(issuerOf(context, flags), wider)
    : readEntries(flags.entries, wider)
}

interface Done {
  readonly candidate: Policy
  readonly window: Between
  readonly report: ReplayReport
}

/** Signed by the key with which the caller authenticates: it names who says so. */
async function certify(
  context: Context,
  flags: Flags,
  path: string,
  { candidate, window, report }: Done,
): Promise<void> {
  const { issuer, credential } = callerOf(context, flags)
  if (!("privateJwk" in credential))
    throw wrongUse(
      "A certificate is signed by a private key",
      "Give --client-key-file in place of the platform's JWT",
    )
  const { hits: _hits, ...result } = report
  const text = signReplay(
    {
      iss: credential.clientId,
      iat: toEpochSeconds(Date.now()),
      policy: candidate.digest,
      ledger: flags.entries ?? issuer,
      ...window,
      ...(flags.entries === undefined && { checkpoint: await checkpointOf(context, flags) }),
      statement: statementOf(report),
      result,
    },
    importSigningKey(credential.privateJwk),
  )
  writeNew(path, `${text}\n`, 0o644)
}

async function checkpointOf(context: Context, flags: Flags): Promise<string> {
  const headers = await issuerOf(context, flags).headers("GET", "/ledger/checkpoint")
  const base = context.settings.need("issuer", flags.issuer).replace(/\/$/, "")
  const answer = await fetch(`${base}/ledger/checkpoint`, { headers, redirect: "error" })
  if (answer.status !== 200) throw cannotTell(`The issuer answered ${answer.status} for its checkpoint`)
  return answer.text()
}

const forPrograms = (candidate: Policy, window: Between, report: ReplayReport) => ({
  policy: candidate.digest,
  ...window,
  statement: statementOf(report),
  ...report,
})

function show({ terminal }: Context, report: ReplayReport): void {
  const { bold, dim } = terminal.colors
  terminal.print(bold(statementOf(report)))
  const rows = (["starts", "delegations", "uses"] as const).map((what) => {
    const { total, permitted, less, refused, cannot_tell: untold } = report[what]
    return [what, ...[total, permitted, less, refused, untold].map(String)]
  })
  terminal.table(["", "TOTAL", "PERMITTED", "WITH LESS", "REFUSED", "CAN'T TELL"], rows)
  if (report.hits.length === 0) return
  terminal.print()
  const hit = report.hits.map((one) => {
    const { what, verdict, why, type, agent, orchestrator, operation = "", count, first, last } = one
    return [what, verdict, why, type, agent, orchestrator, operation, String(count), first, last]
  })
  terminal.table(
    ["WHAT", "WOULD BE", "WHY", "TYPE", "AGENT", "ORCHESTRATOR", "OPERATION", "COUNT", "FIRST", "LAST"],
    hit,
  )
  terminal.print(dim(`${report.entries} entries, ${report.first ?? "-"} to ${report.last ?? "-"}`))
}

function judge(report: ReplayReport): void {
  const [refused, untold] = [countOf(report, "refused"), countOf(report, "cannot_tell")]
  if (refused > 0) throw answerIsNo(`${refused} of what happened would have been refused`)
  if (untold > 0) throw cannotTell(`Of ${untold} it can't be told whether they would have been refused`)
}

async function verify(
  context: Context,
  given: string | undefined,
  path: string,
  flags: Flags,
): Promise<void> {
  if (flags.jwks === undefined)
    throw wrongUse("--verify needs the public keys of who signed", "Give --jwks <file>")
  const claims = readReplay((await textIn(path)).trim(), jsonOf(await textIn(flags.jwks), flags.jwks))
  if (typeof claims === "string") throw answerIsNo(`The certificate is not genuine: ${claims}`)
  if (given !== undefined) {
    const { policy } = await openSource(context, given, { ...(flags.dev && { dev: true }) })
    if (policy.digest !== claims.policy) throw answerIsNo("The certificate is about another policy")
  }
  if (flags.json) context.terminal.json(claims)
  else
    context.terminal.print(
      forTerminal(
        `genuine  ${claims.statement}, says ${claims.iss} of ${claims.policy}, from ${claims.from} to ${claims.to}`,
      ),
    )
}

async function textIn(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => {
    throw wrongUse(`${path} can't be read`)
  })
}

function jsonOf(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw wrongUse(`${path} is not JSON`)
  }
}
