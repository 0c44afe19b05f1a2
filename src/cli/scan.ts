// `scan`: finds our tokens where they should not be, says which task each is of and whether it still lives, and with --revoke
// ends it. It decides what is looked through and how it ends; what a token is, exposure/ says, and what is asked, scan-asking.ts.
import { readFileSync } from "node:fs"
import type { Command } from "commander"
import { ClientError } from "../client/error.ts"
import type { IssuerCalls } from "../client/issuer-call.ts"
import { createFindings, type Findings } from "../exposure/findings.ts"
import { type Source, sourcesAt, type Unread } from "../exposure/source.ts"
import { Unreachable } from "../remote/exchange.ts"
import { KeyFault, readKeySet } from "../token/signature.ts"
import type { KeyOf } from "../token/signed.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { CommandEnded, cannotTell, EXIT, wrongUse } from "./exit.ts"
import { asCaller, type CallerFlags, issuerOf } from "./options.ts"
import { type Answered, end, keysOf, tell } from "./scan-asking.ts"
import { forPrograms, type Scanned, showScanned } from "./scan-report.ts"

interface Flags extends CallerFlags {
  readonly offline?: boolean
  readonly jwks?: string
  readonly revoke?: boolean
  readonly lock: boolean
  readonly reason: string
}

export function addScan(program: Command, context: Context): void {
  asCaller(program.command("scan"))
    .description(
      "find our tokens in logs, transcripts and files; exit code 0: none, 1: some, 3: not all could be read, or done",
    )
    .argument("[paths...]", "files, and folders with all below them; standard input without any, or with -")
    .option("--offline", "ask nobody: say what the tokens say of themselves")
    .option("--jwks <file>", "the issuer's keys, to check signatures without it")
    .option("--revoke", "end each genuine token that lives, and lock its holder until somebody lifts that")
    .option("--no-lock", "with --revoke: end the tokens alone")
    .option("--reason <text>", "why, for people, with --revoke", "found by taskmint scan")
    .addHelpText("after", UNPACKED)
    .action((paths: readonly string[], flags: Flags) => scan(context, paths, flags))
}

const UNPACKED =
  "\ngzip, brotli (.br) and, with Node 22.15 or later, zstd are unpacked; zip, xz, bzip2 and 7z are not, and are named."

async function scan(context: Context, paths: readonly string[], flags: Flags): Promise<void> {
  if (flags.offline && flags.revoke) throw wrongUse("--revoke needs the issuer, which --offline does not ask")
  const issuer = context.settings.get("issuer", flags.issuer)
  const calls = callsFor(context, flags)
  const keyOf = await keysFor(context, flags, issuer)
  const findings = createFindings({ issuer, keyOf })
  const began = performance.now()
  const looked = await lookThrough(context, paths.length === 0 ? ["-"] : paths, findings)
  const milliseconds = performance.now() - began
  const asked = await askAbout(context, flags, { findings, calls })
  const scanned: Scanned = { ...looked, ...asked, milliseconds, others: findings.others() }
  if (flags.json) context.terminal.json(forPrograms(scanned, Date.now()))
  else showScanned(context, scanned, Date.now())
  const undone = scanned.failed ?? (flags.revoke && scanned.unasked)
  if (undone) throw cannotTell(`Not everything was ended: ${undone}`, "Run it again, as an operator")
  const exitCode = exitOf(scanned)
  if (exitCode !== EXIT.done) throw new CommandEnded(exitCode)
}

const exitOf = ({ answered, unread }: Scanned) => {
  if (answered.length > 0) return EXIT.no
  return unread.some(({ leftOut }) => !leftOut) ? EXIT.cannotTell : EXIT.done
}

/** Without any, signatures are not checked, and that is said of each token. */
async function keysFor(
  { terminal }: Context,
  flags: Flags,
  issuer: string | undefined,
): Promise<KeyOf | undefined> {
  if (flags.jwks !== undefined) return keysIn(flags.jwks)
  if (flags.offline || issuer === undefined) return undefined
  try {
    return await terminal.progress("asking for keys", keysOf(issuer))
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error
    terminal.note("The issuer's keys can't be had: signatures are not checked")
    return undefined
  }
}

function keysIn(path: string): KeyOf {
  try {
    const keys = readKeySet(JSON.parse(readFileSync(path, "utf8")))
    if (!(keys instanceof KeyFault)) return (kid) => keys.get(kid)
  } catch {
    // Said below: the system's words and the parser's are no help here.
  }
  throw wrongUse(`${path} holds no key set`, "Save /.well-known/jwks.json of the issuer")
}

/** Where nobody looks on, a line is said so often. */
const SAID_EVERY_MILLISECONDS = 10_000

async function lookThrough({ terminal }: Context, paths: readonly string[], findings: Findings) {
  const unread: Unread[] = []
  let [sources, bytes, at] = [0, 0, ""]
  let saidAt = performance.now()
  const line = () =>
    `${forTerminal(at)}, ${(bytes / 1e6).toFixed(0)} MB in all, ${findings.all().length} token(s) found`
  const read = (more: number) => {
    bytes += more
    if (process.stderr.isTTY || performance.now() - saidAt < SAID_EVERY_MILLISECONDS) return
    saidAt = performance.now()
    terminal.note(line())
  }
  const lookAt = async (source: Source | Unread) => {
    at = source.name
    if ("why" in source) return void unread.push(source)
    sources += 1
    const why = await findings.look(source, read)
    if (why !== undefined) unread.push({ name: source.name, why })
  }
  const all = async () => {
    for (const path of paths)
      if (path === "-") await lookAt({ name: "-", open: () => process.stdin })
      else for await (const source of sourcesAt(path)) await lookAt(source)
  }
  await terminal.progress(line, all())
  return { unread, sources, bytes }
}

/** Before anything is looked through: what is set wrongly is said at once. A text: why nobody is asked. */
function callsFor(context: Context, flags: Flags): IssuerCalls | string {
  if (flags.offline) return "--offline"
  const { settings } = context
  const isKnown = settings.get("issuer", flags.issuer) && settings.get("clientId", flags.clientId)
  if (!isKnown && !flags.revoke) return "TASKMINT_ISSUER or TASKMINT_CLIENT_ID is not set"
  return issuerOf(context, flags)
}

/** What the issuer can't be asked about stands as it was found. */
async function askAbout(
  { terminal }: Context,
  { revoke, lock, reason }: Flags,
  { findings, calls }: { readonly findings: Findings; readonly calls: IssuerCalls | string },
): Promise<Pick<Scanned, "answered" | "unasked" | "failed">> {
  const found = findings.all()
  const answered: readonly Answered[] = found.map((finding) => ({ finding, ended: [] }))
  if (found.length === 0) return { answered, unasked: undefined }
  if (typeof calls === "string") return { answered, unasked: calls }
  try {
    const told = await terminal.progress("asking about them", tell(calls, found))
    if (!revoke) return { answered: told, unasked: undefined }
    const ending = lock ? "instance" : "token"
    const ended = await terminal.progress("ending them", end(calls, told, { ending, reason }))
    return { ...ended, unasked: undefined }
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    return { answered, unasked: error.message }
  }
}
