// Commands that need a person: who signs in, where and how. It decides between a sign-in and a key; whether the issuer takes
// either is its own to say.
import type { Command } from "commander"
import { type IssuerCalls, openIssuer } from "../client/issuer-call.ts"
import { systemClock } from "../time.ts"
import type { Context } from "./context.ts"
import { wrongUse } from "./exit.ts"
import { namingWrong } from "./issuer-name.ts"
import { asCaller, type CallerFlags, issuerOf } from "./options.ts"
import { patient } from "./patience.ts"

export interface PersonFlags extends CallerFlags {
  readonly signInIssuer?: string
  readonly signInClientId?: string
  readonly signInScope?: string
  readonly browser: boolean
}

/** A command of somebody who signs in. */
export const asPerson = (command: Command): Command =>
  asCaller(command)
    .option("--sign-in-issuer <url>", "sign in at this OpenID provider (TASKMINT_SIGN_IN_ISSUER)")
    .option("--sign-in-client-id <id>", "as this client of the provider's (TASKMINT_SIGN_IN_CLIENT_ID)")
    .option("--sign-in-scope <scopes>", "asking it for these scopes (TASKMINT_SIGN_IN_SCOPE, openid)")
    .option("--no-browser", "print the page's address and open no browser")

/** As a person who signs in where a provider is named; else with a key, which --dev alone lets decide. */
export async function issuerForPerson(
  context: Context,
  flags: PersonFlags,
  patience: { readonly timeoutMilliseconds?: number } = {},
): Promise<IssuerCalls> {
  const { settings, terminal } = context
  const hasKey = flags.clientKeyFile !== undefined || flags.clientAssertionFile !== undefined
  const provider = hasKey ? undefined : settings.get("signInIssuer", flags.signInIssuer)
  if (provider === undefined) {
    if (
      !hasKey &&
      settings.get("clientKeyFile") === undefined &&
      settings.get("clientAssertionFile") === undefined
    )
      throw wrongUse(
        "Nobody signs in: no provider is named, and no key",
        "Give --sign-in-issuer and --sign-in-client-id, or set TASKMINT_SIGN_IN_ISSUER and TASKMINT_SIGN_IN_CLIENT_ID",
      )
    return issuerOf(context, flags, patience)
  }
  const issuer = settings.need("issuer", flags.issuer)
  const clientId = settings.need("clientId", flags.clientId)
  const plainHttp = settings.isOn("plainHttp")
  const asked = {
    provider,
    clientId: settings.need("signInClientId", flags.signInClientId),
    scope: settings.need("signInScope", flags.signInScope),
    browser: flags.browser,
    plainHttp,
  }
  const { signIn } = await import("./sign-in.ts") // a library that no other command needs
  const credential = { clientId, idToken: await signIn(asked, terminal) }
  return patient(
    namingWrong(
      openIssuer({ issuer, credential, dangerouslyAllowPlainHttp: plainHttp, ...patience }, systemClock),
    ),
    terminal,
  )
}
