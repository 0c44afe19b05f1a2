// Options that several commands share, and how their values are read. It decides spelling, never meaning.
import { type Command, InvalidArgumentError, Option } from "commander"
import { openIssuer } from "../client/issuer-call.ts"
import { orchestrate } from "../client/orchestrator.ts"
import { systemClock } from "../time.ts"
import type { Context } from "./context.ts"
import { wrongUse } from "./exit.ts"
import { patient } from "./patience.ts"
import { readSecret } from "./secret-file.ts"

export interface CallerFlags {
  readonly issuer?: string
  readonly clientId?: string
  readonly clientKeyFile?: string
  readonly json?: boolean
}

/** A command that calls the issuer: who calls, and `--json`. */
export const asCaller = (command: Command): Command =>
  withJson(command)
    .option("--issuer <url>", "the issuer's name and address (TASKMINT_ISSUER)")
    .option("--client-id <name>", "who calls: a name in the policy (TASKMINT_CLIENT_ID)")
    .option("--client-key-file <file>", "its private JWK (TASKMINT_CLIENT_KEY_FILE)")

export const withJson = (command: Command): Command => command.option("--json", "JSON for programs")

/** Who calls which issuer, from flags and settings. */
export function callerOf({ settings }: Context, flags: CallerFlags) {
  settings.refuseLater("clientAssertionFile")
  const issuer = settings.need("issuer", flags.issuer)
  const clientId = settings.need("clientId", flags.clientId)
  const path = settings.need("clientKeyFile", flags.clientKeyFile)
  return {
    issuer,
    credential: { clientId, privateJwk: readPrivateJwk(path) },
    dangerouslyAllowPlainHttp: settings.isOn("plainHttp"),
  }
}

export const issuerOf = (context: Context, flags: CallerFlags) =>
  patient(openIssuer(callerOf(context, flags), systemClock), context.terminal)

export const orchestratorOf = (context: Context, flags: CallerFlags) =>
  orchestrate(issuerOf(context, flags), systemClock)

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
