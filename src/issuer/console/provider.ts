// Where people of the console sign in: the provider that the settings name, or the only one that the policy's staff is signed
// in at. It decides which, by the policy in force, and what is missing where there is none; the conversation with it is
// remote/code-flow.ts's.
import { caller as callerOf } from "../../policy/callers.ts"
import type { IdentityProvider, Policy } from "../../policy/policy.ts"
import { providerIn } from "../../policy/vouching.ts"
import { type CodeFlow, createCodeFlow } from "../../remote/code-flow.ts"
import type { Clock } from "../../time.ts"

export interface ConsoleOptions {
  /** The name of an identity provider in the policy. Default: the only one that rules of `staff` for people name. */
  readonly provider?: string
  /** As the provider knows the console. Default: the provider's `audience` in the policy. */
  readonly clientId?: string
  /** Of a confidential client. Default: a public one, with PKCE as always. */
  readonly clientSecret?: string
  /** Space-separated, with `openid`; what makes the provider send the claims that rules ask for. Default `openid`. */
  readonly scope?: string
}

export const CALLBACK_PATH = "/console/callback"

/** One provider to sign in at. */
export interface SignInProvider {
  readonly provider: IdentityProvider
  /** `aud` of its ID tokens for the console. */
  readonly clientId: string
  readonly flow: CodeFlow
}

/** Why nobody can sign in, for whoever sets it up. */
export type NotSetUp = "none" | "several" | "unknown" | "no_audience"

export interface SignInProviders {
  /** By the policy in force, at each sign-in. */
  current(): SignInProvider | NotSetUp
}

export interface SignInProvidersOptions {
  readonly issuer: string
  readonly clock: Clock
  readonly plainHttp: boolean
  readonly policy: () => Policy
  readonly console: ConsoleOptions
}

/** Throws TypeError where an option is none that a provider could know. */
export function createSignInProviders(options: SignInProvidersOptions): SignInProviders {
  const { issuer, clock, plainHttp, policy, console: given } = options
  const { clientSecret, scope = "openid" } = given
  if (!scope.split(" ").includes("openid")) throw new TypeError("the console's scope must include openid")
  let known: { readonly of: string; readonly flow: CodeFlow } | undefined
  const flowOf = (provider: IdentityProvider, clientId: string): CodeFlow => {
    const { issuer: at, privateAddresses } = provider
    const of = JSON.stringify([at, privateAddresses, clientId])
    if (known?.of === of) return known.flow
    const outward = { privateAddresses, plainHttp }
    const redirectUri = `${issuer}${CALLBACK_PATH}`
    const flow = createCodeFlow({ issuer: at, clientId, clientSecret, redirectUri, scope, outward, clock })
    known = { of, flow }
    return flow
  }
  return {
    current() {
      const provider = find(policy(), given.provider)
      if (typeof provider === "string") return provider
      const clientId = given.clientId ?? provider.audience
      return clientId === undefined ? "no_audience" : { provider, clientId, flow: flowOf(provider, clientId) }
    },
  }
}

function find(policy: Policy, named: string | undefined): IdentityProvider | NotSetUp {
  const staff = [...policy.staff.keys()].flatMap((name) => callerOf(policy, name) ?? [])
  const names = new Set(staff.flatMap(({ people }) => people).map(({ provider }) => provider))
  if (named === undefined && names.size > 1) return "several"
  const name = named ?? [...names][0]
  if (name === undefined || names.size === 0) return "none"
  return providerIn(policy, name) ?? "unknown"
}
