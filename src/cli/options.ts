// Options that several commands share, and how their values are read. It decides spelling, never meaning.
import { accessSync, constants } from "node:fs"
import { type Command, InvalidArgumentError, Option } from "commander"
import { openIssuer } from "../client/issuer-call.ts"
import { orchestrate } from "../client/orchestrator.ts"
import { systemClock } from "../time.ts"
import type { Context } from "./context.ts"
import { wrongUse } from "./exit.ts"
import { namingWrong } from "./issuer-name.ts"
import { patient } from "./patience.ts"
import { readSecret } from "./secret-file.ts"

export interface CallerFlags {
  readonly issuer?: string
  readonly clientId?: string
  readonly clientKeyFile?: string
  readonly clientAssertionFile?: string
  readonly json?: boolean
}

/** A command that calls the issuer: who calls, and `--json`. */
export const asCaller = (command: Command): Command => callingAs(withJson(command))

/** The same where there is nothing to be printed. */
export const callingAs = (command: Command): Command =>
  command
    .option("--issuer <url>", "the issuer's name and address (TASKMINT_ISSUER)")
    .option("--client-id <name>", "who calls: a name in the policy (TASKMINT_CLIENT_ID)")
    .option("--client-key-file <file>", "its private JWK (TASKMINT_CLIENT_KEY_FILE)")
    .option("--client-assertion-file <file>", ASSERTION_FILE)

export const ASSERTION_FILE =
  "or its platform's JWT for the issuer, in place of a key (TASKMINT_CLIENT_ASSERTION_FILE)"

export const withJson = (command: Command): Command => command.option("--json", "JSON for programs")

/** Who calls which issuer, from flags and settings. */
export function callerOf({ settings }: Context, flags: CallerFlags) {
  const issuer = settings.need("issuer", flags.issuer)
  const clientId = settings.need("clientId", flags.clientId)
  return {
    issuer,
    credential: { clientId, ...proofOf(settings, flags) },
    dangerouslyAllowPlainHttp: settings.isOn("plainHttp"),
  }
}

/** A flag goes before a variable, whichever of the two it is about. */
function proofOf(settings: Context["settings"], flags: CallerFlags) {
  const key = flags.clientKeyFile ?? (flags.clientAssertionFile ? undefined : settings.get("clientKeyFile"))
  const assertionFile =
    flags.clientAssertionFile ?? (flags.clientKeyFile ? undefined : settings.get("clientAssertionFile"))
  if (key !== undefined && assertionFile !== undefined)
    throw wrongUse(
      "There is a private key and a platform's JWT to authenticate with",
      "Keep one of TASKMINT_CLIENT_KEY_FILE and TASKMINT_CLIENT_ASSERTION_FILE",
    )
  if (assertionFile !== undefined) return { assertionFile: checkReadable(assertionFile) }
  return { privateJwk: readPrivateJwk(settings.need("clientKeyFile", key)) }
}

export const issuerOf = (
  context: Context,
  flags: CallerFlags,
  patience: { readonly timeoutMilliseconds?: number } = {},
) =>
  patient(
    namingWrong(openIssuer({ ...callerOf(context, flags), ...patience }, systemClock)),
    context.terminal,
  )

export const orchestratorOf = (context: Context, flags: CallerFlags) =>
  orchestrate(issuerOf(context, flags), systemClock)

/** Who may read it is the platform's to say: it lives for minutes and is replaced. */
function checkReadable(path: string): string {
  try {
    accessSync(path, constants.R_OK)
    return path
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable"
    throw wrongUse(`TASKMINT_CLIENT_ASSERTION_FILE: ${path} can't be read (${code})`)
  }
}

function readPrivateJwk(path: string): object {
  const text = readSecret(path, "TASKMINT_CLIENT_KEY_FILE")
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === "object" && value !== null) return value
  } catch {
    // The parser's message quotes the text, which is a private key: said below in our own words.
  }
  throw wrongUse(`${path} does not hold a private JWK`, "`credential new` makes one")
}

/** `--input ticket=SUP-1042`, again for each input. */
export function readInput(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const at = text.indexOf("=")
  if (at < 1) throw new InvalidArgumentError("Write it as name=value.")
  if (Object.hasOwn(before, text.slice(0, at))) throw new InvalidArgumentError("Each input is given once.")
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
}

/** An option that can be given again. */
export const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text]

/** `triage-bot/pod-7f3c`: the agent's name and its instance. */
export function readAgent(text: string): { readonly id: string; readonly instance: string } {
  const [id, instance, ...more] = text.split("/")
  if (!id || !instance || more.length > 0)
    throw new InvalidArgumentError("Write it as agent/instance, as in triage-bot/pod-7f3c.")
  return { id, instance }
}

export function readCount(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError("Give a whole number above 0.")
  return Number(text)
}

/** An option that must be there, with the words of this command line when it is not. */
export const required = (flags: string, description: string): Option =>
  new Option(flags, description).makeOptionMandatory()
